"""Write recipes.md from the recipes' docstrings and settings. Run: python docs/make_recipes.py"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ssgan.recipes.find import MODULES, recipes_of
from ssgan.runs.config import RunConfig

PAGE = Path(__file__).parent / "recipes.md"
_OPENING = """# Recipes

All shipped recipes, from their docstrings. `python docs/make_recipes.py` writes this page.

    ssgan train RECIPE --help       every setting with its value in the recipe
    ssgan train RECIPE --dry-run    weights, GFLOP, time, memory and disk on your machine

*Published* are numbers that others report. Two FIDs can be compared only when the numbers of
images, the real images and the feature network agree. *Cost* counts steps (updates of G), images
per batch, updates of D per step (n_dis) and images that D reads. *Run* links the results of the
recipe. "Not run" means that nobody has run it as it is: a page beside that is about a smaller run,
and the published number is not claimed. `--data folder:PATH` stands for images that you must
download yourself; [datasets.md](datasets.md) says how.
"""


class RecipeDocs(NamedTuple):
    """The parts of a recipe's docstring; empty where it says nothing."""

    what: str
    command: str
    published: str
    cost: str
    run: str  # a page of results, or that it was not run as it is, and the page of a smaller run


def render_page() -> str:
    """The whole page."""
    return "\n".join([_OPENING, *(_render_section(module) for module in MODULES)])


def parse_docstring(recipe: Callable[[], RunConfig]) -> RecipeDocs:
    """The parts of the docstring, each on one line without its last full stop."""
    text = inspect.getdoc(recipe) or ""
    what, _, rest = text.partition("\n\n")
    command = re.search(r"^ *(ssgan (?:train|demo).*)$", text, flags=re.MULTILINE)
    rest = " ".join(rest.split())
    return RecipeDocs(
        " ".join(what.split()).removesuffix("."),
        command.group(1) if command else "",
        _find(r"Published: (.*?)(?:\.)?(?= Cost: | Not run |$)", rest),
        _find(r"Cost: (.*?)(?:\.)?(?= Not run | Run at |$)", rest),
        _parse_run(rest),
    )


def describe_settings(config: RunConfig) -> str:
    """The settings that a cost begins with."""
    return (
        f"{config.total_steps:,} steps, batch {config.batch_size}, "
        f"n_dis {config.discriminator_updates}"
    )


def _parse_run(text: str) -> str:
    """The sentence about the run, with a link; the link alone when the recipe itself was run."""
    run = _find(r"((?:Run|Not run) at .*?)\.(?: |$)", text).removeprefix("Run at this scale: ")
    return re.sub(r"docs/(results/[\w-]+\.md)", r"[\1](\1)", run)


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found.group(1) if found else ""


def _render_section(module: ModuleType) -> str:
    heading = [
        f"## {module.__name__.rpartition('.')[2]}",
        "",
        inspect.getdoc(module) or "",
        "",
        "| command | what | published | cost | run |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*heading, *map(_render_row, recipes_of(module).values()), ""])


def _render_row(recipe: Callable[[], RunConfig]) -> str:
    what, command, published, cost, run = parse_docstring(recipe)
    settings = describe_settings(recipe())
    if not cost.startswith(settings):
        cost = f"{settings}; {cost}" if cost else settings
    cells = [f"`{command}`", what, published or "-", cost, run or "no results kept"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
