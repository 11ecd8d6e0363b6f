"""What `ssgan tune` may change: settings with their choices or ranges, as a TOML file says.

A name is a setting (`batch_size`, `method.alpha`), one of TARGETS, or, with a list of tables, any
word: each table then sets several settings together.
"""

import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ssgan.config.merge import from_flags, merge, read_toml
from ssgan.config.nearest import nearest
from ssgan.config.schema import walk
from ssgan.config.serialize import flatten
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import ALIASES
from ssgan.types import UserError

DEFAULT_SPACE = Path(__file__).with_name("space.toml")
_RATES = ("generator_optimizer.learning_rate", "discriminator_optimizer.learning_rate")
_WIDTHS = ("generator.width", "discriminator.width")
_BETAS = tuple(
    f"{part}_optimizer.beta{number}" for part in ("generator", "discriminator") for number in (1, 2)
)
TARGETS = {  # names that stand for several settings, or for one in another unit
    "width": _WIDTHS,  # times the recipe's
    "width_ratio": _WIDTHS[1:],  # D's width, times the recipe's and `width`
    "learning_rate": _RATES,  # of G; D's keeps its ratio to it
    "learning_rate_ratio": _RATES[1:],  # of D, over that of G
    "betas": _BETAS,  # [beta1, beta2] of both networks
    "ema_share": ("ema_halflife_steps",),  # the half-life of G's average over total_steps
}
_DIGITS = 6  # significant ones of a number that is computed
_RANGE = {"low", "high", "step", "log"}
Changes: TypeAlias = dict[str, object]  # settings by their full names, such as method.alpha


@dataclass(frozen=True)
class Choices:
    """Some values."""

    values: tuple[object, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Each value as JSON, in order."""
        return tuple(json.dumps(value) for value in self.values)

    def value(self, label: object) -> object:
        """The value with this label."""
        return self.values[self.labels.index(str(label))]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included."""

    low: float
    high: float
    step: float | None = None  # between neighbours, from low on; None: any number
    log: bool = False  # whether ratios count, not differences

    def value(self, number: object) -> object:
        """The number, with few digits where any number is one of them."""
        return number if self.step or self.whole else round_number(_number(number))

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, number: object) -> bool:
        """Whether a number is one of them."""
        if isinstance(number, bool) or not isinstance(number, int | float):
            return False
        steps = (number - self.low) / (self.step or (1 if self.whole else math.inf))
        return self.low <= number <= self.high and math.isclose(steps, round(steps), abs_tol=1e-9)


Dimension: TypeAlias = Choices | Range


@dataclass(frozen=True)
class Space:
    """All dimensions by name, for the settings of one recipe."""

    dimensions: Mapping[str, Dimension]
    base: RunConfig  # the recipe's settings

    def changes(self, values: Mapping[str, object], total_steps: int) -> Changes:
        """The settings that one value of each dimension stands for."""
        found = _both_networks(self.base, values)
        if "ema_share" in values:
            found["ema_halflife_steps"] = round_number(_number(values["ema_share"]) * total_steps)
        for name, value in values.items():
            if name not in TARGETS:
                found |= _own_changes(name, value)
        return found

    def values_of_recipe(self) -> dict[str, object] | None:
        """The recipe's own value of each dimension; None when one of them is outside the space."""
        values: dict[str, object] = {}
        for name, one in self.dimensions.items():
            if isinstance(one, Range):
                number = _read(self.base, name)
                if not one.holds(number):
                    return None
                values[name] = number
            elif (value := self._chosen_by_recipe(name, one)) is not None:
                values[name] = value[0]
            else:
                return None
        return values

    def _chosen_by_recipe(self, name: str, choices: Choices) -> tuple[object] | None:
        for value in choices.values:
            same = False
            if name in TARGETS:
                same = value == _read(self.base, name)
            else:
                with suppress(UserError):  # the recipe may refuse it
                    same = merge_changes(self.base, _own_changes(name, value)) == self.base
            if same:
                return (value,)
        return None

    def refusals(self) -> list[str]:
        """Choices that the recipe refuses while all else stays, a sentence each.

        Raises UserError when it refuses all choices of one dimension.
        """
        sentences = []
        for name, one in self.dimensions.items():
            values = one.values if isinstance(one, Choices) else (one.low, one.high)
            found = [(value, error) for value in values if (error := self._refusal(name, value))]
            if len(found) == len(values):
                raise UserError(f"the space: {name}: {found[-1][1]}")
            sentences += [
                f"{name} = {json.dumps(value)} is refused by itself: {error}"
                for value, error in found
            ]
        return sentences

    def _refusal(self, name: str, value: object) -> str:
        try:
            merge_changes(self.base, self.changes({name: value}, self.base.total_steps))
        except UserError as error:
            return str(error)
        return ""


