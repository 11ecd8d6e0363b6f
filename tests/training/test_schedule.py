"""What the step takes from the settings beside losses: the average's start, power iterations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.cli.main import main
from ssgan.config.serialize import dump, load
from ssgan.ops.spectral_norm import spectral_layers
from ssgan.runs.checkpoint import find_state
from ssgan.runs.config import AdamConfig
from ssgan.runs.state import fresh_state
from ssgan.training.loop import train
from ssgan.types import UserError
from tests.cli.test_main import TINY
from tests.training.tiny import images, tiny

LATER = {"ema_start_step": 0, "power_iterations": 1}


def test_a_run_from_before_the_settings_is_read_as_it_was():
    stored = dump(tiny())
    for name in LATER:
        del stored[name]
    assert load(stored) == tiny(**LATER)


def numbers(network):
    """Weights and batch statistics in one row."""
    named = network.state_dict().items()
    return np.concatenate([t.double().numpy().ravel() for k, t in named if "spectral" not in k])


@pytest.mark.parametrize("start", [0, 1, 3, 6, 9])
def test_the_average_is_a_copy_of_g_up_to_its_start_and_an_average_from_there(start):
    """By hand: the half-life is 3 steps, and at most a twentieth of the steps done."""
    config = tiny(precision="float64", ema_start_step=start)
    state = fresh_state(config, 0, torch.device("cpu"))
    average = numbers(state.generator)
    for report in train(config, images(), state):
        now, halflife = numbers(report.state.generator), min(3.0, 0.05 * report.step)
        decay = 0.0 if report.step <= start else 0.5 ** (1 / halflife)
        average = now + decay * (average - now)
        found = numbers(report.state.generator_ema)
        np.testing.assert_allclose(found, average, rtol=1e-12, atol=1e-15)
        assert (found == now).all() == (report.step <= start)


def unsettled(config):
    """A state whose weights have moved away from their singular vectors."""
    state = fresh_state(config, 0, torch.device("cpu"))
    torch.manual_seed(1)
    with torch.no_grad():
        for layer in spectral_layers(state.generator, state.discriminator):
            layer.weight.normal_(std=0.02)
    return state


def iterated(layer, times):
    """u and v after so many power iterations on the layer's weight, in NumPy."""
    matrix = layer.weight.detach().double().flatten(1).numpy()
    u, v = layer.spectral_u.double().numpy(), layer.spectral_v.double().numpy()
    for _ in range(times):
        v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
        u = matrix @ v / np.linalg.norm(matrix @ v)
    return u, v


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_so_many_power_iterations_are_done_before_each_update(count, reuse):
    """D's vectors move before its two updates and before G's; G's own not for re-used fakes."""
    still = AdamConfig(learning_rate=1e-30)
    generator = replace(tiny().generator, spectral=True)
    config = tiny(
        generator=generator, total_steps=1, discriminator_updates=2, generator_optimizer=still,
        discriminator_optimizer=still, power_iterations=count, reuse_fakes=reuse,
    )  # fmt: skip
    before, state = unsettled(config), unsettled(config)
    for _ in train(config, images(), state):
        pass
    for name, updates in (("discriminator", 3), ("generator", 2 if reuse else 3)):
        pairs = zip(
            spectral_layers(getattr(before, name)),
            spectral_layers(getattr(state, name)),
            strict=True,
        )
        more = []
        for old, new in pairs:
            u, v = iterated(old, count * updates)
            np.testing.assert_allclose(new.spectral_u.numpy(), u, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(new.spectral_v.numpy(), v, rtol=1e-4, atol=1e-5)
            more.append(np.abs(iterated(old, count * updates + 1)[0] - u).max())
        assert max(more) > 1e-3  # one iteration more would be seen


def test_both_reach_a_run(tmp_path):
    words = ["train", "scenes:ssgan", "--data", "scenes:num_images=40", *TINY]
    words += ["--evaluate.every", "0", "--ema_halflife_steps", "100"]
    given = {"plain": [], "late": ["--ema_start_step", "2"], "twice": ["--power_iterations", "2"]}
    found = {}
    for name, more in given.items():
        assert main([*words, *more, "--run", str(tmp_path / name)]) == 0
        tensors = find_state(tmp_path / name).checkpoint.tensors
        now, average = (tensors[one]["last.weight"] for one in ("generator", "generator_ema"))
        found[name] = (torch.equal(now, average), tensors["discriminator"])
    assert [same for same, _ in found.values()] == [False, True, False]
    plain, late, twice = (D["blocks.0.conv1.spectral_u"] for _, D in found.values())
    assert torch.equal(plain, late)
    assert not torch.equal(plain, twice)


@pytest.mark.parametrize(
    ("name", "value", "smallest"), [("ema_start_step", -1, 0), ("power_iterations", 0, 1)]
)
def test_numbers_out_of_range_are_refused_by_name(name, value, smallest):
    with pytest.raises(UserError, match=f"^{name} must be at least {smallest}, not {value}"):
        tiny(**{name: value})
