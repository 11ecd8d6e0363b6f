"""A gradient penalty as one more term of L_D, on upright images and the real head."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ssgan.methods.base import check_weights
from ssgan.ops.penalties import dragan, wgan_gp
from ssgan.types import Batch, Discriminator, GeneratorInput, Loss, Scalar


@dataclass(frozen=True, kw_only=True)
class Penalty(ABC):
    """What D pays for the slope of its real logit."""

    weight: float = 10.0  # lambda, at least 0

    def __post_init__(self) -> None:
        check_weights(weight=self.weight)

    @abstractmethod
    def __call__(self, D: Discriminator, real: Batch, fake: Batch, draw: GeneratorInput) -> Scalar:
        """The penalty before its weight."""


@dataclass(frozen=True, kw_only=True)
class WGANGP(Penalty):
    """The slope must be 1 between reals and fakes (Gulrajani et al. 2017)."""

    def __call__(self, D: Discriminator, real: Batch, fake: Batch, draw: GeneratorInput) -> Scalar:
        """E (slope - 1)^2 at one random point between each real and a fake."""
        return wgan_gp(D, real.images, fake.images, real.labels, draw.mixing)


@dataclass(frozen=True, kw_only=True)
class DRAGAN(Penalty):
    """The slope must be 1 around reals (Kodali et al. 2017, in the SS-GAN authors' form).

    How far around is a share of the standard deviation over the batch. With accumulation it is
    over a part, as batch norm's; processes share theirs.
    """

    def __call__(self, D: Discriminator, real: Batch, fake: Batch, draw: GeneratorInput) -> Scalar:
        """E (slope - 1)^2 at one random point near each real."""
        noise = draw.noise(real.images[0].numel()).view_as(real.images)
        return dragan(D, real.images, real.labels, noise)


def add_penalty(
    penalty: Penalty | None,
    D: Discriminator,
    real: Batch,
    fake: Batch,
    draw: GeneratorInput,
    loss: Loss,
) -> Loss:
    """L_D with the penalty added and named; the loss as it is when there is none."""
    if penalty is None:
        return loss
    P = penalty(D, real, fake, draw)
    return Loss(loss.total + penalty.weight * P, {**loss.terms, "penalty": P})
