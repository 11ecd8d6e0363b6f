"""The page of all recipes, docs/recipes.md, from their docstrings and settings."""

import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from ssgan.recipes.find import MODULES, find_recipe, list_recipes
from ssgan.runs.config import RunConfig

_OPENING = """# Recipes

Every run that is shipped, as its docstring tells it. This page is written by
`python docs/make_recipes.py`.

    ssgan train RECIPE --help       every setting with its value there
    ssgan train RECIPE --dry-run    weights, GFLOP, time, memory and disk on your machine

*Published* is what others report. Two FIDs can be compared only when the numbers of images, the
real images and the network of the features agree. *Cost* counts steps (updates of G), images a
batch, updates of D a step (n_dis) and images that D reads. *Run* is the page of results that
the recipe names; where it says "not run", nobody has run it as it is, a page beside that is of a
smaller run, and the published number is not claimed. `--data folder:PATH` stands for images that
you must get yourself: [data.md](data.md) says how.
"""


class RecipeDocs(NamedTuple):
    """What a recipe's docstring says; empty where it is silent."""

    what: str
    command: str
    published: str
    cost: str
    run: str  # a page of results, or that it was not run as it is, and the page of a smaller run


def page() -> str:
    """The whole page."""
    return "\n".join([_OPENING, *(_section(module) for module in MODULES)])


def parse_docstring(recipe: Callable[[], RunConfig]) -> RecipeDocs:
    """The parts of the docstring, each on one line without its last full stop."""
    text = inspect.getdoc(recipe) or ""
    what, _, rest = text.partition("\n\n")
    command = re.search(r"^ *(ssgan (?:train|demo).*)$", text, flags=re.MULTILINE)
    rest = " ".join(rest.split())
    return RecipeDocs(
        " ".join(what.split()).removesuffix("."),
        command.group(1) if command else "",
        _part(r"Published: (.*?)(?:\.)?(?= Cost: | Not run |$)", rest),
        _part(r"Cost: (.*?)(?:\.)?(?= Not run | Run at |$)", rest),
        _run(rest),
    )


def describe_components(config: RunConfig) -> str:
    """What a run consists of, as docstrings say it."""
    return (
        f"{config.total_steps:,} steps, batch {config.batch_size}, "
        f"n_dis {config.discriminator_updates}"
    )


def _run(text: str) -> str:
    """What is said of the run; the page of results as a link, alone when it is of this recipe."""
    said = _part(r"((?:Run|Not run) at .*?)\.(?: |$)", text).removeprefix("Run at this scale: ")
    return re.sub(r"docs/(results/[\w-]+\.md)", r"[\1](\1)", said)


def _part(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found.group(1) if found else ""


def _section(module: ModuleType) -> str:
    file = module.__name__.rsplit(".", 1)[1]
    heading = [
        f"## {file}",
        "",
        inspect.getdoc(module) or "",
        "",
        "| command | what | published | cost | run |",
        "|---|---|---|---|---|",
    ]
    rows = [_row(name) for name in list_recipes() if name.startswith(f"{file}:")]
    return "\n".join([*heading, *rows, ""])


def _row(name: str) -> str:
    recipe = find_recipe(name)
    what, command, published, cost, run = parse_docstring(recipe)
    made = describe_components(recipe())
    if not cost.startswith(made):
        cost = f"{made}; {cost}" if cost else made
    cells = [f"`{command}`", what, published or "-", cost, run or "no results kept"]
    return f"| {' | '.join(cells)} |"
