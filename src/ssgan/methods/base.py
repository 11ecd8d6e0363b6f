"""What a method is: two losses, and what they need of the networks."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from ssgan.ops.rotation import NUM_ROTATIONS
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss, UserError


def check_weights(**weights: float) -> None:
    """Raise UserError, by its name, for the weight of a term that is below 0 or not finite."""
    for name, value in weights.items():
        if not 0 <= value < math.inf:
            raise UserError(f"{name} must be a finite number, 0 or more, not {value}")


def check_shares(**shares: float) -> None:
    """Raise UserError, by its name, for a share that is not in (0, 1]."""
    for name, value in shares.items():
        if not 0 < value <= 1:
            raise UserError(f"{name} must be above 0 and at most 1, not {value}")


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """What D and G minimise. A method holds no tensors: it is its own setting."""

    auxiliary_width: ClassVar[int] = 0  # logits in D's second head, whatever the classes
    conditional: ClassVar[bool] = False  # whether labels reach G and D
    predicts_rotation: ClassVar[bool] = False  # whether D must tell turns (of square images)

    @abstractmethod
    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """L_D on one part of an update's batch. G's weights are frozen."""

    @abstractmethod
    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """L_G on one part of an update's batch. D's weights are frozen."""

    def at(self, progress: float) -> "Method":
        """The method at this share of the run, from 0 at its start to below 1.

        Most methods return themselves. Each step asks the run's own method anew, so nothing is
        kept from step to step.
        """
        return self

    @property
    def changes(self) -> bool:
        """Whether it changes as the run goes on, so that total_steps decides what is learnt."""
        return type(self).at is not Method.at

    def auxiliary_width_for(self, num_classes: int) -> int:
        """Logits in D's second head; `num_classes` is 0 when no labels are used."""
        return self.auxiliary_width

    def num_labelled(self, num_images: int) -> int:
        """How many training images' labels it is given, if it is conditional."""
        return num_images

    def rotation_logits(self, auxiliary: Float[Tensor, "B K"]) -> Float[Tensor, "B 4"]:
        """Logits of the four turns, from those of D's second head: its first four.

        Raises ValueError when D does not tell turns.
        """
        if not self.predicts_rotation:
            raise ValueError(f"{type(self).__name__} does not teach D to tell turns")
        return auxiliary[:, :NUM_ROTATIONS]

    def num_rotated(self, batch_size: int) -> int:
        """How many images of a global batch are also seen turned."""
        return 0
