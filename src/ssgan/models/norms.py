"""Norms for generators: batch norm plain, modulated by the latents or by the label; layer norm.

A norm is a frozen spec that builds a module for a number of channels. All modules are called as
`norm(inputs, latents, labels)`, on maps [B, C, H, W] or rows [B, C]. Batch norms have running
statistics that move in training mode: momentum 0.1, epsilon 1e-5, which is .9 and 1e-5 in the
official code's terms. The running variance is torch's unbiased one (there: biased). Statistics are
kept in float32 under autocast.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.config.schema import check_count
from ssgan.models.layers import ChannelMap, Embedding, Linear
from ssgan.ops.activation_checkpointing import is_recomputing
from ssgan.ops.batch_norm import batch_norm_over_ranks
from ssgan.types import Labels, Latents, UserError

MOMENTUM = 0.1
EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class AbstractNorm(ABC):
    """A kind of normalisation for a generator."""

    reads_labels: ClassVar[bool] = True  # whether its gain or shift depends on the label
    reads_nothing: ClassVar[bool] = False  # whether it depends on its inputs alone

    @abstractmethod
    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module (inputs [B, C, ...], latents [B, Z], labels [B] or None) -> like the inputs.

        `spectral` norms the linear maps of a modulated norm, as the generator's other layers.
        Raises UserError when the norm needs labels and there are none.
        """


@dataclass(frozen=True, kw_only=True)
class BatchNorm(AbstractNorm):
    """Batch norm with a gain and a shift for each channel, which start at 1 and 0."""

    reads_labels: ClassVar[bool] = False
    reads_nothing: ClassVar[bool] = True

    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module that reads neither latents nor labels."""
        return PlainModule(channels)


@dataclass(frozen=True, kw_only=True)
class LayerNorm(AbstractNorm):
    """Layer norm: each sample over its places and channels; a gain and a shift a channel.

    They start at 1 and 0. It has no statistics: nothing in G then looks at its batch. In the
    official code it is a setting of D, whose networks here have no norm. Epsilon is 1e-5.
    """

    reads_labels: ClassVar[bool] = False
    reads_nothing: ClassVar[bool] = True

    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module that reads neither latents nor labels."""
        return LayerModule(channels)


