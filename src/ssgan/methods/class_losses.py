"""Losses of a head with K classes: cross-entropy, or a hinge between classes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.types import Scalar

ClassLogits = Float[Tensor, "L K"]
ClassLabels = Int[Tensor, " L"]


class ClassLoss(ABC):
    """The classification loss of rows of logits; a mean over the rows."""

    @abstractmethod
    def discriminator(self, logits: ClassLogits, classes: ClassLabels) -> Scalar:
        """Low when the logit of each row's class is the highest."""

    @abstractmethod
    def generator(self, logits: ClassLogits, classes: ClassLabels) -> Scalar:
        """The form for G, which subtracts it for classes to avoid."""


@dataclass(frozen=True)
class Softmax(ClassLoss):
    """-E log Q_D(c | x), for D and for G."""

    def discriminator(self, logits: ClassLogits, classes: ClassLabels) -> Scalar:
        """The cross-entropy."""
        return F.cross_entropy(logits, classes)

    def generator(self, logits: ClassLogits, classes: ClassLabels) -> Scalar:
        """The cross-entropy."""
        return F.cross_entropy(logits, classes)


@dataclass(frozen=True)
class MultiHinge(ClassLoss):
    """Margins between the logit s_c of the class and the logits s_k of the others.

    D: E mean over k != c of relu(1 - s_c + s_k).  G: E mean over k != c of (s_k - s_c).
    """

    def discriminator(self, logits: ClassLogits, classes: ClassLabels) -> Scalar:
        """Zero once every row's logit exceeds all others by 1."""
        total = F.relu(1 + _differences(logits, classes)).sum() - len(logits)  # k = c adds 1 a row
        return total / (logits.shape[1] - 1) / len(logits)

    def generator(self, logits: ClassLogits, classes: ClassLabels) -> Scalar:
        """Linear in the logits, as V_G of the hinge loss is."""
        return _differences(logits, classes).sum() / (logits.shape[1] - 1) / len(logits)


def _differences(logits: ClassLogits, classes: ClassLabels) -> ClassLogits:
    """s_k - s_c in every column k."""
    return logits - logits.gather(1, classes[:, None])
