"""SSGAN-MS: a multi-class minimax game over five classes, four rotations and "fake".

Tran et al., "Self-supervised GAN: Analysis and Improvement with Multi-class Minimax Game",
NeurIPS 2019. With Q_D over five classes, r = 0 ... 3 the rotations and 4 "fake":

    L_D = V_D - beta  E_r { E_{x ~ data} [ log Q_D(r | x^r) ] + E_{x ~ G} [ log Q_D(4 | x^r) ] }
    L_G = V_G - alpha E_r E_{x ~ G} [ log Q_D(r | x^r) - log Q_D(4 | x^r) ]

Unlike in SS-GAN, D also reads rotated fakes and classifies them as "fake"; G is rewarded when D
predicts their rotation instead. So images whose rotation is merely easy to predict gain nothing.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F

from ssgan.losses import AdversarialLoss, Hinge
from ssgan.methods.base import check_weights
from ssgan.methods.forward import generate, rotate, score
from ssgan.methods.penalty import Penalty, add_penalty
from ssgan.methods.rotation import RotationMethod, all_rotations, rotation_accuracy
from ssgan.ops.rotation import NUM_ROTATIONS
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss

FAKE = NUM_ROTATIONS  # the fifth class


@dataclass(frozen=True, kw_only=True)
class SSGANMS(RotationMethod):
    """The multi-class minimax game, with the weights of re-implementations, as in SS-GAN."""

    adversarial: AdversarialLoss = Hinge()
    alpha: float = 0.2  # weight of the class terms in L_G (on fakes), at least 0
    beta: float = 1.0  # weight of the class terms in L_D (on reals and fakes), at least 0
    rotated_fraction: float = 0.25  # share of the batch that D reads in all four rotations, (0, 1]
    penalty: Penalty | None = None  # gradient penalty on D; None: no penalty
    auxiliary_width: ClassVar[int] = NUM_ROTATIONS + 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """L_D: D predicts the rotation of reals, and "fake" for fakes in any rotation."""
        fake = generate(G, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated_real, on_fake, on_rotated_fake = score(
            D, real, rotate(real, rows), fake, rotate(fake, rows)
        )
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        logits, r = all_rotations(on_real.auxiliary[rows], on_rotated_real.auxiliary)
        fake_logits, _ = all_rotations(on_fake.auxiliary[rows], on_rotated_fake.auxiliary)
        Q_rotation = F.cross_entropy(logits, r)
        Q_fake = F.cross_entropy(fake_logits, torch.full_like(r, FAKE))
        terms = {
            "adversarial": V,
            "rotation": Q_rotation,
            "rotation_fake": Q_fake,
            "rotation_accuracy": rotation_accuracy(self.rotation_logits(logits), r),
        }
        loss = Loss(V + self.beta * (Q_rotation + Q_fake), terms)
        return add_penalty(self.penalty, D, real, fake, draw, loss)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """L_G: towards the rotation and away from "fake"."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, fake, rotate(fake, rows))
        V = self.adversarial.generator(on_fake.real)
        logits, r = all_rotations(on_fake.auxiliary[rows], on_rotated.auxiliary)
        Q_rotation = F.cross_entropy(logits, r)
        Q_fake = F.cross_entropy(logits, torch.full_like(r, FAKE))
        terms = {
            "adversarial": V,
            "rotation": Q_rotation,
            "rotation_fake": Q_fake,
            "rotation_accuracy": rotation_accuracy(self.rotation_logits(logits), r),
        }
        return Loss(V + self.alpha * (Q_rotation - Q_fake), terms)