def read_space(file: Path | None, base: RunConfig, fixed: Iterable[str] = ()) -> Space:
    """The space in a TOML file, without the settings in `fixed`; None reads the default one.

    The default space loses the settings that the recipe lacks, and the methods with a rotation loss
    where the recipe has none. Raises UserError, which names the
    file and the entry, for anything else that cannot be used.
    """
    path, fixed = file or DEFAULT_SPACE, set(fixed)
    known = {entry.path for entry in walk(base)}
    dimensions, owners = dict[str, Dimension](), dict[str, str]()
    for name, value in _entries(read_toml(path)):
        place = f"{path}: {name}"
        if file is None and isinstance(value, list) and not base.method.predicts_rotation:
            value = [one for one in value if not _names_method(one)]  # those predict rotations
        dimension = _read_dimension(value, place)
        targets = _find_targets(name, dimension)
        unknown = [one for one in sorted(targets) if not _is_setting(one, known, targets)]
        if fixed.intersection(targets) or (file is None and unknown):
            continue
        if unknown:
            near = nearest(unknown[0], [*known, *TARGETS])
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(f"{place}: the recipe has no setting {unknown[0]!r}{hint}")
        if "total_steps" in targets:
            raise UserError(f"{place}: total_steps follows from --minutes")
        for target in targets:
            other = owners.setdefault(target, name)
            if other != name and not {name, other} <= TARGETS.keys():
                raise UserError(f"{place}: {other} sets {target}, too")
        dimensions[name] = dimension
    if not dimensions:
        raise UserError(f"{path} leaves nothing to search: give settings with choices or ranges")
    return Space(dimensions, base)


def merge_changes(config: RunConfig, changes: Mapping[str, object]) -> RunConfig:
    """The settings with changes; raises UserError for those that do not fit."""
    table, _ = from_flags(to_flags(changes))
    return merge(config, table, "--", ALIASES)


def to_flags(changes: Mapping[str, object]) -> tuple[str, ...]:
    """The settings as words of a command line."""
    return tuple(word for name, value in changes.items() for word in (f"--{name}", _word(value)))


def _word(value: object) -> str:
    return value if isinstance(value, str) else format_toml(value)


