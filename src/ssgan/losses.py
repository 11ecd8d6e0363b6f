"""The adversarial game: what D and G minimise, from the logits of the real head.

Real logits are high for images that D takes for real. Every loss is a mean over the batch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.types import Scalar

Logits = Float[Tensor, " B"]


class AdversarialLoss(ABC):
    """V_D and V_G, as functions of logits."""

    @abstractmethod
    def discriminator(self, real: Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """V_D: low when reals score high and fakes score low."""

    @abstractmethod
    def generator(self, fake: Logits) -> Scalar:
        """V_G: low when fakes score high."""


@dataclass(frozen=True)
class Hinge(AdversarialLoss):
    """V_D = E relu(1 - real) + E relu(1 + fake), V_G = -E fake (Lim and Ye 2017)."""

    def discriminator(self, real: Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """Zero once every real is above 1 and every fake below -1."""
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()

    def generator(self, fake: Logits) -> Scalar:
        """Minus the mean logit of the fakes."""
        return -fake.mean()


@dataclass(frozen=True)
class NonSaturating(AdversarialLoss):
    """Cross-entropy of real against fake; G maximises log D(fake) (Goodfellow et al. 2014)."""

    def discriminator(self, real: Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """-E log sigmoid(real) - E log(1 - sigmoid(fake))."""
        # softplus: exact where log(sigmoid(x)) underflows
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator(self, fake: Logits) -> Scalar:
        """-E log sigmoid(fake)."""
        return F.softplus(-fake).mean()


@dataclass(frozen=True)
class Wasserstein(AdversarialLoss):
    """V_D = E fake - E real, V_G = -E fake; D must be kept Lipschitz (Arjovsky et al. 2017)."""

    def discriminator(self, real: Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """The mean logit of the fakes minus that of the reals."""
        return fake.mean() - real.mean()

    def generator(self, fake: Logits) -> Scalar:
        """Minus the mean logit of the fakes."""
        return -fake.mean()


@dataclass(frozen=True)
class LeastSquares(AdversarialLoss):
    """Squared distance of sigmoid(logit) to 1 for reals and 0 for fakes, halved.

    The original (Mao et al. 2017) has no sigmoid; this is the form of the SS-GAN authors' code.
    """

    def discriminator(self, real: Logits, fake: Float[Tensor, " N"]) -> Scalar:
        """Half of E (p_real - 1)^2 + E p_fake^2."""
        return 0.5 * ((real.sigmoid() - 1).square().mean() + fake.sigmoid().square().mean())

    def generator(self, fake: Logits) -> Scalar:
        """Half of E (p_fake - 1)^2."""
        return 0.5 * (fake.sigmoid() - 1).square().mean()
