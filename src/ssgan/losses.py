"""Adversarial losses of D and G, as functions of the logits of the real head.

The logit is high for images that D classifies as real. Every loss is a mean over the batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.types import Scalar

_Logits = Float[Tensor, " B"]


class Uninformed(NamedTuple):
    """V_D when D returns the logit 0 for every image, so that it separates nothing."""

    value: float
    slope: float  # change of V_D for each unit by which the logits of fakes differ from 0


class DiscriminatorLoss(ABC):
    """The loss V_D."""

    @torch.no_grad()
    def uninformed(self) -> Uninformed:
        """V_D at equal logits. A D that cannot separate real and fake images minimises it at 0."""
        real, step = torch.zeros(1, dtype=torch.float64), 1e-4
        value = float(self.discriminator(real, real))
        slope = abs(float(self.discriminator(real, real + step)) - value) / step
        return Uninformed(value, slope)

    @abstractmethod
    def discriminator(self, real: _Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """V_D: low when the logits of reals are high and those of fakes low."""


class AdversarialLoss(DiscriminatorLoss):
    """The losses V_D and V_G; G's reads fakes only."""

    @abstractmethod
    def generator(self, fake: _Logits) -> Scalar:
        """V_G: low when the logits of fakes are high."""


@dataclass(frozen=True)
class Hinge(AdversarialLoss):
    """V_D = E relu(1 - real) + E relu(1 + fake), V_G = -E fake (Lim and Ye 2017)."""

    def discriminator(self, real: _Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """Zero once every real is above 1 and every fake below -1."""
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, fake: _Logits) -> Scalar:
        """Minus the mean logit of the fakes."""
        return -fake.mean()


@dataclass(frozen=True)
class NonSaturating(AdversarialLoss):
    """Cross-entropy of real against fake; G maximizes log D(fake) (Goodfellow et al. 2014)."""

    def discriminator(self, real: _Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """-E log sigmoid(real) - E log(1 - sigmoid(fake))."""
        # softplus: exact where log(sigmoid(x)) underflows
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, fake: _Logits) -> Scalar:
        """-E log sigmoid(fake)."""
        return F.softplus(-fake).mean()


@dataclass(frozen=True)
class Wasserstein(AdversarialLoss):
    """V_D = E fake - E real, V_G = -E fake; D must be Lipschitz (Arjovsky et al. 2017)."""

    def discriminator(self, real: _Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """The mean logit of the fakes minus that of the reals."""
        return fake.mean() - real.mean()

    def generator(self, fake: _Logits) -> Scalar:
        """Minus the mean logit of the fakes."""
        return -fake.mean()


@dataclass(frozen=True)
class LeastSquares(AdversarialLoss):
    """Half the squared distance of sigmoid(logit) to 1 for reals and to 0 for fakes.

    Mao et al. 2017 have no sigmoid; this is the form of the SS-GAN authors' code.
    """

    def discriminator(self, real: _Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """Half of E (p_real - 1)^2 + E p_fake^2."""
        return 0.5 * ((real.sigmoid() - 1).square().mean() + fake.sigmoid().square().mean())

    def generator(self, fake: _Logits) -> Scalar:
        """Half of E (p_fake - 1)^2."""
        return 0.5 * (fake.sigmoid() - 1).square().mean()


@dataclass(frozen=True)
class Relativistic(DiscriminatorLoss):
    """Every real is paired with a fake; only their difference counts (Jolicoeur-Martineau 2018).

    V_D = E softplus(fake - real), V_G = E softplus(real - fake), as in R3GAN (Huang et al. 2024).
    """

    def discriminator(self, real: _Logits, fake: _Logits) -> Scalar:
        """-E log sigmoid(real - fake)."""
        return F.softplus(fake - real).mean()

    def generator(self, real: _Logits, fake: _Logits) -> Scalar:
        """-E log sigmoid(fake - real)."""
        return F.softplus(real - fake).mean()
