"""Rotation-only: the rotation task without adversarial losses, the paper's probing baseline.

    L_D = - beta  E_{x ~ data} E_r [ log Q_D(r | x^r) ]
    L_G = - alpha E_{x ~ G}    E_r [ log Q_D(r | x^r) ]

SS-GAN without V_D and V_G (Chen et al. 2019, "Rot-only"); the updates of D generate no fakes.
"""

from dataclasses import dataclass

from ssgan.methods.base import check_weights
from ssgan.methods.forward import generate, rotate, score, select
from ssgan.methods.rotation import RotationMethod, rotation_loss
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss


@dataclass(frozen=True, kw_only=True)
class RotationOnly(RotationMethod):
    """The rotation terms of SS-GAN alone."""

    alpha: float = 0.2  # weight of the rotation term in L_G (on fakes), at least 0
    beta: float = 1.0  # weight of the rotation term in L_D (on reals), at least 0
    rotated_fraction: float = 0.25  # share of the batch that D reads in all four rotations, (0, 1]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """The rotation loss on reals."""
        return self._loss(D, real, self.beta)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """The rotation loss on fakes: G is rewarded for images whose rotation D can predict."""
        return self._loss(D, generate(G, draw), self.alpha)

    def _loss(self, D: Discriminator, batch: Batch, weight: float) -> Loss:
        rows = batch.last(self.rotated_fraction)
        on_upright, on_rotated = score(D, select(batch, rows), rotate(batch, rows))
        Q, accuracy = rotation_loss(on_upright.auxiliary, on_rotated.auxiliary)
        return Loss(weight * Q, {"rotation": Q, "rotation_accuracy": accuracy})
