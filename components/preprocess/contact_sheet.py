"""The page that shows what is in a source: one file without scripts, which fetches nothing."""

from pathlib import Path

from components.common.documents.dataset import SPLITS
from components.common.tasks.glimpses import glimpses_of
from components.common.tasks.sources import sources_of
from components.common.words.figures import size
from components.common.words.pages import render_page
from components.preprocess.inspection import Look

_TEMPLATE = Path(__file__).with_name("contact_sheet.html.jinja")
_FILTERS = {"size": size, "count": "{:,}".format}


def render(look: Look) -> str:
    """Returns the page as HTML."""
    found = look.inspection
    return render_page(
        _TEMPLATE,
        filters=_FILTERS,
        found=found,
        sheet=look.sheet,
        splits=SPLITS,
        noun=sources_of(found.task).EXAMPLES,
        sides=glimpses_of(found.task).SIDES,
    )
