"""The interface of a method: two losses, and what they require of the networks."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from ssgan.ops.rotation import NUM_ROTATIONS
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss, UserError


def check_weights(**weights: float) -> None:
    """Raise UserError for a loss weight, by its name, that is negative or not finite."""
    for name, value in weights.items():
        if not 0 <= value < math.inf:
            raise UserError(f"{name} must be a finite number, 0 or more, not {value}")


def check_shares(**shares: float) -> None:
    """Raise UserError for a share, by its name, that is not in (0, 1]."""
    for name, value in shares.items():
        if not 0 < value <= 1:
            raise UserError(f"{name} must be above 0 and at most 1, not {value}")


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """The losses of D and G. A method holds no tensors: it is its own config."""

    auxiliary_width: ClassVar[int] = 0  # logits of D's auxiliary head, without those for classes
    conditional: ClassVar[bool] = False  # whether G and D read labels
    predicts_rotation: ClassVar[bool] = False  # whether D predicts the rotation of square images

    @abstractmethod
    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """L_D on one part of an update's batch. G's weights are frozen."""

    @abstractmethod
    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """L_G on one part of an update's batch. D's weights are frozen."""

    def at(self, progress: float) -> "Method":
        """The method at this fraction of the run, from 0 at the start to below 1 at the end.

        A constant method returns itself. Every step calls `at` on the method of the config, so
        results must not depend on earlier calls.
        """
        return self

    @property
    def changes(self) -> bool:
        """Whether the losses depend on progress, and so on total_steps."""
        return type(self).at is not Method.at

    def auxiliary_width_for(self, num_classes: int) -> int:
        """The number of logits in D's auxiliary head; `num_classes` is 0 without labels."""
        return self.auxiliary_width

    def num_labelled(self, num_images: int) -> int:
        """The number of training images whose labels a conditional method uses."""
        return num_images

    def rotation_logits(self, auxiliary: Float[Tensor, "B K"]) -> Float[Tensor, "B 4"]:
        """The logits of the four rotations: the first four of D's auxiliary head.

        Raises ValueError for a method whose D does not predict rotations.
        """
        if not self.predicts_rotation:
            raise ValueError(f"{type(self).__name__} does not train D to predict rotations")
        return auxiliary[:, :NUM_ROTATIONS]

    def num_rotated(self, batch_size: int) -> int:
        """The number of images in a global batch that D also reads in the other rotations."""
        return 0
