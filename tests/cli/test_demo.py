"""`ssgan demo`: one command that trains, says what came out and, on request, compares."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.cli import demo
from ssgan.cli.main import main
from ssgan.data.scenes.source import Objects
from ssgan.evaluation.image_sets import GeneratedImages
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.nameable import ObjectClassifier, measure_nameable
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.recipes import objects
from ssgan.runs.checkpoint import find_state
from ssgan.runs.config import OutputConfig
from tests.plots.test_side_by_side import find

pytestmark = pytest.mark.slow

STEPS, INTERRUPTED = 3, 130
CHOOSE_STEPS = demo._choose_steps


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch):
    """The demonstration with small networks, three steps and no weights of other packages."""
    config = objects.demo()
    config = replace(
        config,
        data=replace(config.data, source=Objects(num_images=70)),
        generator=ResNetGenerator(width=0.03),
        discriminator=ResNetDiscriminator(width=0.06),
        total_steps=STEPS,
        batch_size=8,
        output=OutputConfig(log_every=1, checkpoint_every=1, tensorboard=False),
        evaluate=replace(config.evaluate, every=0),
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(objects, "demo", lambda: config)
    monkeypatch.setattr(demo, "has_efficientnet_lite0", lambda: False)
    monkeypatch.setattr(demo, "_choose_steps", lambda config, rival: STEPS + 2)
    return config


def steps_of(directory):
    lines = RunDirectory(Path(directory)).log.read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def test_it_says_how_many_samples_are_nameable(tmp_path, capsys):
    assert main(["demo", "--run", "d"]) == 0
    printed = capsys.readouterr().out
    said = re.search(
        r"\nnameable: ([\d.]+)% of 1,000 samples show one of the ten kinds \(confidence above 0.9; "
        r"real images (\d+)%\); kinds: ([\d.]+) of 10\n",
        printed,
    )
    samples = GeneratedImages("d", find_state(tmp_path / "d").checkpoint, torch.device("cpu"))
    found = measure_nameable(ObjectClassifier.load()(samples.images(0, torch.arange(1000))))
    assert float(said[1]) == pytest.approx(100 * found.share, abs=0.5)
    assert float(said[2]) > 80
    assert "what to try next" in printed[said.end() :]
    assert not (tmp_path / "d-gan").exists()


def test_the_gan_is_trained_beside_it_and_both_are_drawn(tmp_path, capsys):
    assert main(["demo", "--run", "d", "--compare"]) == 0
    printed = capsys.readouterr().out
    assert steps_of("d") == list(range(1, STEPS + 1))
    assert steps_of("d-gan") == list(range(1, STEPS + 3))
    configs = [find_state(tmp_path / name).checkpoint.config for name in ("d", "d-gan")]
    assert [type(config.method).__name__ for config in configs] == ["SSGAN", "GAN"]
    same = replace(configs[1], method=configs[0].method, total_steps=STEPS)
    assert same == configs[0]
    for name, steps in (("SS-GAN", STEPS), ("GAN", STEPS + 2)):
        numbers = r"FD-random [\d.e+]+ \(2,000 samples\); nameable [\d.]+%, kinds [\d.]+ of 10\n"
        assert re.search(rf"\n{name}: {steps} steps in \d+ seconds; {numbers}", printed)
    assert "side by side: d-compare.png\n" in printed
    with Image.open("d-compare.png") as picture:
        page = np.asarray(picture.convert("RGB"))
    samples = GeneratedImages("d", find_state(tmp_path / "d").checkpoint, torch.device("cpu"))
    image = samples.images(0, torch.arange(1))[0].permute(1, 2, 0).numpy()
    assert find(page, image.repeat(3, axis=0).repeat(3, axis=1))


def test_finished_runs_are_not_trained_again(capsys, monkeypatch):
    assert main(["demo", "--run", "d", "--compare"]) == 0
    with open("d-compare.png", "rb") as file:
        before = file.read()
    monkeypatch.setattr(demo, "_choose_steps", lambda config, rival: 99)  # not timed again
    capsys.readouterr()
    assert main(["demo", "--run", "d", "--compare"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("nothing to do") == 2
    with open("d-compare.png", "rb") as file:
        assert file.read() == before


def test_an_interrupted_comparison_continues(tmp_path, monkeypatch, capsys):
    train_in, calls = demo.train_in, []

    def interrupted(config, directory, **options):
        calls.append(directory.name)
        if len(calls) == 2:  # as if a signal came in the GAN's second step
            train_in(replace(config, total_steps=2), directory, **options)
            return INTERRUPTED
        return train_in(config, directory, **options)

    monkeypatch.setattr(demo, "train_in", interrupted)
    assert main(["demo", "--run", "d", "--compare"]) == INTERRUPTED
    assert not (tmp_path / "d-compare.png").exists()
    config = RunDirectory(tmp_path / "d-gan").config
    config.write_text(config.read_text().replace('"total_steps": 2', '"total_steps": 5'))
    assert main(["demo", "--run", "d", "--compare"]) == 0
    assert calls == ["d", "d-gan"] * 2
    assert steps_of("d-gan") == [1, 2, 3, 4, 5]
    assert (tmp_path / "d-compare.png").exists()


def test_the_picture_of_somebody_else_is_not_replaced(tmp_path, capsys):
    Image.new("RGB", (4, 4)).save("d-compare.png")
    assert main(["demo", "--run", "d", "--compare"]) == 2
    assert "d-compare.png is not output of ssgan" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_another_run_beside_it_is_refused_before_anything_is_trained(tmp_path, capsys):
    assert main(["demo", "--run", "d-gan"]) == 0
    capsys.readouterr()
    assert main(["demo", "--run", "d", "--compare"]) == 2
    error = capsys.readouterr().err
    assert "d-gan holds a run with other settings: method: SSGAN before, GAN now" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(("seconds", "expected"), [((3.0, 2.0), 150), ((2.1, 2.0), 100)])
def test_the_gan_gets_the_steps_that_fill_the_same_time(seconds, expected, tiny, monkeypatch):
    """A clock that moves with the steps alone; the first steps are slow, and alike."""
    clock = [0.0]

    def train(config, dataset):
        own = seconds[type(config.method).__name__ == "GAN"]
        for step in range(config.total_steps):
            clock[0] += own if step >= 4 else 50
            yield step

    monkeypatch.setattr(demo, "train", train)
    monkeypatch.setattr(demo, "prepare", lambda *_: None)
    monkeypatch.setattr(demo.time, "perf_counter", lambda: clock[0])
    config = replace(tiny, total_steps=100)
    rival = replace(config, method=objects.gan().method)
    assert CHOOSE_STEPS(config, rival) == expected


@pytest.mark.parametrize("name", [".", "a/..", "d/"])
def test_the_places_beside_a_run_follow_its_name(name, tmp_path, monkeypatch):
    (tmp_path / "d" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path if name == "d/" else tmp_path / "d")
    found = demo._beside(Path(name), "-gan")
    assert found.resolve() == tmp_path / "d-gan"


@pytest.mark.parametrize(
    ("steps", "seconds", "expected"),
    [
        ((9, 9), (50, 51), "Same recipe, data and seed, and as many steps."),
        ((9, 12), (50, 52), "timed in turns."),
        ((9, 12), (50, 65), "The seconds differ, as the machine was not equally busy."),
    ],
)
def test_the_picture_says_what_as_long_means(steps, seconds, expected):
    class Run:
        def __init__(self, number):
            self.config = replace(objects.demo(), total_steps=steps[number])
            self.seconds, self.real = seconds[number], None

        def classify(self, images):
            return {"nameable": 0.95}

    caption = demo._caption(Run(0), Run(1))
    assert caption.endswith(expected)
    assert "above 0.9 (real images 95%)" in caption
