"""`ssgan train --config FILE`: TOML, or the config.json that a run has written."""

import json

import pytest

from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from tests.cli.test_main import TINY
from tests.training.tiny import digest_of

SCENES = ["--data", "scenes:num_images=40", *TINY, "--evaluate.every", "0"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of another recipe than that of the tests, with settings that no recipe has."""
    root = tmp_path_factory.mktemp("first") / "run"
    changes = ["--method.penalty", "WGANGP", "--seed", "5"]
    assert main(["train", "scenes:gan", *SCENES, *changes, "--run", str(root)]) == 0
    return root


@pytest.mark.parametrize("recipe", [[], ["scenes:ssgan"]])
def test_a_run_s_own_config_starts_another_run_of_the_same_settings(recipe, finished, tmp_path):
    file, root = finished / "config.json", tmp_path / "run"
    assert main(["train", *recipe, "--config", str(file), "--run", str(root)]) == 0
    assert (root / "config.json").read_bytes() == file.read_bytes()
    (whole, _), (again, _) = (checkpoint.load_newest(RunDirectory(one)) for one in (finished, root))
    assert whole is not None
    assert again is not None
    assert digest_of(again) == digest_of(whole)  # every bit of its weights and its optimizers


def test_flags_are_laid_over_it_and_one_from_before_a_setting_is_read(finished, tmp_path):
    stored = json.loads((finished / "config.json").read_bytes())
    del stored["output"]["snapshot_every"], stored["activation_checkpointing"], stored["evaluate"]
    stored["output"] |= {"score_every": 0, "score_images": 12}
    file, root = tmp_path / "old.json", tmp_path / "run"
    file.write_text(json.dumps(stored))
    assert main(["train", "--config", str(file), "--seed", "6", "--run", str(root)]) == 0
    found = json.loads((root / "config.json").read_bytes())
    assert found["seed"] == 6
    assert found["method"] == stored["method"]
    assert (found["output"]["snapshot_every"], found["activation_checkpointing"]) == (0, False)
    assert (found["evaluate"]["every"], found["evaluate"]["images"]) == (0, 12)


def test_a_json_file_of_some_settings_is_laid_over_a_recipe(tmp_path, capsys):
    file = tmp_path / "some.json"
    file.write_text('{"method": {"alpha": 0.125}}')
    assert main(["train", "scenes:ssgan", "--config", str(file), "--help"]) == 0
    assert "0.125" in capsys.readouterr().out


def test_what_does_not_fit_is_told_in_a_line(finished, tmp_path, capsys):
    file, broken = finished / "config.json", tmp_path / "broken.json"
    broken.write_text("{")
    for words, said in (
        (["--config", str(broken)], "broken.json is not valid JSON"),
        (["--config", str(file), "--data", "scenes"], "names its images, and --data scenes others"),
    ):
        assert main(["train", *words, "--dry-run"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
