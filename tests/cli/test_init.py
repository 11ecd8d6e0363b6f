"""`ssgan train --init`, `ssgan import`, and what is done with the files that they read."""

import json
import os

import numpy as np
import pytest
import torch

from ssgan.cli.config_args import read_config
from ssgan.cli.main import main
from ssgan.cli.options import Train
from ssgan.cli.parser import parse
from ssgan.runs import checkpoint
from ssgan.runs.model_file import find_model, load_model, save_model
from tests.data.pictures import noise
from tests.runs.test_import_compare_gan import reference
from tests.runs.test_import_compare_gan import write as write_npz
from tests.runs.test_import_mimicry import LAYOUTS, Evil, NetD, NetG, enliven, write
from tests.training.tiny import images, stop_after, tiny

QUIET = ["--evaluate.every", "0", "--output.tensorboard", "false"]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A run after three steps, its model's file, and eight pictures of two classes."""
    root = tmp_path_factory.mktemp("init")
    stop_after(tiny(), root / "model", images(), 3)
    save_model(root / "model.safetensors", find_model(root / "model").model)
    for number in range(8):
        folder = root / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        noise(number, 32, 32).save(folder / f"{number}.png")
    return root


def train(root, *words, init="model", data="photos"):
    return [
        *("train", "--init", str(root / init), "--data", str(root / data), *QUIET),
        *("--batch_size", "4", "--method.rotated_fraction", "0.5", "--total_steps", "2"),
        *("--cache", str(root / "cache"), "--device", "cpu", *words),
    ]


def one_line(capsys, words, said):
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert said in captured.err


