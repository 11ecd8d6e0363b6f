"""Norms for generators: batch norm, self-modulated and conditional batch norm, layer norm.

A norm is a frozen config that builds a module for a number of channels. All modules are called as
`norm(inputs, latents, labels)`, on maps [B, C, H, W] or rows [B, C]; with `relu=True` a ReLU comes
after it. Batch norms update running
statistics in training mode, with momentum 0.1 (the official code's decay .9) and epsilon 1e-5.
The running variance is unbiased, as PyTorch's; the official code's is biased. Statistics stay in
float32 under autocast.
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
from ssgan.ops.kernels.normalize import normalize, suits_normalize
from ssgan.types import Labels, Latents, UserError

MOMENTUM = 0.1
EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class AbstractNorm(ABC):
    """A normalization layer for generators."""

    reads_labels: ClassVar[bool] = True  # whether its gain or shift depends on the label
    reads_nothing: ClassVar[bool] = False  # whether it reads neither latents nor labels

    @abstractmethod
    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module (inputs [B, C, ...], latents [B, Z], labels [B] or None) -> like the inputs.

        `spectral` adds spectral norm to the linear maps of a modulated norm.
        Raises UserError when the norm requires labels and `num_classes` is 0.
        """


@dataclass(frozen=True, kw_only=True)
class BatchNorm(AbstractNorm):
    """Batch norm with a learned gain and shift per channel, which start at 1 and 0."""

    reads_labels: ClassVar[bool] = False
    reads_nothing: ClassVar[bool] = True

    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module that reads neither latents nor labels."""
        return PlainModule(channels)


@dataclass(frozen=True, kw_only=True)
class LayerNorm(AbstractNorm):
    """Layer norm of each sample over its channels and positions; epsilon is 1e-5.

    Gain and shift per channel start at 1 and 0. It has no statistics, so an image does not depend
    on its batch. In the official code it is a setting of D; the discriminators here have no norm.
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
    """Batch norm whose gain and shift are computed from the latents by a small network.

    Chen et al., "On Self Modulation for Generative Adversarial Networks", ICLR 2019:
    h = relu(linear(z)), gain = linear(h) with initial bias 1, shift = linear(h) with bias 0.
    """

    hidden: int = 32  # hidden units of the network; 0: gain and shift are linear in the latents
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

    Both are bias-free linear maps of the one-hot label with initial weights from normal(0, 0.02).
    As in the official code the gain has no offset, so it starts near 0.
    """

    gamma_offset: bool = False  # add 1 to the gain, as BigGAN does, so that it starts near 1

    def build(
        self, channels: int, latent_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module that reads the labels; raises UserError when `num_classes` is 0."""
        _require_labels(num_classes)
        return ConditionalModule(Embedding, num_classes, channels, self.gamma_offset, spectral)

    def build_from_code(
        self, channels: int, code_size: int, num_classes: int, spectral: bool = False
    ) -> nn.Module:
        """A module that reads a code in place of the latents: BigGAN's [latents, label embedding].

        Raises UserError when `num_classes` is 0.
        """
        _require_labels(num_classes)
        return ConditionalModule(ChannelMap, code_size, channels, self.gamma_offset, spectral)


def _require_labels(num_classes: int) -> None:
    if num_classes == 0:
        raise UserError(
            "ConditionalBatchNorm needs labels, but this run uses none; choose BatchNorm or "
            "SelfModulatedBatchNorm, or a conditional method with labelled images"
        )


class BatchStatistics(nn.Module):
    """Normalizes each channel to mean 0 and variance 1.

    Training mode uses the statistics of the batch, evaluation mode the running ones.
    """

    across_ranks = False  # whether the batch is split over all ranks
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(
        self,
        inputs: Float[Tensor, "B C ..."],
        gain: Float[Tensor, "... C"],
        shift: Float[Tensor, "... C"],
        relu: bool = False,
    ) -> Float[Tensor, "B C ..."]:
        """The normalized inputs, times the gain, plus the shift; with `relu` rectified.

        Gain and shift are [C], or [B, C] for each sample.
        """
        mean, variance = self.running_mean, self.running_var
        if is_recomputing():  # the first forward has updated them; update copies here
            mean, variance = mean.clone(), variance.clone()
        training, across = self.training, self.training and self.across_ranks
        if training and not across and suits_normalize(inputs, mean, variance):
            return normalize(inputs, mean, variance, gain, shift, MOMENTUM, EPSILON, relu=relu)
        a, b = (gain, shift) if gain.ndim == 1 else (None, None)
        if across:
            out = batch_norm_over_ranks(inputs, mean, variance, a, b, MOMENTUM, EPSILON)
        else:
            out = F.batch_norm(inputs, mean, variance, a, b, training, MOMENTUM, EPSILON)
        if gain.ndim == 2:
            out = modulate(out, gain, shift)
        return F.relu(out, inplace=True) if relu else out


