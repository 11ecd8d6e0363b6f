"""A plan counts what a step does, whatever is in it."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssgan.data.base import Outline, Survey
from ssgan.methods.gan import GAN
from ssgan.methods.penalty import WGANGP
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.plan import plan
from ssgan.training.state import fresh_state
from ssgan.training.step import train_step
from tests.training.tiny import METHODS, images, tiny

OUTLINE = Outline(Survey(num_images=1000, short_side=32, grey=False), tuple("abcdefghij"), "9 MB")


@pytest.mark.parametrize("name", METHODS)
def test_operations_are_those_that_torch_counts(name):
    config, dataset, cpu = tiny(name), images(), torch.device("cpu")
    state = fresh_state(config, dataset.num_classes, cpu)
    with FlopCounterMode(display=False) as flops:
        train_step(state, Feed(config, dataset, cpu), Networks(config, state, cpu), config)
    assert plan(config, OUTLINE).gigaflop_per_step == flops.get_total_flops() / 1e9 > 0


def test_a_gradient_penalty_is_counted_with_its_second_derivatives():
    """At least a forward and three backward passes of D on a batch more."""
    bare, with_penalty = (
        plan(tiny("gan", discriminator_updates=1, method=GAN(penalty=penalty)), OUTLINE)
        for penalty in (None, WGANGP())
    )
    assert with_penalty.discriminator_images == bare.discriminator_images + 8
    assert with_penalty.gigaflop_per_step > 1.3 * bare.gigaflop_per_step


def test_counts_of_the_data_are_those_of_the_outline():
    planned = plan(tiny(), OUTLINE)
    assert (planned.data_images, planned.data_bytes) == (1000, 1000 * 32 * 32 * 3)
    assert "9 MB; its counts are those published" in planned.text()
