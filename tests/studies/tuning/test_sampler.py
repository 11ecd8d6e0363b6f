"""Proposals depend on the seed, the number and the scores, and survive the process."""

import sys

import pytest

from ssgan.recipes import scenes
from ssgan.studies.tuning.sampler import FEWEST, Sampler
from ssgan.studies.tuning.space import Choices, Range, Space
from ssgan.studies.tuning.storage import StudyPlace
from ssgan.types import UserError

SPACE = Space(
    {
        "batch_size": Choices((16, 32, 64)),
        "learning_rate": Range(1e-5, 1e-2, log=True),
        "discriminator_updates": Range(1, 3),
    },
    scenes.ssgan(),
)


def sampler(tmp_path, space=SPACE, seed=0):
    return Sampler(StudyPlace(tmp_path / "optuna.journal"), space, seed, False)


def score(values):
    return abs(values["learning_rate"] - 1e-3) * 1e3 + values["batch_size"] / 1e4


def search(one, count):
    found = []
    for _ in range(count):
        number, values = one.begin()
        one.end(number, score(values))
        found.append(values)
    return found


def test_the_first_trial_is_the_recipe(tmp_path):
    number, values = sampler(tmp_path).begin()
    assert number == 0
    assert values == {"batch_size": 32, "learning_rate": 5e-4, "discriminator_updates": 2}


def test_a_recipe_outside_the_space_has_number_0_and_no_values(tmp_path):
    space = Space({"batch_size": Choices((8, 16))}, scenes.ssgan())
    one = sampler(tmp_path, space)
    assert one.begin() == (0, {})
    number, values = one.begin()
    assert number == 1
    assert values["batch_size"] in (8, 16)


def test_a_search_that_continues_makes_the_proposals_of_one_that_was_never_stopped(tmp_path):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = search(sampler(tmp_path / "whole"), 16)
    first = search(sampler(tmp_path / "parts"), 12)
    assert first + search(sampler(tmp_path / "parts"), 4) == whole
    assert len({values["learning_rate"] for values in whole}) == 16  # no two are alike


def test_another_seed_makes_other_proposals(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    a, b = (search(sampler(tmp_path / name, seed=k), 5) for k, name in enumerate("ab"))
    assert a[0] == b[0]
    assert a[1:] != b[1:]


def test_scores_and_failures_draw_later_proposals_to_the_good_part(tmp_path):
    """Random search comes within a factor of 2 of the best learning rate in 1 of 5 trials."""
    one = sampler(tmp_path)
    for _ in range(40):
        number, values = one.begin()
        one.end(number, score(values) if values["learning_rate"] < 2e-3 else None)
    last = [one.begin()[1]["learning_rate"] for _ in range(10)]
    assert sum(5e-4 <= rate <= 2e-3 for rate in last) >= 5


def test_a_trial_that_has_not_ended_is_listed_with_its_values(tmp_path):
    one = sampler(tmp_path)
    one.end(*(one.begin()[0], 1.0))
    number, values = one.begin()
    assert sampler(tmp_path).list_running() == [(number, values)]
    sampler(tmp_path).end(number, None)
    assert sampler(tmp_path).list_running() == []


def test_the_setting_that_decides_is_the_most_important(tmp_path):
    one = sampler(tmp_path)
    search(one, FEWEST - 1)
    assert one.importances() == {}
    search(one, 20)
    found = one.importances()
    assert next(iter(found)) == "learning_rate"
    assert sum(found.values()) == pytest.approx(1)


def test_without_optuna_one_line_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'ssgan\[tune\]'"):
        sampler(tmp_path)


def test_the_journal_is_lines_of_json(tmp_path):
    import json

    search(sampler(tmp_path), 3)
    lines = (tmp_path / "optuna.journal").read_text().splitlines()
    assert all(json.loads(line) for line in lines)