def format_toml(value: object) -> str:
    """A value as TOML; None as the word that `--config` reads as None."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name} = {format_toml(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_toml, value))}]"
    return json.dumps("none" if value is None else value)


def round_number(number: float) -> float:
    """A computed number with few digits, so that commands stay short."""
    return float(f"{number:.{_DIGITS}g}")


def _entries(table: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """The entries by their full names: `"method.alpha"`, `method.alpha` and [method] are alike."""
    for name, value in table.items():
        if isinstance(value, dict) and not value.keys() & {"low", "high"}:
            yield from _entries(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _read_dimension(value: object, place: str) -> Dimension:
    if isinstance(value, list):
        if not value:
            raise UserError(f"{place}: a list of choices needs at least one")
        return Choices(tuple(dict(zip(map(json.dumps, value), value, strict=True)).values()))
    if not isinstance(value, dict):
        raise UserError(
            f"{place}: must be a list of choices or {{low = X, high = Y}}, not {value!r}"
        )
    if unknown := sorted(value.keys() - _RANGE):
        raise UserError(f"{place}: no {unknown[0]!r} in a range; there are low, high, step, log")
    found = Range(**{"low": math.nan, "high": math.nan, **value})
    numbers = [found.low, found.high, *([] if found.step is None else [found.step])]
    if not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
        raise UserError(f"{place}: low, high and step must be numbers; low and high are required")
    if not isinstance(found.log, bool):
        raise UserError(f"{place}: log must be true or false, not {found.log!r}")
    if found.high <= found.low:
        raise UserError(f"{place}: high {found.high} must be above low {found.low}")
    if found.log and (found.low <= 0 or found.step is not None):
        raise UserError(f"{place}: a log range needs low above 0, and no step")
    if found.step is not None and (found.step <= 0 or (found.whole and found.step % 1)):
        raise UserError(f"{place}: step must be above 0, and whole in a range of whole numbers")
    return found


def _names_method(value: object) -> bool:
    return isinstance(value, dict) and "method" in value


def _find_targets(name: str, dimension: Dimension) -> set[str]:
    """The settings that a dimension sets."""
    if name in TARGETS:
        return set(TARGETS[name])
    values = dimension.values if isinstance(dimension, Choices) else (0,)
    return {path.removesuffix(".kind") for value in values for path in _own_changes(name, value)}


def _is_setting(path: str, known: set[str], targets: set[str]) -> bool:
    """Whether a name is a setting of the recipe, or of a class that the same entry chooses."""
    parent = path.rpartition(".")[0]
    return path in known or (parent in targets and _is_setting(parent, known, targets))


def _own_changes(name: str, value: object) -> Changes:
    """The settings of a value of a dimension that is not in TARGETS."""
    if isinstance(value, dict) and "kind" not in value:
        return flatten(value)
    return {name: value}


def _both_networks(base: RunConfig, values: Mapping[str, object]) -> Changes:
    """Widths, learning rates and betas, which belong to both networks."""
    found: Changes = {}
    if values.keys() & {"width", "width_ratio"}:
        width, ratio = _number(values.get("width", 1.0)), _number(values.get("width_ratio", 1.0))
        for path, factor in zip(_WIDTHS, (width, width * ratio), strict=True):
            found[path] = round_number(_number(_look_up(base, path)) * factor)
    if values.keys() & {"learning_rate", "learning_rate_ratio"}:
        rate = _number(values.get("learning_rate", _read(base, "learning_rate")))
        ratio = _number(values.get("learning_rate_ratio", _read(base, "learning_rate_ratio")))
        found |= dict(zip(_RATES, map(round_number, (rate, rate * ratio)), strict=True))
    if "betas" in values:
        pair = values["betas"]
        if not isinstance(pair, list) or len(pair) != 2:
            raise UserError(f"betas must be [beta1, beta2], not {pair!r}")
        found |= dict(zip(_BETAS, (*pair, *pair), strict=True))
    return found


def _read(config: RunConfig, name: str) -> object:
    """The present value of a dimension."""
    if name in ("width", "width_ratio"):
        return 1.0
    if name == "learning_rate_ratio":
        of_g, of_d = (_number(_look_up(config, path)) for path in _RATES)
        return of_d / of_g
    if name == "betas":
        betas = [_look_up(config, path) for path in _BETAS]
        return betas[:2] if betas[:2] == betas[2:] else None
    if name == "ema_share":
        return config.ema_halflife_steps / config.total_steps
    return _look_up(config, TARGETS.get(name, (name,))[0])


def _look_up(config: object, path: str) -> object:
    for name in path.split("."):
        config = getattr(config, name)
    return config


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{value!r} is no number")
    return value
