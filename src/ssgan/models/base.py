"""What a network family offers: a frozen config that builds a network for an image shape."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Int
from torch import Tensor, nn

from ssgan.config.serialize import added_setting
from ssgan.models.norms import AbstractNorm, BatchNorm
from ssgan.ops.rng import Key, normal, uniform
from ssgan.types import ImageShape, Latents, UserError


@dataclass(frozen=True, kw_only=True)
class AbstractGeneratorConfig(ABC):
    """A family of generators: modules (latents [B, Z], labels [B] or None) -> images in [-1, 1]."""

    latent_size: int = 128  # size of a latent vector, Z; at least 1
    # distribution of the latents: normal(0, 1), or uniform in [-1, 1), the default of the authors'
    # code; training, evaluation and sampling use the same
    latents: Literal["normal", "uniform"] = added_setting("normal")

    @property
    def reads_labels(self) -> bool:
        """Whether the labels change the images, as a conditional method requires."""
        return True

    def sample_latents(self, key: Key, index: Int[Tensor, " B"]) -> Latents:
        """One float32 latent vector per row; row i depends on the key and index[i] alone."""
        if self.latents == "uniform":
            return 2 * uniform(key, index, self.latent_size) - 1
        return normal(key, index, self.latent_size)

    @abstractmethod
    def build(self, shape: ImageShape, num_classes: int) -> nn.Module:
        """A new generator; `num_classes` is 0 when no labels are used.

        Raises UserError when the family has no generator for this shape.
        """


@dataclass(frozen=True, kw_only=True)
class AbstractDiscriminatorConfig(ABC):
    """A family of discriminators: modules (images in [-1, 1], labels or None) -> Scores."""

    @abstractmethod
    def build(self, shape: ImageShape, auxiliary_width: int, num_classes: int) -> nn.Module:
        """A new discriminator with `auxiliary_width` logits in its auxiliary head (0: no head).

        With `num_classes` > 0 the real head adds a projection of the labels.
        Raises UserError when the family has no discriminator for this shape.
        """


@dataclass(frozen=True, kw_only=True)
class AbstractConvolutionalGenerator(AbstractGeneratorConfig):
    """A family of generators with a width and a norm."""

    width: float = 1.0  # multiplies the number of channels in every layer
    norm: AbstractNorm = BatchNorm()  # normalization of every layer that has one

    def __post_init__(self) -> None:
        _check_width(self.width)

    @property
    def reads_labels(self) -> bool:
        """Whether the norm reads labels."""
        return self.norm.reads_labels


@dataclass(frozen=True, kw_only=True)
class AbstractConvolutionalDiscriminator(AbstractDiscriminatorConfig):
    """A family of discriminators with a width and spectral norm. They have no other norm."""

    width: float = 1.0  # multiplies the number of channels in every layer, and of features
    spectral: bool = True  # spectral norm on every layer, including the heads

    def __post_init__(self) -> None:
        _check_width(self.width)


def check_shape(family: str, shape: ImageShape, sizes: Iterable[int]) -> None:
    """Raise UserError, with the supported values, unless the family supports the shape."""
    if shape.channels not in (1, 3, 4):
        raise UserError(f"{family} networks support 1, 3 or 4 channels, not {shape.channels}")
    sizes = sorted(sizes)
    if shape.size not in sizes:
        known = ", ".join(str(size) for size in sizes)
        raise UserError(f"{family} networks support sizes {known}, not {shape.size}")


def _check_width(width: float) -> None:
    if not 0 < width < float("inf"):
        raise UserError(f"width must be above 0, not {width}")


def scale_channels(channels: int, width: float) -> int:
    """The channels times the width, rounded, and at least 1."""
    return max(1, round(channels * width))
