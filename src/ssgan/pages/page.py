"""HTML pages from templates of jinja2: everything is escaped, and nothing comes from outside."""

import math
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ssgan.pages.pictures import picture_uri

_TEMPLATES = Path(__file__).parents[1]  # a name is `<package>/<file>.html`


def render_page(template: str, **values: object) -> str:
    """HTML of a template below src/ssgan, for example `report/report.html`, with `values`.

    Every value is escaped unless it is `markupsafe.Markup`, as charts are. A template extends
    `pages/base.html` and may import the macros of `pages/macros.html`. Raises
    `jinja2.UndefinedError` for a value that the template needs and did not get.
    """
    return _templates().get_template(template).render(**values)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"number": spell_number, "picture": picture_uri}
    return templates


def spell_number(value: float | int | None) -> str:
    """Thousands with commas, other numbers with four significant digits; None is a dash."""
    if value is None:
        return "–"
    if isinstance(value, int) or (math.isfinite(value) and value == int(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
