"""A model of the Hub by its name OWNER/NAME, and an exported folder: every verb takes them."""

import json
from pathlib import Path

import pytest
from PIL import Image

import ssgan
from ssgan.cli.main import main
from ssgan.evaluation.inputs import parse_input
from ssgan.runs.hub import Repository, parse_repository
from ssgan.runs.model_file import save_model
from tests.export.small import build_model

NAME = "me/mine@v1"
FEW = ["--data", "objects:num_images=20"]
VERBS = {
    "sample": (["--n", "4"], "generated-seed-0/sheet.png"),
    "export": ([], "export/model.safetensors"),
    "project": (["picture.png", "--out", "found", "--steps", "1", "--starts", "1"], None),
    "features": ([*FEW, "--out", "f.npy"], None),
    "evaluate": (["--against", "objects:num_images=20", "--n", "20", "--metrics", "pr"], None),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The file of a model, as it lies in the cache of the Hub's library."""
    folder = tmp_path_factory.mktemp("hf") / "models--me--mine" / "snapshots" / ("ab" * 20)
    folder.mkdir(parents=True)
    save_model(folder / "model.safetensors", build_model())
    return folder / "model.safetensors"


@pytest.fixture
def asked(stored, tmp_path, monkeypatch):
    """The repositories that were downloaded."""
    found = []
    monkeypatch.setenv("SSGAN_CACHE", str(stored.parents[3] / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "ssgan.runs.model_file.download_model", lambda one: (found.append(one), stored)[1]
    )
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_takes_a_repository_and_writes_where_its_user_is(verb, asked, stored, tmp_path):
    words, written = VERBS[verb]
    Image.new("RGB", (40, 32)).save(tmp_path / "picture.png")
    device = [] if verb == "export" else ["--device", "cpu"]
    assert main([verb, NAME, *words, *device]) == 0
    assert set(asked) == {Repository("me/mine", "v1")}
    assert written is None or (tmp_path / "hub-me-mine" / written).exists()
    assert list(stored.parent.iterdir()) == [stored]


def test_a_run_begins_with_it_and_remembers_its_name(asked, tmp_path):
    words = ["--run", "run", "--total_steps", "1", "--evaluate.every", "0", "--batch_size", "4"]
    quiet = ["--output.sample_every", "0", "--method.rotated_fraction", "0.5", "--no-report"]
    assert main(["train", "--init", NAME, *FEW, *words, *quiet, "--device", "cpu"]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["init"]["model"] == NAME


def test_a_folder_of_an_export_is_its_model(asked, tmp_path, capsys):
    """It holds config.json, like a run, and a picture, like a set of images."""
    main(["export", NAME, "--out", "given"])
    (tmp_path / "given" / "config.json").write_text("{}")
    assert main(["sample", "given", "--n", "1", "--device", "cpu"]) == 0
    assert parse_input("given").checkpoint.step == ssgan.load("given").step
    capsys.readouterr()
    assert main(["sample", "given", "--best"]) == 2
    assert capsys.readouterr().err == (
        "ssgan: given holds one state; only a run directory has a best one\n"
    )


@pytest.mark.parametrize("name", ["mine.safetensors", "runs/demo/checkpoints/step-00000003.ckpt"])
def test_a_file_of_a_model_that_is_not_there_is_no_folder_of_images(name, capsys):
    assert main(["evaluate", name, "--against", "objects"]) == 2
    assert f"{name} is not there; give a run directory or a " in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["runs/demo", "models/mine.safetensors", "photos/june.zip", "runs/demo@v1"]
)
def test_what_looks_like_a_path_is_never_asked_for(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_repository(Path(text)) is None
    assert parse_repository(f"hub:{text}") is not None


def test_images_of_the_hub_stay_images(asked):
    assert parse_input("hub:me/mine").name() == "hub:me/mine"
    assert asked == []
