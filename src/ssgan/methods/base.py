"""What a method is: two losses, and what they need of the networks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ssgan.ops.rotation import NUM_TURNS
from ssgan.types import Batch, Discriminator, Draw, Generator, Loss


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """What D and G minimise. A method holds no tensors: it is its own setting."""

    auxiliary_width: ClassVar[int] = 0  # logits in D's second head
    conditional: ClassVar[bool] = False  # whether labels reach G and D
    turns_images: ClassVar[bool] = False  # whether D must tell turns (of square images)

    @abstractmethod
    def discriminator_loss(self, G: Generator, D: Discriminator, real: Batch, draw: Draw) -> Loss:
        """L_D on one part of an update's batch. G's weights are frozen."""

    @abstractmethod
    def generator_loss(self, G: Generator, D: Discriminator, draw: Draw) -> Loss:
        """L_G on one part of an update's batch. D's weights are frozen."""

    def turn_logits(self, auxiliary: Tensor) -> Tensor | None:
        """The logits of the four turns [B, 4] among those of the second head [B, K].

        None when it does not tell turns. A method whose head is wider says which they are.
        """
        tells = self.turns_images and auxiliary.shape[1] == NUM_TURNS
        return auxiliary if tells else None

    def num_turned(self, batch_size: int) -> int:
        """How many images of a global batch are also seen turned."""
        return 0
