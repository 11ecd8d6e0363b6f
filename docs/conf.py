"""Settings of the site, which `make docs` builds from the pages of this folder.

The pages are Markdown that a code host shows as well. So nothing in them is meant for Sphinx alone,
but for the list of pages in index.md and the names in api.md.
"""

import re
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from ssgan import __version__  # noqa: E402
from ssgan.config.comments import field_comment  # noqa: E402

project = "ssgan"
author = "The ssgan authors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["notebooks"]  # pages link the notebook as a file
nitpicky = True
default_role = "literal"  # `x` in a docstring is code
highlight_language = "none"  # an indented block is a command
smartquotes = False  # `--flag` stays as it is

myst_heading_anchors = 4  # the anchors of a code host
autodoc_typehints = "none"  # docstrings say shapes and units
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"ssgan {__version__}"
html_copy_source = False
html_show_copyright = False
html_theme_options = {"footer_icons": []}


def point_into_the_site(app: Sphinx, page: str, source: list[str]) -> None:
    """Links to pages beside docs/ lead to those of the site that include them."""
    source[0] = re.sub(r"]\(\.\./(CONTRIBUTING|SECURITY)\.md", lower_name, source[0])


def lower_name(link: re.Match[str]) -> str:
    """The link to a page in capitals, as one to its page of the site."""
    return f"]({link[1].lower()}.md"


def leave_out_of_the_list(app: Sphinx, page: object) -> None:
    """The tables of studies below results/ are linked by a page, and are not in the list."""
    if app.env.docname.count("/") > 1:
        app.env.metadata[app.env.docname]["orphan"] = ""


def describe_fields(
    app: Sphinx, what: str, name: str, owner: object, options: object, lines: list[str]
) -> None:
    """The comment of every field of a dataclass, which is its documentation."""
    if what == "class" and isinstance(owner, type) and is_dataclass(owner):
        described = ((field.name, field_comment(owner, field.name)) for field in fields(owner))
        lines += [f":param {name}: {escape(comment)}" for name, comment in described]


def escape(comment: str) -> str:
    """A comment as reStructuredText."""
    return re.sub(r"([*|_])", r"\\\1", comment)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connects the functions above."""
    app.connect("source-read", point_into_the_site)
    app.connect("doctree-read", leave_out_of_the_list)
    app.connect("autodoc-process-docstring", describe_fields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
