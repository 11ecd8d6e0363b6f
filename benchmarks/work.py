"""What one step computes, stores and sends, counted from shapes alone: no number is computed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.models.norms import BatchStatistics
from ssgan.ops.modes import frozen
from ssgan.ops.spectral_norm import spectral_layers
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState, build_discriminator, build_generator
from ssgan.training.cost import _Flops
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.types import Loss

_SMALL = 16  # images of the batch on which a step is counted, and twice as many


@dataclass(frozen=True)
class Work:
    """One step of a whole batch, of n_dis updates of D and one of G."""

    generator_weights: int
    discriminator_weights: int
    batch_size: int
    discriminator_updates: int
    flop: float  # of the step: multiplications and additions
    activation_bytes: float  # stored for the larger backward pass, per image, in float32
    norm_layers: int  # of G, that use statistics of the whole batch
    norm_channels: int  # of all of them together

    @property
    def gradient_bytes(self) -> int:
        """Of all updates of a step, in float32: each is summed over ranks."""
        updates = self.discriminator_updates * self.discriminator_weights
        return 4 * (updates + self.generator_weights)

    @property
    def small_collectives(self) -> int:
        """Waits for all ranks in a step: batch norm in each pass of G, and one at the end."""
        return self.norm_layers * (self.discriminator_updates + 2) + 1

    @property
    def state_bytes(self) -> int:
        """Weights, Adam's moments and gradients of both networks, and G's average, in float32."""
        return 16 * (self.generator_weights + self.discriminator_weights) + (
            4 * self.generator_weights
        )


def count_work(config: RunConfig, num_classes: int = 10) -> Work:
    """Count a step of the config, extrapolated from two small batches: it is linear in them."""
    one, two = (_count(config, size, num_classes) for size in (_SMALL, 2 * _SMALL))
    factor = config.batch_size / _SMALL
    with torch.device("meta"):
        generator = build_generator(config, num_classes)
        discriminator = build_discriminator(config, num_classes)
    norms = [m for m in generator.modules() if isinstance(m, BatchStatistics)]
    return Work(
        generator_weights=sum(p.numel() for p in generator.parameters()),
        discriminator_weights=sum(p.numel() for p in discriminator.parameters()),
        batch_size=config.batch_size,
        discriminator_updates=config.discriminator_updates,
        flop=one[0] + (two[0] - one[0]) * (factor - 1),
        activation_bytes=(two[1] - one[1]) / _SMALL,
        norm_layers=len(norms),
        norm_channels=sum(m.running_mean.numel() for m in norms),
    )


def _count(config: RunConfig, batch: int, num_classes: int) -> tuple[float, float]:
    """Operations of a step of so many images, and bytes stored for its larger backward pass."""
    config = replace(config, batch_size=batch, accumulation=1, precision="float32", augment=False)
    device = torch.device("meta")
    with device:
        generator = build_generator(config, num_classes)
        discriminator = build_discriminator(config, num_classes)
    for layer in list(
        spectral_layers(generator, discriminator)
    ):  # next to nothing, and not on "meta"
        layer.spectral_u = layer.spectral_v = None
    state = TrainState(generator, discriminator, generator, None, None)  # type: ignore[arg-type]
    size, channels = config.data.image_size, config.data.channels
    pixels = np.zeros((batch, size, size, channels), np.uint8)
    labels = np.arange(batch) % num_classes
    dataset = Dataset(pixels, labels, tuple(map(str, range(num_classes))), "none", {})
    feed, networks = Feed(config, dataset, device), Networks(config, state, torch.device("cpu"))
    ((G, D),) = networks.at(0, 0)
    ((real, draw),) = feed.discriminator(0, 0)
    (own,) = feed.generator(0)
    method = config.method
    with frozen(generator):
        d = _measure(lambda: method.discriminator_loss(G, D, real, draw))
    with frozen(discriminator):
        g = _measure(lambda: method.generator_loss(G, D, own))
    return config.discriminator_updates * d[0] + g[0], max(d[1], g[1])


def _measure(compute: Callable[[], Loss]) -> tuple[float, float]:
    """Operations of a loss and its gradient, and bytes of what is stored between them."""
    stored: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        stored[id(tensor.untyped_storage())] = tensor.untyped_storage().nbytes()
        return tensor

    with _Flops() as flops:  # type: ignore[no-untyped-call]
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = compute()
        loss.total.backward()
    return float(flops.total), float(sum(stored.values()))