class PlainModule(nn.Module):
    """The module of `BatchNorm`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.statistics = BatchStatistics(channels)
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(
        self,
        inputs: Float[Tensor, "B C ..."],
        latents: Latents,
        labels: Labels | None,
        relu: bool = False,
    ) -> Float[Tensor, "B C ..."]:
        """The normalized inputs; latents and labels are not read."""
        normalized: Tensor = self.statistics(inputs, self.gain, self.shift, relu)
        return normalized


class LayerModule(nn.Module):
    """The module of `LayerNorm`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))

    def forward(
        self,
        inputs: Float[Tensor, "B C ..."],
        latents: Latents,
        labels: Labels | None,
        relu: bool = False,
    ) -> Float[Tensor, "B C ..."]:
        """The normalized inputs; latents and labels are not read."""
        normalized = F.group_norm(inputs, 1, self.gain, self.shift, EPSILON)
        normalized = normalized.to(inputs.dtype)  # autocast on some devices returns float32
        return F.relu(normalized, inplace=True) if relu else normalized


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
        self,
        inputs: Float[Tensor, "B C ..."],
        latents: Latents,
        labels: Labels | None,
        relu: bool = False,
    ) -> Float[Tensor, "B C ..."]:
        """The normalized inputs, modulated by the latents; labels are not read."""
        code = latents if self.hidden is None else F.relu(self.hidden(latents))
        modulated: Tensor = self.statistics(inputs, self.gain(code), self.shift(code), relu)
        return modulated


class ConditionalModule(nn.Module):
    """The module of `ConditionalBatchNorm`: embeddings read the labels, other maps the latents."""

    def __init__(
        self,
        maps: type[Embedding] | type[ChannelMap],
        code_size: int,
        channels: int,
        offset: bool,
        spectral: bool,
    ) -> None:
        super().__init__()
        self.statistics = BatchStatistics(channels)
        self.offset = float(offset)
        self.gain = maps(code_size, channels, spectral=spectral)
        self.shift = maps(code_size, channels, spectral=spectral)

    def forward(
        self,
        inputs: Float[Tensor, "B C ..."],
        latents: Latents,
        labels: Labels | None,
        relu: bool = False,
    ) -> Float[Tensor, "B C ..."]:
        """The normalized inputs, modulated; raises ValueError without the labels it reads."""
        code = labels if isinstance(self.gain, Embedding) else latents
        if code is None:
            raise ValueError("a generator with conditional batch norm was called without labels")
        gain = self.gain(code) + self.offset
        modulated: Tensor = self.statistics(inputs, gain, self.shift(code), relu)
        return modulated


def modulate(
    inputs: Float[Tensor, "B C ..."], gain: Float[Tensor, "B C"], shift: Float[Tensor, "B C"]
) -> Float[Tensor, "B C ..."]:
    """inputs * gain + shift, with one gain and shift per sample and channel."""
    shape = gain.shape + (1,) * (inputs.ndim - 2)
    gain, shift = gain.to(inputs.dtype).view(shape), shift.to(inputs.dtype).view(shape)
    return torch.addcmul(shift, inputs, gain)


@torch.no_grad()
def refresh_statistics(
    generator: nn.Module, draws: Iterable[tuple[Float[Tensor, "B Z"], Labels | None]]
) -> None:
    """Replace all running statistics by the mean of the batch statistics over `draws`.

    A draw is the (latents, labels) of one batch, on the generator's device. Running statistics
    cover about ten batches of earlier weights, and averaged weights have none of their own. The
    official code calls this "accumulators": BigGAN's config takes 204,800 samples in batches of 64.
    Every norm reads inputs that were normalized by their batch, as in training; variances are
    unbiased. Weights, modes and spectral vectors do not change. After an interruption, or without
    draws (ValueError), the old statistics remain.
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
            raise ValueError("refresh_statistics needs at least one draw")
        result = means
    finally:
        for buffer, value in zip(running, result, strict=True):
            buffer.copy_(value)
        for layer, mode in zip(layers, modes, strict=True):
            layer.train(mode)
