"""Old names of classes, fields and values, in stored configs, files and flags."""

import json
from abc import ABC
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ssgan.config.merge import from_flags, merge
from ssgan.config.serialize import NO_ALIASES, Aliases, dump, load
from ssgan.types import UserError
from tests.config.example import ALIASES, BatchNorm, Folder, Network, Noise, Run, Turned, example

CONFIG = example()


class Vehicle(ABC):  # noqa: B024
    """An own hierarchy: those of the examples are listed in messages."""


@dataclass(frozen=True, kw_only=True)
class Bike(Vehicle):
    speed: float = 5.0
    gears: int = 1


@dataclass(frozen=True, kw_only=True)
class Tandem(Bike):
    """A class of somebody else's package."""


@dataclass(frozen=True, kw_only=True)
class Racer(Bike):
    cogs: int = 3  # has the name that `gears` once had


@dataclass(frozen=True, kw_only=True)
class Garage:
    vehicle: Vehicle


BIKES = Aliases(fields={"tests.config.test_aliases:Bike": {"cogs": "gears", "pace": "speed"}})


def former(table: dict) -> dict:
    """The dump of CONFIG as versions before the renames wrote it."""
    old = json.loads(json.dumps(table))
    old["kind"] = "tests.former.config.example:Run"
    old["batch"] = old.pop("batch_size")
    old["crop"] = {"crop": "cut", "pad": "border"}[old.pop("fit")]
    old["method"]["kind"] = "tests.config.example:Rotated"
    old["method"]["share"] = old["method"].pop("fraction")
    old["method"]["weight"] = old["method"].pop("beta")
    old["source"]["kind"] = "tests.former.images:Folder"
    old["network"]["channels"] = old["network"].pop("width")
    old["network"]["normalisation"] = old["network"].pop("norm")
    return old


def flags(*words: str) -> Run:
    return merge(CONFIG, from_flags(words)[0], "--", ALIASES)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_config_under_old_names_is_today_s_config(fit):
    config = replace(CONFIG, fit=fit, source=Folder(path=Path("x")), batch_size=7)
    assert load(former(dump(config)), ("tests",), aliases=ALIASES) == config
    assert load(dump(config), ("tests",), aliases=ALIASES) == config
    with pytest.raises(UserError):
        load(former(dump(config)), ("tests",))


def test_a_dump_has_no_old_name():
    config = load(former(dump(CONFIG)), ("tests",), aliases=ALIASES)
    assert json.dumps(dump(config)) == json.dumps(dump(CONFIG))


@pytest.mark.parametrize(
    ("old", "today"),
    [
        ("tests.config.example:Rotated", "tests.config.example:Turned"),
        ("tests.former.models:Net.Inner", "tests.models:Net.Inner"),
        ("tests.former:Net", "tests:Net"),
        ("tests.former.images:Random", "tests.config.example:Noise"),  # the class, not its module
        ("tests.former.images.deep:Other", "tests.config.example.deep:Other"),  # nor a module above
        ("tests.formerly:Net", "tests.formerly:Net"),
        ("tests.config.example:Turned", "tests.config.example:Turned"),
        ("Turned", "Turned"),
    ],
)
def test_the_most_specific_entry_renames_a_class(old, today):
    assert ALIASES.kind(old) == today
    assert NO_ALIASES.kind(old) == old


def test_an_old_class_must_be_trusted_under_its_new_name():
    table = former(dump(CONFIG))
    with pytest.raises(
        UserError, match=r"has kind 'tests\.former.* --trust tests\.config\.example"
    ):
        load(table, (), aliases=ALIASES)
    assert load(table, ("tests.config.example",), aliases=ALIASES) == CONFIG


def test_flags_and_files_may_use_old_names():
    assert flags("--batch", "8", "--crop", "border") == replace(CONFIG, batch_size=8, fit="pad")
    assert flags("--fit", "border").fit == "pad"  # an old value under the new name
    assert flags("--method.share", "0.5").method == Turned(fraction=0.5)
    assert flags("--method", "Rotated", "--method.weight", "2").method == Turned(beta=2.0)
    assert flags("--source", "tests.former.images:Random").source == Noise()
    assert flags("--source", "Random").source == Noise()
    made = merge(CONFIG, {"network": {"normalisation": {"scale": 2.0}}}, "my.toml", ALIASES)
    assert made.network == Network(norm=BatchNorm(scale=2.0))


def test_old_names_of_a_class_count_for_its_subclasses():
    changes = {"vehicle": {"cogs": 8, "pace": 9.0}}
    changed = merge(Garage(vehicle=Tandem()), changes, "", BIKES)
    assert changed.vehicle == Tandem(gears=8, speed=9.0)
    table = dump(changed)
    table["vehicle"]["cogs"] = table["vehicle"].pop("gears")
    assert load(table, ("tests",), aliases=BIKES) == changed


def test_a_name_that_is_a_field_today_is_no_old_name():
    changed = merge(Garage(vehicle=Racer()), {"vehicle": {"cogs": 8}}, "", BIKES)
    assert changed.vehicle == Racer(cogs=8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--batch 8 --batch_size 8", "batch and batch_size are names of one setting: give it once"),
        ("--batch_size 8 --batch 8", "batch_size and batch are names of one setting: give it once"),
        ("--batch 8 --images 8", "batch and images are names of one setting: give it once"),
        (
            "--method.share 1 --method.fraction 1",
            "method.share and method.fraction are names of one setting: give it once",
        ),
        ("--batch 1.5", "batch_size must be int, not 1.5 (from --batch)"),
        ("--network.normalisation.scale x", "network.norm.scale must be float, not 'x' (from "),
        ("--crop brder", "fit must be one of crop, pad, not 'brder' (from --crop)"),
        ("--batch_sise 8", "no setting 'batch_sise'; did you mean batch_size?"),
    ],
)
def test_an_error_has_today_s_path_and_the_flag_as_it_was_typed(words, message):
    with pytest.raises(UserError) as caught:
        flags(*words.split())
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_both_names_in_a_file_are_an_error_that_names_the_file():
    for read in (
        lambda: load(dump(CONFIG) | {"batch": 8}, ("tests",), "old.json", ALIASES),
        lambda: merge(CONFIG, {"batch": 8, "batch_size": 8}, "old.json", ALIASES),
    ):
        with pytest.raises(UserError, match=r"are names of one setting.* \(from old\.json\)$"):
            read()
