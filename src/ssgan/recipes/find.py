"""Find a recipe by its name on the command line."""

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from ssgan import recipes
from ssgan.config.nearest import did_you_mean, nearest
from ssgan.runs.config import RunConfig
from ssgan.types import UserError

Recipe: TypeAlias = Callable[[], RunConfig]

MODULES = (
    recipes.objects,
    recipes.scenes,
    recipes.cifar10,
    recipes.table2,
    recipes.imagenet128,
    recipes.lsun_bedroom128,
    recipes.celebahq128,
    recipes.imagenet_large,
    recipes.mimicry,
    recipes.stl10,
    recipes.successors,
)


def recipes_of(module: ModuleType) -> Mapping[str, Recipe]:
    """The recipes of a shipped module, by their names `file:function`."""
    if module is recipes.table2:  # built from a table
        return recipes.table2.RECIPES
    file = module.__name__.rpartition(".")[2]
    return {
        f"{file}:{name}": function
        for name, function in vars(module).items()
        if getattr(function, "__module__", None) == module.__name__
        and callable(function)
        and not name.startswith("_")
    }


@lru_cache(maxsize=1)
def _shipped_recipes() -> Mapping[str, Recipe]:
    return {name: recipe for module in MODULES for name, recipe in recipes_of(module).items()}


def list_recipes() -> list[str]:
    """The names of the shipped recipes."""
    return list(_shipped_recipes())


def find_recipe(name: str) -> Recipe:
    """The shipped recipe of this name, or the function `module:function` of the user.

    Raises UserError with the nearest name. A module of the user is imported, which runs its code.
    """
    shipped = _shipped_recipes()
    if name in shipped:
        return shipped[name]
    module_name, colon, function_name = name.partition(":")
    files = list(dict.fromkeys(known.partition(":")[0] for known in shipped))
    if not colon or module_name in files:
        near = nearest(name, shipped)
        there = f"there are {':, '.join(files)}: (ssgan train --recipes lists all)"
        hint = did_you_mean(near) or there
        raise UserError(f"no recipe {name!r}; {hint}")
    module = import_user_module(module_name, f"recipe {name!r}")
    function: Recipe | None = getattr(module, function_name, None)
    if not callable(function):
        raise UserError(f"recipe {name!r}: {module_name} has no function {function_name!r}")
    return function


def build_recipe(name: str) -> RunConfig:
    """The settings of a recipe, by its name as for `find_recipe`.

    Raises UserError for a function of the user that needs arguments, fails or returns no RunConfig.
    """
    recipe = find_recipe(name)
    try:
        config: object = recipe()
    except UserError:
        raise
    except Exception as error:  # user code: any
        raise UserError(f"recipe {name!r} failed: {_one_line(error)}") from error
    if isinstance(config, RunConfig):
        return config
    returned = "nothing" if config is None else f"a {type(config).__name__}"
    raise UserError(
        f"recipe {name!r} returned {returned}; it must return a RunConfig, as in `return "
        "replace(scenes.ssgan(), batch_size=32)`"
    )


def _one_line(error: Exception) -> str:
    """An error of user code in one line, with the file and line that raised it."""
    place, trace = "", error.__traceback__
    while trace is not None and (trace := trace.tb_next) is not None:  # the first is our call
        place = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def import_user_module(module_name: str, what_for: str) -> ModuleType:
    """A module of the user, from the current directory or installed; importing runs its code.

    Raises UserError, starting with `what_for`, for a module that does not exist, is not Python or
    fails.
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
    except Exception as error:  # user code: any
        raise UserError(f"{what_for}: cannot import {module_name!r}: {_one_line(error)}") from error
