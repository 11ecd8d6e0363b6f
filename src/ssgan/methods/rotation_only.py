"""Rotation-only: the rotation task without the game, the paper's baseline for features.

    L_D = - beta  E_{x ~ data} E_r [ log Q_D(r | x^r) ]
    L_G = - alpha E_{x ~ G}    E_r [ log Q_D(r | x^r) ]

SS-GAN with V left out (Chen et al. 2019, "Rot-only"); D's step needs no fakes.
"""

from dataclasses import dataclass

from ssgan.methods.base import check_weights
from ssgan.methods.forward import generate, rotate, score, select
from ssgan.methods.rotation import RotationMethod, rotation_loss
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss


@dataclass(frozen=True, kw_only=True)
class RotationOnly(RotationMethod):
    """The rotation terms of SS-GAN and nothing else."""

    alpha: float = 0.2  # weight of the rotation term in L_G (on fakes), at least 0
    beta: float = 1.0  # weight of the rotation term in L_D (on reals), at least 0
    rotated_fraction: float = 0.25  # share of the global batch seen in all four turns, in (0, 1]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """The task on reals."""
        return self._loss(D, real, self.beta)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """The task on fakes, for G to make it easy."""
        return self._loss(D, generate(G, draw), self.alpha)

    def _loss(self, D: Discriminator, batch: Batch, weight: float) -> Loss:
        rows = batch.last(self.rotated_fraction)
        on_upright, on_rotated = score(D, select(batch, rows), rotate(batch, rows))
        Q, accuracy = rotation_loss(on_upright.auxiliary, on_rotated.auxiliary)
        return Loss(weight * Q, {"rotation": Q, "rotation_accuracy": accuracy})
