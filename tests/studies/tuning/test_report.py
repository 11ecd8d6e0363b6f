"""The best settings as a file, and trials as records."""

from dataclasses import replace

import pytest

from ssgan.config.merge import merge, read_toml
from ssgan.recipes import scenes
from ssgan.runs.config_io import ALIASES
from ssgan.studies.tuning.report import format_best
from ssgan.studies.tuning.space import merge_changes, to_flags
from ssgan.studies.tuning.trials import (
    TuningTrial,
    find_best,
    read_trials,
    record_path,
    write_trial,
)
from ssgan.types import UserError

CHANGES = {
    "method.adversarial": "Wasserstein",
    "method.penalty": {"kind": "WGANGP", "weight": 3.0},
    "generator.norm": "SelfModulatedBatchNorm",
    "generator_optimizer.learning_rate": 1e-05,
    "learning_rate_decay": "none",
    "augment": True,
    "data.background": [0, 1, 2],
}
TRIAL = TuningTrial(
    number=3, values={"loss": {"a": 1}, "augment": True, "betas": [0.0, 0.9]}, state="complete",
    flags=to_flags(CHANGES), score=12.5, score_name="FD", curve=((5, 1.0), (10, 2.0)),
)  # fmt: skip


@pytest.mark.parametrize("penalty", ["none", CHANGES["method.penalty"]])
def test_best_toml_has_the_settings_of_the_flags(tmp_path, penalty):
    """Read as `ssgan train --config` reads it, over a recipe with another penalty."""
    changes = {**CHANGES, "method.penalty": penalty}
    (tmp_path / "best.toml").write_text(format_best(replace(TRIAL, flags=to_flags(changes))))
    base = merge_changes(scenes.ssgan(), {"method.penalty": "DRAGAN"})
    found = merge(base, read_toml(tmp_path / "best.toml"), "best.toml", ALIASES)
    assert found == merge_changes(base, changes)
    assert found != base


def test_a_record_comes_back_equal_and_a_damaged_one_is_named(tmp_path):
    write_trial(tmp_path, TRIAL)
    assert read_trials(tmp_path) == [TRIAL]
    path = record_path(tmp_path, 3)
    for text in ("{}", path.read_text().replace('"complete"', '"won"')):
        path.write_text(text)
        with pytest.raises(UserError, match=r"trial-003\.json is damaged") as error:
            read_trials(tmp_path)
        assert "\n" not in str(error.value)


def test_the_best_trials_are_complete_ones_and_the_earlier_of_equal_ones():
    trials = [
        replace(TRIAL, number=number, state=state, score=score)
        for number, state, score in (
            (0, "complete", 2.0), (1, "refused", 0.5), (2, "complete", 1.0), (4, "complete", 1.0),
            (5, "failed", None), (6, "complete", 0.0),
        )
    ]  # fmt: skip
    assert [one.number for one in find_best(reversed(trials))] == [6, 2, 4, 0]
