"""SSGAN-LA: label augmentation with eight classes, each rotation real or fake.

Hou et al., "Self-Supervised GANs with Label Augmentation", NeurIPS 2021. Q_D is over the classes
c = 2 r + s with r = 0 ... 3 the rotation and s = 0 real, 1 fake; with E_r over all four rotations,

    A_D = - E_r { E_{x ~ data} [ log Q_D(2 r | x^r) ] + E_{x ~ G} [ log Q_D(2 r + 1 | x^r) ] }
    A_G = - E_r   E_{x ~ G}    [ log Q_D(2 r | x^r) - log Q_D(2 r + 1 | x^r) ]

    SSGAN-LA     L_D = A_D                L_G = A_G
    SSGAN-LA+    L_D = V_D + beta A_D     L_G = V_G + alpha A_G

Every class says real or fake, so SSGAN-LA has no adversarial loss and does not use D's real head.
`MultiHinge` replaces -log Q_D by margins.
"""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.losses import AdversarialLoss, Hinge
from ssgan.methods.base import check_weights
from ssgan.methods.class_losses import ClassLoss, Softmax
from ssgan.methods.forward import generate, rotate, score, select
from ssgan.methods.penalty import Penalty, add_penalty
from ssgan.methods.rotation import RotationMethod, all_rotations, rotation_accuracy
from ssgan.ops.rotation import NUM_ROTATIONS
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss


@dataclass(frozen=True, kw_only=True)
class LabelAugmentation(RotationMethod, ABC):
    """A_D and A_G on the logits of the eight classes."""

    # loss of the eight classes; published for SSGAN-LA: MultiHinge
    class_loss: ClassLoss = Softmax()
    auxiliary_width: ClassVar[int] = 2 * NUM_ROTATIONS

    def rotation_logits(self, auxiliary: Float[Tensor, "B 8"]) -> Float[Tensor, "B 4"]:
        """The logsumexp of the real and the fake class of each rotation."""
        return torch.logsumexp(auxiliary.reshape(-1, NUM_ROTATIONS, 2), dim=2)

    def augmented_loss_d(
        self, real: Float[Tensor, "L 8"], fake: Float[Tensor, "L 8"], r: Int[Tensor, " L"]
    ) -> Loss:
        """A_D, from the logits of reals and of fakes in the rotations r."""
        as_real = self.class_loss.discriminator(real, 2 * r)
        as_fake = self.class_loss.discriminator(fake, 2 * r + 1)
        accuracy = rotation_accuracy(self.rotation_logits(real), r)
        terms = {"rotation": as_real, "rotation_fake": as_fake, "rotation_accuracy": accuracy}
        return Loss(as_real + as_fake, terms)

    def augmented_loss_g(self, fake: Float[Tensor, "L 8"], r: Int[Tensor, " L"]) -> Loss:
        """A_G, from the logits of fakes in the rotations r."""
        as_real = self.class_loss.generator(fake, 2 * r)
        as_fake = self.class_loss.generator(fake, 2 * r + 1)
        accuracy = rotation_accuracy(self.rotation_logits(fake), r)
        terms = {"rotation": as_real, "rotation_fake": as_fake, "rotation_accuracy": accuracy}
        return Loss(as_real - as_fake, terms)


@dataclass(frozen=True, kw_only=True)
class SSGANLA(LabelAugmentation):
    """Label augmentation alone, on all four rotations of every image."""

    rotated_fraction: float = 1.0  # share of the batch that the loss uses, in (0, 1]

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """A_D; D reads only the images of `rotated_fraction`, in all four rotations."""
        fake = generate(G, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated, on_fake, on_rotated_fake = score(
            D, select(real, rows), rotate(real, rows), select(fake, rows), rotate(fake, rows)
        )
        real_logits, r = all_rotations(on_real.auxiliary, on_rotated.auxiliary)
        fake_logits, _ = all_rotations(on_fake.auxiliary, on_rotated_fake.auxiliary)
        return self.augmented_loss_d(real_logits, fake_logits, r)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """A_G."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, select(fake, rows), rotate(fake, rows))
        return self.augmented_loss_g(*all_rotations(on_fake.auxiliary, on_rotated.auxiliary))


@dataclass(frozen=True, kw_only=True)
class SSGANLAPlus(LabelAugmentation):
    """Label augmentation and the adversarial loss, with the weights of the published runs."""

    adversarial: AdversarialLoss = Hinge()
    alpha: float = 1.0  # weight of A_G in L_G, at least 0
    beta: float = 1.0  # weight of A_D in L_D, at least 0
    rotated_fraction: float = 0.25  # share of the batch that D reads in all four rotations, (0, 1]
    penalty: Penalty | None = None  # gradient penalty on D; None: no penalty

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """V_D on upright images plus beta A_D."""
        fake = generate(G, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated, on_fake, on_rotated_fake = score(
            D, real, rotate(real, rows), fake, rotate(fake, rows)
        )
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        real_logits, r = all_rotations(on_real.auxiliary[rows], on_rotated.auxiliary)
        fake_logits, _ = all_rotations(on_fake.auxiliary[rows], on_rotated_fake.auxiliary)
        A = self.augmented_loss_d(real_logits, fake_logits, r)
        loss = Loss(V + self.beta * A.total, {"adversarial": V, **A.terms})
        return add_penalty(self.penalty, D, real, fake, draw, loss)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """V_G on upright images plus alpha A_G."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, fake, rotate(fake, rows))
        V = self.adversarial.generator(on_fake.real)
        A = self.augmented_loss_g(*all_rotations(on_fake.auxiliary[rows], on_rotated.auxiliary))
        return Loss(V + self.alpha * A.total, {"adversarial": V, **A.terms})
