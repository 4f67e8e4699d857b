"""The page that shows what is in a source: one file without scripts, which fetches nothing."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from components.common.documents.dataset import SPLITS
from components.common.tasks.glimpses import glimpses_of
from components.common.tasks.sources import sources_of
from components.common.words.figures import size
from components.common.words.pages import LOOK
from components.preprocess.inspection import Look

_TEMPLATE = Path(__file__).with_name("contact_sheet.html.jinja")


def render(look: Look) -> str:
    """Returns the page as HTML."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update({"size": size, "count": lambda number: f"{number:,}"})
    found = look.inspection
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        look=Markup(LOOK),
        found=found,
        sheet=look.sheet,
        splits=SPLITS,
        noun=sources_of(found.task).EXAMPLES,
        sides=glimpses_of(found.task).SIDES,
    )
