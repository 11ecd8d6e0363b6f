"""Maps stay channels last through a whole step: none is copied from one layout to another."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.runs.state import fresh_state
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.step import train_step
from tests.training.tiny import images, tiny

CPU = torch.device("cpu")
PAIRS = {
    "paper": (ResNetGenerator(width=1 / 32), ResNetDiscriminator(width=1 / 16)),
    "nearest": (
        ResNetGenerator(width=1 / 32, upsampling="nearest", shortcut="1x1"),
        ResNetDiscriminator(width=1 / 16, shortcut="1x1", pooling="sum"),
    ),
    "sndcgan": (SNDCGANGenerator(width=1 / 16), SNDCGANDiscriminator(width=1 / 16)),
}


class Relayouts(TorchDispatchMode):
    """Notes every copy of a map into another layout."""

    def __init__(self, weights):
        super().__init__()
        self.weights, self.found = weights, []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name in ("clone", "copy_", "_to_copy", "contiguous"):
            given = args[1] if name == "copy_" else args[0]
            if is_map(given) and given.shape not in self.weights and was(given) != was(out):
                self.found.append((name, tuple(given.shape), given.stride(), out.stride()))
        return out


def is_map(tensor):
    return tensor.dim() == 4 and min(tensor.shape[1:]) > 3


def was(tensor):
    return tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", PAIRS)
def test_no_map_is_copied_into_another_layout(name, precision):
    generator, discriminator = PAIRS[name]
    config = tiny(precision=precision, generator=generator, discriminator=discriminator)
    state = fresh_state(config, 0, CPU)
    feed, networks = Feed(config, images(), CPU), Networks(config, state, CPU)
    train_step(state, feed, networks, config)
    both = (state.generator, state.discriminator)
    with Relayouts({p.shape for network in both for p in network.parameters()}) as copies:
        train_step(state, feed, networks, config)
    assert copies.found == []


def test_a_copy_into_another_layout_is_noticed():
    x = torch.zeros(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    with Relayouts(set()) as copies:
        x.contiguous()
    assert len(copies.found) == 1