@dataclass(frozen=True, kw_only=True)
class SelfModulatedBatchNorm(AbstractNorm):
    """Batch norm whose gain and shift are a small network's answer to the latents.

    Chen et al., "On Self Modulation for Generative Adversarial Networks", ICLR 2019:
    h = relu(linear(z)), gain = linear(h) with bias starting at 1, shift = linear(h) at 0.
    """

    hidden: int = 32  # units of the small network; 0: gain and shift straight from the latents
    reads_labels: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_count("hidden", self.hidden, 0)

    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module that reads the latents."""
        return SelfModulatedModule(channels, latent_size, self.hidden, spectral)


@dataclass(frozen=True, kw_only=True)
class ConditionalBatchNorm(AbstractNorm):
    """Batch norm with a gain and a shift for each class.

    Both are bias-free linear maps of the one-hot label that start from normal(0, 0.02). As in the
    official code there is no "1 +", so every gain starts near 0.
    """

    gamma_offset: bool = False  # whether 1 is added to the gain of each class: BigGAN's form

    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module that reads the labels; raises UserError when `num_classes` is 0."""
        _refuse_no_labels(num_classes)
        return ConditionalModule(channels, num_classes, self.gamma_offset, spectral)

    def build_of_code(
        self, channels: int, code_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """The same for a code of each label in place of the label, which may hold more.

        A module that reads the code where others read latents; raises UserError when
        `num_classes` is 0.
        """
        _refuse_no_labels(num_classes)
        return CodeModule(channels, code_size, self.gamma_offset, spectral)


def _refuse_no_labels(num_classes: int) -> None:
    if num_classes == 0:
        raise UserError(
            "ConditionalBatchNorm needs labels, and this run uses none; use BatchNorm or "
            "SelfModulatedBatchNorm, or a conditional method with labelled images"
        )


class BatchStatistics(nn.Module):
    """Normalises each channel to mean 0 and variance 1.

    In training mode by the batch's own statistics, in evaluation by the running ones.
    """

    across_ranks = False  # whether a batch is in parts, one on each rank
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(
        self,
        inputs: Float[Tensor, "B C ..."],
        gain: Float[Tensor, " C"] | None = None,
        shift: Float[Tensor, " C"] | None = None,
    ) -> Float[Tensor, "B C ..."]:
        """The normalised inputs, times the gain, plus the shift."""
        mean, variance = self.running_mean, self.running_var
        if is_recomputing():  # in backward: they have moved already, so that copies do
            mean, variance = mean.clone(), variance.clone()
        if self.training and self.across_ranks:
            return batch_norm_over_ranks(inputs, mean, variance, gain, shift, MOMENTUM, EPSILON)
        return F.batch_norm(inputs, mean, variance, gain, shift, self.training, MOMENTUM, EPSILON)


class PlainModule(nn.Module):
    """The module of `BatchNorm`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.statistics = BatchStatistics(channels)
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(
        self, inputs: Float[Tensor, "B C ..."], latents: Latents, labels: Labels | None
    ) -> Float[Tensor, "B C ..."]:
        """The normalised inputs; latents and labels are not read."""
        normalised: Tensor = self.statistics(inputs, self.gain, self.shift)
        return normalised


class LayerModule(nn.Module):
    """The module of `LayerNorm`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(
        self, inputs: Float[Tensor, "B C ..."], latents: Latents, labels: Labels | None
    ) -> Float[Tensor, "B C ..."]:
        """The normalised inputs; latents and labels are not read."""
        normalised = F.group_norm(inputs, 1, self.gain, self.shift, EPSILON)
        return normalised.to(inputs.dtype)  # autocast on some devices makes it float32


class SelfModulatedModule(nn.Module):
    """The module of `SelfModulatedBatchNorm`."""

    def __init__(self, channels: int, latent_size: int, hidden: int, spectral: bool) -> None:
        super().__init__()
        self.statistics = BatchStatistics(channels)
        self.hidden = Linear(latent_size, hidden, spectral=spectral) if hidden else None
        self.gain = Linear(hidden or latent_size, channels, spectral=spectral)
        self.shift = Linear(hidden or latent_size, channels, spectral=spectral)
        nn.init.ones_(self.gain.bias)

    def forward(
        self, inputs: Float[Tensor, "B C ..."], latents: Latents, labels: Labels | None
    ) -> Float[Tensor, "B C ..."]:
        """The normalised inputs, modulated by the latents; labels are not read."""
        code = latents if self.hidden is None else F.relu(self.hidden(latents))
        return modulate(self.statistics(inputs), self.gain(code), self.shift(code))


class ConditionalModule(nn.Module):
    """The module of `ConditionalBatchNorm`."""

    def __init__(self, channels: int, num_classes: int, offset: bool, spectral: bool) -> None:
        super().__init__()
        self.statistics = BatchStatistics(channels)
        self.offset = float(offset)
        self.gain = Embedding(num_classes, channels, spectral=spectral)
        self.shift = Embedding(num_classes, channels, spectral=spectral)

    def forward(
        self, inputs: Float[Tensor, "B C ..."], latents: Latents, labels: Labels | None
    ) -> Float[Tensor, "B C ..."]:
        """The normalised inputs, modulated by the labels; raises ValueError without labels."""
        if labels is None:
            raise ValueError("a generator with conditional batch norm was called without labels")
        gain = self.gain(labels) + self.offset
        return modulate(self.statistics(inputs), gain, self.shift(labels))


class CodeModule(nn.Module):
    """The module of a `ConditionalBatchNorm` of codes."""

    def __init__(self, channels: int, code_size: int, offset: bool, spectral: bool) -> None:
        super().__init__()
        self.statistics = BatchStatistics(channels)
        self.offset = float(offset)
        self.gain = ChannelMap(code_size, channels, spectral=spectral)
        self.shift = ChannelMap(code_size, channels, spectral=spectral)

    def forward(
        self,
        inputs: Float[Tensor, "B C ..."],
        latents: Float[Tensor, "B code"],
        labels: Labels | None,
    ) -> Float[Tensor, "B C ..."]:
        """The normalised inputs, modulated by the code in the latents' place."""
        gain = self.gain(latents) + self.offset
        return modulate(self.statistics(inputs), gain, self.shift(latents))


def modulate(
    inputs: Float[Tensor, "B C ..."], gain: Float[Tensor, "B C"], shift: Float[Tensor, "B C"]
) -> Float[Tensor, "B C ..."]:
    """inputs * gain + shift, with a gain and a shift for each sample and channel."""
    shape = gain.shape + (1,) * (inputs.ndim - 2)
    gain, shift = gain.to(inputs.dtype).view(shape), shift.to(inputs.dtype).view(shape)
    return torch.addcmul(shift, inputs, gain)


@torch.no_grad()
def refresh_statistics(
    generator: nn.Module, draws: Iterable[tuple[Float[Tensor, "B Z"], Labels | None]]
) -> None:
    """Replace all running statistics by the plain mean of the draws' batch statistics.

    A draw is the (latents, labels) of one batch, on the generator's device. Running statistics
    remember about ten batches, made by weights that have moved since; averaged weights have none
    of their own. The official code does so over 204,800 samples in batches
    of 64 where a config asks for "accumulators", as that of BigGAN's networks does.
    Here every norm sees what it sees in training, inputs normalised by their batch, and the
    variances are unbiased. Weights, modes and spectral vectors are left as they are; so are the
    statistics when this is interrupted, or given no draws (ValueError).
    """
    layers = [layer for layer in generator.modules() if isinstance(layer, BatchStatistics)]
    running = [buffer for layer in layers for buffer in (layer.running_mean, layer.running_var)]
    before, modes = [b.clone() for b in running], [layer.training for layer in layers]
    means = [torch.zeros_like(buffer) for buffer in running]
    result, count = before, 0
    try:
        for layer in layers:
            layer.train()
        for count, (latents, labels) in enumerate(draws, start=1):
            for buffer in running:
                buffer.zero_()
            generator(latents, labels)  # leaves MOMENTUM times the batch's statistics
            for mean, buffer in zip(means, running, strict=True):
                mean.lerp_(buffer / MOMENTUM, 1 / count)
        if count == 0:
            raise ValueError("no draws to refresh the statistics with")
        result = means
    finally:
        for buffer, value in zip(running, result, strict=True):
            buffer.copy_(value)
        for layer, mode in zip(layers, modes, strict=True):
            layer.train(mode)
