"""Whether a command's result is there, and how far a run is."""

from dataclasses import replace
from pathlib import Path

import pytest

from ssgan.files.run_directory import RunDirectory
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.scheduler import describe_activity
from ssgan.types import UserError
from tests.training.tiny import images, stop_after, tiny, to_the_end


def training(root, config):
    return TrainingJob(
        label="GAN, seed 0", words=("train",), log=Path("log"), root=root, config=config
    )


def test_a_run_is_done_at_its_last_step_and_not_before(tmp_path):
    config, root = tiny("gan"), tmp_path / "run"
    job = training(root, config)
    assert not job.is_done()
    assert job.read_pace() == (0, 0.0)
    stop_after(config, root, images(), 3)
    assert not job.is_done()
    assert job.read_pace()[0] == 3
    assert describe_activity(job) == "train GAN, seed 0: step 3/6"
    to_the_end(config, root, images())
    assert job.is_done()
    newest = RunDirectory(root).checkpoint(6)
    newest.write_bytes(newest.read_bytes()[:-1])  # damaged: it is trained on from step 3
    assert not job.is_done()


def test_a_run_with_other_settings_is_refused(tmp_path):
    to_the_end(tiny("gan", total_steps=1), tmp_path / "run", images())
    with pytest.raises(UserError, match="holds a run with other settings: seed: 0 before, 5 now"):
        training(tmp_path / "run", tiny("gan", total_steps=1, seed=5)).check_directory()


def test_a_run_beyond_the_last_step_is_refused_and_its_precision_is_auto_s(tmp_path):
    to_the_end(tiny("gan", total_steps=2), tmp_path / "run", images())
    auto = tiny("gan", total_steps=2, precision="auto")
    training(tmp_path / "run", auto).check_directory()
    with pytest.raises(UserError, match="already at step 2, beyond total_steps 1"):
        training(tmp_path / "run", replace(auto, total_steps=1)).check_directory()


def test_a_command_is_typed_as_it_is_run(tmp_path):
    words = ("sample", "a run", "--n", "3")
    job = FileJob(label="x", words=words, log=Path("log"), result=tmp_path / "sheet.png")
    assert job.command == "ssgan sample 'a run' --n 3"
    assert not job.is_done()
    job.result.touch()
    assert job.is_done()
