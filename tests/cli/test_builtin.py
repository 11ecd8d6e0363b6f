"""Built-in models: every verb that takes a model's file takes their names."""

import json

import numpy as np
import pytest

import ssgan
from ssgan.cli.main import main
from ssgan.runs import builtin
from ssgan.runs.builtin import builtin_home, find_builtin, list_builtin
from ssgan.types import UserError

NAME = "builtin:objects"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def files_of_the_package():
    return {path.name: path.stat().st_mtime_ns for path in builtin._FOLDER.iterdir()}


@pytest.mark.parametrize("name", list_builtin())
def test_each_is_small_and_draws_images_that_differ(name):
    path = find_builtin(builtin.Path(f"builtin:{name}"))
    assert path.stat().st_size < 3e6
    model = ssgan.load(f"builtin:{name}")
    images = model.sample(4)
    assert images.shape == (4, 32, 32, 3)
    assert images.std(axis=0).mean() > 20


def test_what_verbs_write_goes_into_the_working_directory(tmp_path):
    before = files_of_the_package()
    assert main(["sample", NAME, "--n", "4"]) == 0
    assert (tmp_path / "builtin-objects/generated-seed-0/sheet.png").exists()
    picture = "builtin-objects/generated-seed-0/images/image-00000.png"
    assert main(["project", NAME, picture, "--out", "found", "--steps", "2", "--starts", "1"]) == 0
    assert files_of_the_package() == before


def test_its_discriminator_gives_features_and_is_probed(tmp_path):
    images = ["--data", "objects:num_images=60"]
    assert main(["features", NAME, *images, "--out", "f.npy"]) == 0
    assert np.load(tmp_path / "f.npy").shape[0] == 60
    assert main(["probe", NAME, "--data", "objects:num_images=120", "--blocks", "3"]) == 0
    assert (tmp_path / "builtin-objects/probe/probe.txt").exists()


def test_a_run_begins_with_its_weights_and_remembers_its_name(tmp_path):
    words = ["--data", "objects:num_images=20", "--total_steps", "1", "--evaluate.every", "0"]
    assert (
        main(["train", "--init", NAME, "--run", "run", "--output.sample_every", "0", *words]) == 0
    )
    init = json.loads((tmp_path / "run" / "config.json").read_text())["init"]
    assert init["model"] == NAME
    assert len(init["sha256"]) == 64


def test_settings_that_do_not_fit_are_said_of_its_name_alone(capsys):
    words = ["--data", "objects:num_images=20", "--data.image_size", "48", "--dry-run"]
    assert main(["train", "--init", NAME, *words]) == 2
    said = capsys.readouterr().err
    assert f"--init {NAME}: a run keeps" in said
    assert ".safetensors" not in said


@pytest.mark.parametrize("verb", [["sample"], ["evaluate"], ["export", "--to", "safetensors"]])
def test_an_unknown_name_is_one_line_with_those_that_exist(verb, capsys):
    assert main([*verb, "builtin:nothing"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ssgan: there is no built-in model 'nothing'; there are builtin:")
    assert said.count("\n") == 1


def test_other_files_are_found_where_they_are(tmp_path):
    assert find_builtin(tmp_path / "builtin.safetensors") == tmp_path / "builtin.safetensors"
    assert builtin_home(tmp_path / "objects.safetensors") is None
    with pytest.raises(UserError, match="no built-in model"):
        find_builtin(builtin.Path("builtin:../objects"))
