"""What D and G minimise on a head of K classes: cross-entropy, or hinges between classes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.types import Scalar

Logits = Float[Tensor, "L K"]
Classes = Int[Tensor, " L"]


class ClassLoss(ABC):
    """How far rows of logits are from naming the classes given; means over the rows."""

    @abstractmethod
    def discriminator(self, logits: Logits, classes: Classes) -> Scalar:
        """Low when each row's logit is highest at its class."""

    @abstractmethod
    def generator(self, logits: Logits, classes: Classes) -> Scalar:
        """The same for G, which may subtract it for a class to get away from."""


@dataclass(frozen=True)
class Softmax(ClassLoss):
    """-E log Q_D(c | x), in both losses."""

    def discriminator(self, logits: Logits, classes: Classes) -> Scalar:
        """The cross-entropy."""
        return F.cross_entropy(logits, classes)

    def generator(self, logits: Logits, classes: Classes) -> Scalar:
        """The cross-entropy."""
        return F.cross_entropy(logits, classes)


@dataclass(frozen=True)
class MultiHinge(ClassLoss):
    """Margins between the logit s_c of the class and each other one s_k; no logarithm.

    D: E mean over k != c of relu(1 - s_c + s_k).  G: E mean over k != c of (s_k - s_c).
    """

    def discriminator(self, logits: Logits, classes: Classes) -> Scalar:
        """Zero once every row's logit is above all others by 1."""
        at_class = F.relu(1 + _above(logits, classes)).sum() - len(logits)  # each c itself gave 1
        return at_class / (logits.shape[1] - 1) / len(logits)

    def generator(self, logits: Logits, classes: Classes) -> Scalar:
        """Linear, as the hinge game's V_G is."""
        return _above(logits, classes).sum() / (logits.shape[1] - 1) / len(logits)


def _above(logits: Logits, classes: Classes) -> Logits:
    """s_k - s_c in every column k."""
    return logits - logits.gather(1, classes[:, None])
