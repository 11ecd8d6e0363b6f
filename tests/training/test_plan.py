"""A plan counts what a step does, whatever is in it."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssgan.data.base import DatasetInfo, HeaderStats
from ssgan.methods.gan import GAN
from ssgan.methods.penalty import WGANGP
from ssgan.runs.state import fresh_state
from ssgan.training.cost import estimate_cost
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.step import train_step
from tests.training.tiny import METHODS, images, tiny

pytestmark = pytest.mark.slow

OUTLINE = DatasetInfo(
    HeaderStats(num_images=1000, short_side=32, grey=False), tuple("abcdefghij"), "9 MB"
)


@pytest.mark.parametrize("name", METHODS)
def test_operations_are_those_that_torch_counts(name):
    config, dataset, cpu = tiny(name), images(), torch.device("cpu")
    state = fresh_state(config, dataset.num_classes, cpu)
    with FlopCounterMode(display=False) as flops:
        train_step(state, Feed(config, dataset, cpu), Networks(config, state, cpu), config)
    assert estimate_cost(config, OUTLINE).gigaflop_per_step == flops.get_total_flops() / 1e9 > 0


@pytest.mark.parametrize(("name", "accumulation"), [(n, 1) for n in METHODS] + [("ssgan", 2)])
def test_a_long_step_is_told_from_shorter_ones(name, accumulation, monkeypatch):
    """Operations and D's images are those of the whole batch, of which no step was taken."""
    config = tiny(name, batch_size=32, accumulation=accumulation)
    whole = estimate_cost(config, OUTLINE)
    taken = []
    monkeypatch.setattr("ssgan.training.cost._LONG", 0.0)
    monkeypatch.setattr(
        "ssgan.training.cost.train_step",
        lambda state, feed, networks, config: (
            taken.append(config.batch_size) or train_step(state, feed, networks, config)
        ),
    )
    told = estimate_cost(config, OUTLINE)
    assert set(taken) == {4 * accumulation, 8 * accumulation}
    assert told.gigaflop_per_step == whole.gigaflop_per_step
    assert told.discriminator_images == whole.discriminator_images
    assert f"extrapolated from batch sizes {4 * accumulation} and {8 * accumulation}" in told.text()
    assert whole.timed_on == ""


def test_a_gradient_penalty_is_counted_with_its_second_derivatives():
    """At least a forward and three backward passes of D on a batch more."""
    bare, with_penalty = (
        estimate_cost(tiny("gan", discriminator_updates=1, method=GAN(penalty=penalty)), OUTLINE)
        for penalty in (None, WGANGP())
    )
    assert with_penalty.discriminator_images == bare.discriminator_images + 8
    assert with_penalty.gigaflop_per_step > 1.3 * bare.gigaflop_per_step


def test_counts_of_the_data_are_those_of_the_outline():
    planned = estimate_cost(tiny(), OUTLINE)
    assert (planned.data_images, planned.data_bytes) == (1000, 1000 * 32 * 32 * 3)
    assert "9 MB; with its published number of images" in planned.text()
