"""A loaded model samples as `ssgan sample` does, and refuses what it cannot use in one line."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

import ssgan
from ssgan.cli.main import main
from ssgan.runs.model_file import save_model
from ssgan.types import UserError
from tests.evaluation.saved import save_run
from tests.export.small import CLASSES, build_model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def model(run):
    return ssgan.load(run)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    save_model(path, build_model("conditional"))
    return ssgan.load(path)


def test_samples_are_those_of_the_command(run, model, tmp_path):
    npz = tmp_path / "images.npz"
    words = ["--n", "5", "--seed", "3", "--device", "cpu", "--npz", str(npz)]
    assert main(["sample", str(run), "--out", str(tmp_path / "out"), *words]) == 0
    assert (model.sample(5, seed=3) == np.load(npz)["arr_0"]).all()


def test_image_i_depends_on_the_seed_and_i_alone(model, conditional):
    for one in (model, conditional):
        many = one.sample(70, seed=1, truncation=0.9)
        assert many.shape == (70, 32, 32, 3)
        assert many.dtype == np.uint8
        assert (one.sample(3, seed=1, truncation=0.9) == many[:3]).all()
        assert (one.sample(3, seed=2, truncation=0.9) != many[:3]).any()


def test_truncation_moves_samples_towards_each_other(model):
    spread = [model.sample(64, truncation=t).std(axis=0).mean() for t in (None, 1.0, 0.2)]
    assert spread[0] > spread[1] > spread[2]


def test_generated_images_are_floats_of_which_samples_are_the_pixels(model):
    latents = torch.randn(3, 8)
    images = model.generate(latents)
    assert images.shape == (3, 3, 32, 32)
    assert images.abs().max() <= 1
    pixels = ((images + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert (model.logits(pixels).real - model.logits(images).real).abs().max() < 0.1
    assert not images.requires_grad


def test_classes_are_chosen_by_name_or_number(conditional):
    assert conditional.classes == CLASSES
    named = conditional.sample(3, label="c")
    assert (named == conditional.sample(3, label=2)).all()
    assert (named == conditional.sample(3, label=["c", 2, "c"])).all()
    every = conditional.sample(3)
    assert (every[2] == named[2]).all()  # without a label class i % 5
    assert (every[1] != named[1]).any()
    labels = torch.tensor([4, 0])
    both = conditional.generate(torch.randn(2, 8), labels)
    assert conditional.logits(both, labels).real.shape == (2,)


def test_d_gives_logits_features_and_the_maps_of_its_blocks(model):
    pixels = model.sample(2)
    scores = model.logits(pixels)
    assert scores.real.shape == (2,)
    assert scores.auxiliary.shape == (2, 4)
    maps = model.features(pixels)
    assert [one.shape[2] for one in maps] == [16, 8, 8, 8]
    pooled = torch.relu(maps[-1]).mean(dim=(2, 3))
    assert torch.allclose(pooled, scores.features)


def test_a_saved_model_is_the_same(model, tmp_path):
    model.save(tmp_path / "copy.safetensors")
    copy = ssgan.load(str(tmp_path / "copy.safetensors"))
    assert (copy.sample(4) == model.sample(4)).all()
    assert copy.step == 3
    assert copy.config.generator == model.config.generator


def test_it_is_frozen_and_another_device_gives_another_model(model):
    with pytest.raises(FrozenInstanceError):
        model.generator = None
    moved = model.to("cpu")
    assert moved is not model
    assert moved.generator is not model.generator
    assert (moved.sample(2) == model.sample(2)).all()
    for network in (model.generator, model.discriminator):
        assert not network.training
        assert not any(weight.requires_grad for weight in network.parameters())


def test_a_grey_model_has_one_channel_everywhere(tmp_path):
    save_model(tmp_path / "grey.safetensors", build_model("grey"))
    grey = ssgan.load(tmp_path / "grey.safetensors")
    pixels = grey.sample(2)
    assert pixels.shape == (2, 32, 32, 1)
    assert grey.logits(pixels).real.shape == (2,)


WRONG = {
    "truncation must be": lambda model: model.sample(1, truncation=0.0),
    "truncation must be a finite": lambda model: model.sample(1, truncation=float("nan")),
    "n must be at least 1": lambda model: model.sample(0),
    "has no classes": lambda model: model.sample(1, label=0),
    "latents must be": lambda model: model.generate(torch.randn(2, 9)),
    "images must be float": lambda model: model.features(torch.randn(2, 3, 16, 16)),
    "not uint8 .2, 3, 32, 32": lambda model: model.logits(torch.zeros(2, 3, 32, 32).byte()),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_arguments_are_one_line(words, model):
    with pytest.raises(UserError, match=words) as caught:
        WRONG[words](model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "use"),
    [
        ("no class 'cc'", lambda model: model.sample(1, label="cc")),
        ("no class 5; the classes are 0 to 4", lambda model: model.sample(1, label=5)),
        ("no class -1", lambda model: model.sample(1, label=-1)),
        ("3 images need 3 labels, not 2", lambda model: model.sample(3, label=[0, 1])),
        ("reads labels", lambda model: model.logits(model.sample(1))),
    ],
)
def test_wrong_classes_are_one_line(words, use, conditional):
    with pytest.raises(UserError, match=words):
        use(conditional)


def test_the_best_state_has_no_d(run):
    best = ssgan.load(run, best=True)
    assert best.sample(1).shape == (1, 32, 32, 3)
    with pytest.raises(UserError, match="holds no discriminator"):
        best.features(best.sample(1))


@pytest.mark.parametrize("source", ["runs/demmo", "demo", "runs/demo/deep", "demo.safetensors"])
def test_a_path_that_is_not_there_is_no_repository(source, tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ssgan.runs.model_file.download_model", lambda repository: 1 / 0)
    with pytest.raises(UserError, match=r"is not there|No such file"):
        ssgan.load(source)


def test_loading_runs_no_training_code_and_importing_loads_no_torch(run):
    code = (
        "import json, sys, ssgan; early = 'torch' in sys.modules; "
        f"model = ssgan.load({str(run)!r}); model.sample(1); "
        "others = ('training', 'cli', 'recipes', 'studies', 'evaluation'); "
        "print(json.dumps([early, [n for n in sys.modules if n.split('.')[0] == 'ssgan' "
        "and n.split('.')[1:2] and n.split('.')[1] in others]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, []]
