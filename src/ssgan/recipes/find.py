"""A recipe by its name on the command line: Python's import is the registry."""

import difflib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ssgan import recipes
from ssgan.runs.config import RunConfig
from ssgan.types import UserError

MODULES = (
    recipes.scenes,
    recipes.cifar10,
    recipes.robustness,
    recipes.imagenet128,
    recipes.robustness_imagenet,
    recipes.lsun_bedroom128,
    recipes.celebahq128,
    recipes.imagenet_large,
    recipes.mimicry,
    recipes.stl10,
    recipes.successors,
)


def list_recipes() -> list[str]:
    """The shipped recipes, as `file:function`."""
    found = []
    for module in MODULES:
        for name, function in vars(module).items():
            own = getattr(function, "__module__", None) == module.__name__
            if own and callable(function) and not name.startswith("_"):
                found.append(f"{module.__name__.rsplit('.', 1)[1]}:{name}")
    return found


def find_recipe(name: str) -> Callable[[], RunConfig]:
    """The function `file:function` of the shipped recipes, or `module:function` of your own.

    Raises UserError with the nearest name. A module of your own is imported, hence run.
    """
    module_name, colon, function_name = name.partition(":")
    if name in list_recipes():
        function: Callable[[], RunConfig] = getattr(
            importlib.import_module(f"ssgan.recipes.{module_name}"), function_name
        )
        return function
    shipped = list(dict.fromkeys(known.split(":")[0] for known in list_recipes()))
    if not colon or module_name in shipped:
        near = difflib.get_close_matches(name, list_recipes(), n=1, cutoff=0.4)
        there = f"there are {':, '.join(shipped)}: (ssgan train --recipes lists all)"
        hint = f"did you mean {near[0]}?" if near else there
        raise UserError(f"no recipe {name!r}; {hint}")
    own = import_user_module(module_name, f"recipe {name!r}")
    theirs: Callable[[], RunConfig] | None = getattr(own, function_name, None)
    if not callable(theirs):
        raise UserError(f"recipe {name!r}: {module_name} has no function {function_name!r}")
    return theirs


def build_recipe(name: str) -> RunConfig:
    """The settings that a recipe returns, by its name as for `find`.

    Raises UserError for a function of your own that needs arguments, fails or returns something
    else.
    """
    recipe = find_recipe(name)
    try:
        config: object = recipe()
    except UserError:
        raise
    except Exception as error:  # of somebody's own code: any
        raise UserError(f"recipe {name!r} failed: {_said(error)}") from error
    if isinstance(config, RunConfig):
        return config
    returned = "nothing" if config is None else f"a {type(config).__name__}"
    raise UserError(
        f"recipe {name!r} returned {returned}; it must return a RunConfig, as in `return "
        "replace(scenes.ssgan(), batch_size=32)`"
    )


def _said(error: Exception) -> str:
    """An error of somebody's own code in one line, with the place there where it was raised."""
    place, trace = "", error.__traceback__
    while trace is not None and (trace := trace.tb_next) is not None:  # the first is our call
        place = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def import_user_module(module_name: str, what_for: str) -> ModuleType:
    """A module of your own, from the current directory or installed: importing runs its code.

    Raises UserError, which starts with `what_for`, when there is no such module, it is no Python or
    it fails.
    """
    if not module_name or module_name.startswith("."):
        raise UserError(
            f"{what_for}: {module_name!r} is no module; name it as it is imported, such as "
            "my_package.my_file, and start where it is found"
        )
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        raise UserError(f"{what_for}: cannot import {module_name!r}: {error}") from None
    except UserError:
        raise
    except Exception as error:  # of somebody's own code: any
        raise UserError(f"{what_for}: cannot import {module_name!r}: {_said(error)}") from error
