"""What version 0.1.0 stored is read under today's names, and found again by its digests."""

import json
from pathlib import Path

import pytest

from ssgan.cli.config_args import default_directory
from ssgan.config.serialize import dump
from ssgan.recipes.find import build_recipe, list_recipes
from ssgan.runs.config_io import first_form, first_words, load_config, load_settings
from ssgan.studies.forgetting import settings as forgetting
from ssgan.types import UserError

FOLDER = Path(__file__).parent / "earlier"
RECIPES, KINDS, DIRECTORIES = (
    json.loads((FOLDER / f"{name}.json").read_text())
    for name in ("recipes", "kinds", "directories")
)
S3GAN = json.loads((FOLDER / "s3gan_drawn.json").read_text())
assert forgetting.ForgettingSettings  # imported, so that its kind can be read


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_stored_settings_of_every_recipe_are_those_of_today(name):
    assert load_config(RECIPES[name]) == build_recipe(name)


def test_every_recipe_of_before_is_still_there():
    assert set(RECIPES) <= set(list_recipes())


NEVER_STORED = ("ssgan.measure.", "ssgan.studies.measurement:")


@pytest.mark.parametrize(
    "kind",
    [kind for kind, table in KINDS.items() if table and not kind.startswith(NEVER_STORED)],
)
def test_every_stored_kind_is_read_and_has_its_first_name_in_digests(kind):
    settings = load_settings(KINDS[kind])
    assert first_form(settings)["kind"] == kind
    assert load_settings(dump(settings)) == settings


@pytest.mark.parametrize("name", list(RECIPES))
def test_digests_are_of_the_first_names(name):
    """Settings that were added later are left out of them."""
    form = first_form(build_recipe(name))
    assert pruned(RECIPES[name], form) == form


def pruned(table, like):
    """The entries of a stored table that a form without additions has."""
    if isinstance(like, dict):
        return {name: pruned(table[name], value) for name, value in like.items()}
    return table


@pytest.mark.parametrize("name", list(DIRECTORIES))
def test_the_same_command_finds_the_directory_of_before(name):
    assert default_directory(name, build_recipe(name)) == DIRECTORIES[name]


def test_a_renamed_value_is_read_and_keeps_its_first_name_in_digests():
    config = load_config(S3GAN)
    assert config.method.pseudo_label == "sampled"
    assert first_form(config)["method"]["guess"] == "drawn"
    assert first_words("method.pseudo_label", "sampled") == "method.guess=drawn"


def test_a_setting_under_both_of_its_names_is_refused():
    both = {**S3GAN, "method": {**S3GAN["method"], "pseudo_label": "argmax"}}
    with pytest.raises(UserError, match=r"method\.guess and method\.pseudo_label are names of one"):
        load_config(both)
