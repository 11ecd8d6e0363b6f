"""Gradient penalties as a term of L_D, on upright images and the real head."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ssgan.methods.base import check_weights
from ssgan.ops.penalties import dragan, wgan_gp, zero_centred
from ssgan.types import Batch, Discriminator, GeneratorInput, Loss, Scalar


@dataclass(frozen=True, kw_only=True)
class Penalty(ABC):
    """A penalty on the gradient of D's real logit with respect to the image."""

    weight: float = 10.0  # weight of the penalty in L_D (lambda), at least 0

    def __post_init__(self) -> None:
        check_weights(weight=self.weight)

    @abstractmethod
    def __call__(self, D: Discriminator, real: Batch, fake: Batch, draw: GeneratorInput) -> Scalar:
        """The penalty, without its weight."""


@dataclass(frozen=True, kw_only=True)
class WGANGP(Penalty):
    """A gradient norm of 1 between reals and fakes (Gulrajani et al. 2017)."""

    def __call__(self, D: Discriminator, real: Batch, fake: Batch, draw: GeneratorInput) -> Scalar:
        """E (norm - 1)^2 at one random point between each real and a fake."""
        return wgan_gp(D, real.images, fake.images, real.labels, draw.mixing)


@dataclass(frozen=True, kw_only=True)
class DRAGAN(Penalty):
    """A gradient norm of 1 around reals (Kodali et al. 2017, in the SS-GAN authors' form).

    The distance is proportional to the standard deviation over the batch of all processes. With
    accumulation it is the one of each part, as in batch norm.
    """

    def __call__(self, D: Discriminator, real: Batch, fake: Batch, draw: GeneratorInput) -> Scalar:
        """E (norm - 1)^2 at one random point near each real."""
        noise = draw.noise(real.images[0].numel()).view_as(real.images)
        return dragan(D, real.images, real.labels, noise)


@dataclass(frozen=True, kw_only=True)
class R1R2(Penalty):
    """Zero gradients at reals and at fakes (Mescheder et al. 2018; both as in R3GAN).

    `weight` is gamma. The best gamma depends on the images: there is no value for all.
    """

    weight: float = 1.0  # weight of the penalty in L_D (gamma), at least 0

    def __call__(self, D: Discriminator, real: Batch, fake: Batch, draw: GeneratorInput) -> Scalar:
        """Half the mean squared gradient norm at the reals, plus half of that at the fakes."""
        at_reals = zero_centred(D, real.images, real.labels)
        return 0.5 * (at_reals + zero_centred(D, fake.images, fake.labels))


def add_penalty(
    penalty: Penalty | None,
    D: Discriminator,
    real: Batch,
    fake: Batch,
    draw: GeneratorInput,
    loss: Loss,
) -> Loss:
    """The loss plus the weighted penalty, with its term; without a penalty the loss itself."""
    if penalty is None:
        return loss
    P = penalty(D, real, fake, draw)
    return Loss(loss.total + penalty.weight * P, {**loss.terms, "penalty": P})
