"""Pages that people open in a browser: one file each, without scripts, which fetches nothing.

All of them have one look, a style sheet that is carried inside each as `look`.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

_LOOK = Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def render_page(
    template: Path, *, filters: Mapping[str, Callable[..., str]], **content: Any
) -> str:
    """Fills a template in.

    Args:
      template: of the page, as HTML; what it shows is escaped.
      filters: name -> what the template makes words with.
      content: name -> what it shows; it fails where it asks for anything else.
    """
    page = _compile(template, tuple(filters.items()))
    return page.render(look=Markup(_LOOK), **content)


@functools.cache  # Which takes five times as long as to fill it in.
def _compile(
    template: Path, filters: tuple[tuple[str, Callable[..., str]], ...]
) -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(filters)
    return environment.from_string(template.read_text(encoding="utf-8"))
