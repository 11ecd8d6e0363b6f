"""The distribution of the latents is one setting, and reaches every place that draws them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.cli.images import sample
from ssgan.cli.main import main
from ssgan.config.serialize import dump, load
from ssgan.evaluation.image_sets import GeneratedImages
from ssgan.models.resnet import ResNetGenerator
from ssgan.ops.rng import Key, philox
from ssgan.runs.checkpoint import find_state
from ssgan.runs.sampling import (
    interpolate,
    load_generator,
    refresh_batch_statistics,
    sample_latents,
)
from ssgan.training import evaluator, logger
from ssgan.training.feed import Feed
from ssgan.training.run import run
from tests.cli.test_main import TINY
from tests.training.tiny import evaluating, images, tiny

CPU, KEY = torch.device("cpu"), Key(3, "test", 7)
NORMAL = ResNetGenerator(latent_size=6, width=1 / 64)
UNIFORM = replace(NORMAL, latents="uniform")


def test_uniform_latents_are_philox_s_bits_on_minus_one_to_one():
    """From the words of the counter, in NumPy: 2 (w >> 8) / 2^24 - 1."""
    index = torch.tensor([5, 0, 9])
    for row, place in zip(UNIFORM.sample_latents(KEY, index).numpy(), index.tolist(), strict=True):
        lanes = [philox(KEY, torch.tensor([place]), torch.tensor([lane])) for lane in (0, 1)]
        words = np.array([int(word) for lane in lanes for word in lane], np.float64)[:6]
        np.testing.assert_array_equal(row, 2 * np.floor(words / 256) / 2**24 - 1)


def test_uniform_latents_fill_their_range_and_normal_ones_go_beyond():
    wide = [
        replace(spec, latent_size=50).sample_latents(KEY, torch.arange(2000))
        for spec in (UNIFORM, NORMAL)
    ]
    uniform, normal = (numbers.double() for numbers in wide)
    assert -1 <= uniform.min() < -0.999
    assert 0.999 < uniform.max() < 1
    assert abs(uniform.mean()) < 0.01
    assert uniform.var().item() == pytest.approx(1 / 3, abs=0.005)
    assert normal.var().item() == pytest.approx(1, abs=0.02)


def test_a_run_from_before_the_setting_has_normal_latents():
    stored = dump(tiny())
    del stored["generator"]["latents"]
    assert load(stored) == tiny()
    assert load(stored).generator.latents == "normal"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same command with each distribution."""
    roots = {}
    for name in ("normal", "uniform"):
        roots[name] = tmp_path_factory.mktemp("runs") / name
        words = ["train", "scenes:ssgan", "--data", "scenes:num_images=40", *TINY]
        words += [
            "--evaluate.every",
            "2",
            "--evaluate.num_images_d",
            "8",
            "--generator.latents",
            name,
        ]
        assert main([*words, "--run", str(roots[name])]) == 0
    return roots


def test_it_is_stored_and_decides_what_is_learnt(runs):
    logs = []
    for name, root in runs.items():
        assert json.loads((root / "config.json").read_text())["generator"]["latents"] == name
        lines = (root / "log.jsonl").read_text().splitlines()
        logs.append([json.loads(line)["G/adversarial"] for line in lines])
    assert logs[0] != logs[1]


@pytest.mark.parametrize("spec", [NORMAL, UNIFORM], ids=["normal", "uniform"])
def test_both_networks_are_trained_on_it(spec):
    feed, index = Feed(tiny(generator=spec), images(), CPU), torch.arange(8)
    for_d, for_g = next(feed.discriminator(4, 0))[1], next(feed.generator(4))
    for draw, name in ((for_d, "D"), (for_g, "G")):
        assert torch.equal(
            draw.latents, spec.sample_latents(Key(0, f"latents for {name}", 4), index)
        )


def seen_by(generator):
    """What the generator is given from now on."""
    seen = []
    generator.register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    return seen


@pytest.mark.parametrize("name", ["normal", "uniform"])
def test_whatever_makes_images_of_a_stored_run_draws_its_own(name, runs, monkeypatch, tmp_path):
    """Evaluation, new batch statistics, `ssgan sample`: what reaches G has that range."""
    saved = find_state(runs[name]).checkpoint
    side = GeneratedImages("run", saved, CPU)
    seen = {"evaluate": seen_by(side._generator)}
    side.images(0, torch.arange(64))

    generator = load_generator(saved, CPU)
    seen["refresh"] = seen_by(generator)
    refresh_batch_statistics(generator, saved, 64)

    made = load_generator(saved, CPU)
    seen["sample"] = seen_by(made)
    monkeypatch.setattr(sample, "load_generator", lambda *_: made)
    assert main(["sample", str(runs[name]), "--n", "9", "--out", str(tmp_path)]) == 0
    for place, given in seen.items():
        numbers = torch.cat(given)
        assert (numbers.abs().max() <= 1) == (name == "uniform"), place
        assert numbers.abs().max() > 0.99, place


def test_scores_and_sheets_of_a_run_are_of_its_own(monkeypatch, tmp_path):
    drawn = {}

    def noted(spec, seed, purpose, count):
        drawn[purpose] = sample_latents(spec, seed, purpose, count)
        return drawn[purpose]

    for module in (evaluator, logger):
        monkeypatch.setattr(module, "sample_latents", noted)
    config = evaluating(tiny(generator=UNIFORM, total_steps=1), every=1)
    for _ in run(config, tmp_path, images()):
        pass
    assert drawn.keys() == {"score", "samples"}
    for purpose, latents in drawn.items():
        key = Key(config.seed, purpose)
        assert torch.equal(latents, UNIFORM.sample_latents(key, torch.arange(len(latents))))


def test_a_walk_is_straight_between_uniform_latents_and_round_between_normal_ones():
    latents = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    straight = interpolate(UNIFORM, latents, 4)
    expected = [[1 - t / 4, t / 4] for t in range(4)]
    torch.testing.assert_close(straight, torch.tensor(expected))
    round_ = interpolate(NORMAL, latents, 4)
    angles = np.arange(4) / 4 * np.pi / 2
    expected = np.stack([np.cos(angles), np.sin(angles)], 1)
    np.testing.assert_allclose(round_.numpy(), expected, atol=1e-6)


def test_a_walk_between_latents_of_one_number_is_straight():
    """There is no circle between them: its points were not numbers, or far away."""
    one = replace(NORMAL, latent_size=1)
    walk = interpolate(one, torch.tensor([[0.5], [0.2], [-1.0]]), 2)
    torch.testing.assert_close(walk, torch.tensor([[0.5], [0.35], [0.2], [-0.4]]))
