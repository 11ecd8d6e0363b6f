"""A run passes one gate: it opens its source, checks, builds and resolves once each."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ssgan
from ssgan.cli.main import main
from ssgan.data.folder import Folder
from ssgan.files.run_directory import RunDirectory
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator
from ssgan.recipes.auto import fit_recipe
from ssgan.runs import checkpoint
from ssgan.runs.config_io import load_config
from ssgan.training import loop, resume, run, validation
from ssgan.types import UserError
from tests.training.tiny import digest_of, tiny

pytestmark = pytest.mark.slow

SMALL = {"total_steps": 1, "batch_size": 4, "precision": "auto", "device": "cpu"}


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for number in range(8):
        pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def calls(monkeypatch):
    """How often each of these is called."""
    counts = Counter()

    def count(owner, name, label):
        original = getattr(owner, name)

        def counted(*arguments, **options):
            counts[label] += torch.get_default_device().type != "meta"  # there it is only measured
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    count(Folder, "open", "source opened")
    count(validation, "check_labels", "settings checked")
    count(ResNetGenerator, "build", "G built")
    for discriminator in (ResNetDiscriminator, SNDCGANDiscriminator):
        count(discriminator, "build", "D built")
    count(resume, "resolve_precision", "precision resolved")
    count(loop, "resolve_precision", "precision resolved")
    count(run, "accept_directory", "directory accepted")
    return counts


ONCE = {
    "source opened": 1,
    "directory accepted": 1,
    "precision resolved": 1,
    "settings checked": 1,
    "G built": 1,
    "D built": 1,
}


def command(pictures, directory, steps=1):
    words = f"train --data folder:{pictures} --run {directory} --total_steps {steps} --batch_size 4"
    cache = ["--cache", str(directory.parent / "cache")]
    return [*words.split(), "--device", "cpu", "--no-report", *cache]  # which reads a finished run


def digest(directory: Path) -> str:
    saved, _ = checkpoint.load_newest(RunDirectory(directory))
    assert saved.step == 1
    return digest_of(saved)


def test_the_command_does_everything_once(pictures, tmp_path, calls):
    assert main(command(pictures, tmp_path / "run")) == 0
    assert calls == ONCE


def test_python_does_everything_once(pictures, tmp_path, calls):
    data = tiny().data
    config = tiny(**SMALL, data=type(data)(source=Folder(str(pictures)), image_size=32))
    (report,) = ssgan.run(config, tmp_path / "run", cache=tmp_path / "cache")
    assert report.step == 1
    assert calls == ONCE


def test_a_continued_run_does_everything_once(pictures, tmp_path, calls):
    main(command(pictures, tmp_path / "run"))
    calls.clear()
    assert main(command(pictures, tmp_path / "run", steps=2)) == 0
    assert "precision resolved" not in calls  # the run has one already
    assert calls == {name: 1 for name in ONCE if name != "precision resolved"}


def test_the_command_and_python_end_in_the_same_state(pictures, tmp_path):
    assert main(command(pictures, tmp_path / "command")) == 0
    config = load_config(json.loads(RunDirectory(tmp_path / "command").config.read_text()))
    for _ in ssgan.run(config, tmp_path / "python", cache=tmp_path / "cache"):
        pass
    assert digest(tmp_path / "python") == digest(tmp_path / "command")


def test_python_refuses_what_the_command_refuses(pictures, tmp_path):
    """Another run's directory, before anything is decoded or written."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    config, _ = fit_recipe(Folder(str(pictures)))
    with pytest.raises(UserError, match="holds other files and no run"):
        next(ssgan.run(config, tmp_path / "run", cache=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