@pytest.mark.parametrize("init", ["model", "model.safetensors"])
def test_settings_and_weights_are_the_models_and_images_are_others(init, places, tmp_path, capsys):
    words = train(places, "--run", str(tmp_path / "run"), init=init)
    assert main(words) == 0
    captured = capsys.readouterr()
    assert f"{places / init}: its settings, and its weights after step 3\n" in captured.out
    saved = checkpoint.find_state(tmp_path / "run").checkpoint
    assert saved.config.generator == tiny().generator
    assert saved.config.total_steps == 2
    assert saved.config.ema_halflife_steps == tiny().ema_halflife_steps
    assert saved.config.data.source.path.endswith("photos")
    assert main(words) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["show", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    digest = saved.config.init.sha256[:12]
    assert f"begun from   {places / init}, sha256 {digest}\n" in shown


def test_the_device_and_the_precision_are_chosen_again(places):
    """The model's run was on a CPU, in float32."""
    words = ["--init", str(places / "model"), "--data", str(places / "photos")]
    config = read_config(parse("train", Train, words)).config
    assert (config.device, config.precision) == ("auto", "auto")
    assert config.batch_size == tiny().batch_size


def test_a_run_continues_by_its_directory_without_the_model(places, tmp_path, capsys):
    words = train(places, "--run", str(tmp_path / "run"), init="model.safetensors")
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((places / "model.safetensors").read_bytes())
    words[2] = str(copy)
    assert main(words) == 0
    copy.unlink()
    assert main(["train", str(tmp_path / "run"), "--total_steps", "3"]) == 0
    assert "continuing from step 2" in capsys.readouterr().err
    one_line(capsys, words, f"{copy}")


def test_the_default_directory_is_named_by_the_weights(places, tmp_path, capsys, monkeypatch):
    """The run and its file are one; another step of it is another run."""
    monkeypatch.chdir(tmp_path)
    for init in ("model", "model.safetensors"):
        assert main(train(places, init=init)) == 0
    assert len(os.listdir("runs")) == 1
    stop_after(tiny(seed=1), tmp_path / "other", images(), 3)
    assert main(train(places, init=tmp_path / "other")) == 0
    assert len(os.listdir("runs")) == 2


def test_a_dry_run_says_what_trains_and_writes_nothing(places, tmp_path, capsys):
    words = ("--run", str(tmp_path / "run"), "--dry-run", "--freeze_discriminator_blocks", "3")
    assert main(train(places, *words)) == 0
    assert "% train\n" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    one_line(
        capsys, train(places, *words, "--generator.width", "0.5"), "generator.width is 0.5 here"
    )
    one_line(
        capsys, [*train(places, *words)[:-1], "9"], "blocks 9 is more than the 4 blocks of ResNet"
    )


def test_a_recipe_keeps_its_settings_and_must_have_the_networks(places, tmp_path, capsys):
    words = ["train", "scenes:demo", "--init", str(places / "model"), "--run", str(tmp_path / "r")]
    one_line(capsys, words, "a run keeps the networks of its initial model: generator.")
    words = ["train", str(places / "model"), "--init", str(places / "model")]
    one_line(capsys, words, "is a run and continues with its own weights")
    one_line(capsys, ["train", "--init", str(places / "model")], "needs a recipe or --data SOURCE")


def test_wrong_files_are_refused_in_one_line(places, tmp_path, capsys):
    (tmp_path / "text.safetensors").write_text("no model")
    (tmp_path / "some.pth").write_bytes(b"\x80")
    for init in ("text.safetensors", "some.pth", "nothing.safetensors", "no/such/place"):
        one_line(capsys, train(places, init=tmp_path / init), str(tmp_path / init))
    one_line(capsys, train(places, init=places / "photos"), "photos")


@pytest.mark.slow
def test_an_imported_model_is_sampled_evaluated_exported_and_begun_with(places, tmp_path, capsys):
    netg = write(enliven(NetG(32)), tmp_path / "netG.pth")
    netd = write(enliven(NetD(32, LAYOUTS["own"])), tmp_path / "netD.pth")
    out = tmp_path / "m.safetensors"
    words = ["import", str(netg), "--discriminator", str(netd), "--out", str(out)]
    assert main(words) == 0
    assert "SNGANGenerator, SNGANDiscriminator, 32 x 32, 3 channels\n" in capsys.readouterr().out
    first = out.read_bytes()
    assert main(words) == 0  # the same again replaces its own file
    assert out.read_bytes() == first
    assert main(["sample", str(out), "--n", "3", "--out", str(tmp_path / "s")]) == 0
    assert len(list((tmp_path / "s" / "images").iterdir())) == 3
    photos = str(places / "photos")
    measured = ["evaluate", str(out), "--against", photos, "--features", "random", "--n", "20"]
    assert main([*measured, "--metrics", "fd", "--cache", str(places / "cache")]) == 0
    assert main(["export", str(out), "--to", "safetensors", "--out", str(tmp_path / "e")]) == 0
    assert main(train(places, "--run", str(tmp_path / "run"), init=out)) == 0
    begun = checkpoint.load_checkpoint(tmp_path / "run" / "checkpoints" / "step-00000000.ckpt")
    stored = load_model(out).tensors
    for part in ("generator_ema", "discriminator"):
        assert all(torch.equal(v, begun.tensors[part][k]) for k, v in stored[part].items())


@pytest.mark.slow
def test_variables_of_compare_gan_are_imported_beside_their_file(tmp_path, capsys):
    v, *_ = reference("cifar")
    path = write_npz(tmp_path / "v.npz", v.values)
    assert main(["import", str(path)]) == 0
    assert "ResNetGenerator, ResNetDiscriminator, 32 x 32" in capsys.readouterr().out
    assert load_model(tmp_path / "v.safetensors").step == 0


def test_imports_that_cannot_be_are_refused_in_one_line(places, tmp_path, capsys):
    evil = tmp_path / "evil.pth"
    torch.save({"l1.weight": Evil()}, evil)
    one_line(capsys, ["import", str(evil)], "names code")
    assert not os.path.exists("/tmp/ssgan-was-here")
    good = write(NetG(32), tmp_path / "good.pth")
    other = tmp_path / "notes.safetensors"
    other.write_text("mine")
    one_line(capsys, ["import", str(good), "--out", str(other)], "would replace another file")
    assert other.read_text() == "mine"
    one_line(
        capsys, ["import", str(good), "--out", str(tmp_path / "x")], "must end in .safetensors"
    )
    nowhere = str(tmp_path / "no" / "x.safetensors")
    one_line(capsys, ["import", str(good), "--out", nowhere], str(tmp_path / "no"))
    np.savez(tmp_path / "a.npz", x=np.ones(3))
    one_line(capsys, ["import", str(tmp_path / "a.npz")], "holds no generator of compare_gan")
    words = ["import", str(tmp_path / "a.npz"), "--discriminator", str(good)]
    one_line(capsys, words, "an .npz file has both networks")
    one_line(capsys, ["import", str(tmp_path / "none.pth")], "is not there")
    one_line(capsys, ["import", str(tmp_path / "none.npz")], "none.npz")


def test_a_stored_config_has_the_initial_model(places, tmp_path):
    assert main(train(places, "--run", str(tmp_path / "run"))) == 0
    stored = json.loads((tmp_path / "run" / "config.json").read_text())["init"]
    assert stored["model"] == str(places / "model")
    assert len(stored["sha256"]) == 64
