"""SSGAN-LA: label augmentation, eight classes, each turn real or fake.

Hou et al., "Self-Supervised GANs with Label Augmentation", NeurIPS 2021. Q_D is over the classes
c = 2 r + s with r = 0 ... 3 the turn and s = 0 real, 1 fake; with E_r over all four turns,

    A_D = - E_r { E_{x ~ data} [ log Q_D(2 r | x^r) ] + E_{x ~ G} [ log Q_D(2 r + 1 | x^r) ] }
    A_G = - E_r   E_{x ~ G}    [ log Q_D(2 r | x^r) - log Q_D(2 r + 1 | x^r) ]

    SSGAN-LA     L_D = A_D                L_G = A_G
    SSGAN-LA+    L_D = V_D + beta A_D     L_G = V_G + alpha A_G

Real or fake is part of every class, so SSGAN-LA needs no game: D's real head is not used.
`MultiHinge` puts margins in place of -log Q_D.
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
    """The eight classes, and A_D and A_G on their logits."""

    class_loss: ClassLoss = Softmax()  # or MultiHinge, the form of the published SSGAN-LA
    auxiliary_width: ClassVar[int] = 2 * NUM_ROTATIONS

    def rotation_logits(self, auxiliary: Float[Tensor, "B 8"]) -> Float[Tensor, "B 4"]:
        """Of each turn, real and fake together as softmax adds them: their logsumexp."""
        return torch.logsumexp(auxiliary.reshape(-1, NUM_ROTATIONS, 2), dim=2)

    def on_both(
        self, real: Float[Tensor, "L 8"], fake: Float[Tensor, "L 8"], r: Int[Tensor, " L"]
    ) -> Loss:
        """A_D, from the logits of reals and of fakes in the turns r."""
        as_real = self.class_loss.discriminator(real, 2 * r)
        as_fake = self.class_loss.discriminator(fake, 2 * r + 1)
        accuracy = rotation_accuracy(self.rotation_logits(real), r)
        terms = {"rotation": as_real, "rotation_fake": as_fake, "rotation_accuracy": accuracy}
        return Loss(as_real + as_fake, terms)

    def on_fakes(self, fake: Float[Tensor, "L 8"], r: Int[Tensor, " L"]) -> Loss:
        """A_G, from the logits of fakes in the turns r."""
        as_real = self.class_loss.generator(fake, 2 * r)
        as_fake = self.class_loss.generator(fake, 2 * r + 1)
        accuracy = rotation_accuracy(self.rotation_logits(fake), r)
        terms = {"rotation": as_real, "rotation_fake": as_fake, "rotation_accuracy": accuracy}
        return Loss(as_real - as_fake, terms)


@dataclass(frozen=True, kw_only=True)
class SSGANLA(LabelAugmentation):
    """Label augmentation alone, on all four turns of every image."""

    rotated_fraction: float = 1.0  # share of the global batch that is used at all, in (0, 1]

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """A_D; only images that are seen in all four turns go through D."""
        fake = generate(G, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated, on_fake, on_rotated_fake = score(
            D, select(real, rows), rotate(real, rows), select(fake, rows), rotate(fake, rows)
        )
        of_real, r = all_rotations(on_real.auxiliary, on_rotated.auxiliary)
        of_fake, _ = all_rotations(on_fake.auxiliary, on_rotated_fake.auxiliary)
        return self.on_both(of_real, of_fake, r)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """A_G."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, select(fake, rows), rotate(fake, rows))
        return self.on_fakes(*all_rotations(on_fake.auxiliary, on_rotated.auxiliary))


@dataclass(frozen=True, kw_only=True)
class SSGANLAPlus(LabelAugmentation):
    """Label augmentation beside the game, with the weights of the published runs."""

    adversarial: AdversarialLoss = Hinge()
    alpha: float = 1.0  # weight of A_G in L_G, at least 0
    beta: float = 1.0  # weight of A_D in L_D, at least 0
    rotated_fraction: float = 0.25  # share of the global batch seen in all four turns, in (0, 1]
    penalty: Penalty | None = None  # gradient penalty on D, or none

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """V_D on upright images, and A_D."""
        fake = generate(G, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated, on_fake, on_rotated_fake = score(
            D, real, rotate(real, rows), fake, rotate(fake, rows)
        )
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        of_real, r = all_rotations(on_real.auxiliary[rows], on_rotated.auxiliary)
        of_fake, _ = all_rotations(on_fake.auxiliary[rows], on_rotated_fake.auxiliary)
        A = self.on_both(of_real, of_fake, r)
        loss = Loss(V + self.beta * A.total, {"adversarial": V, **A.terms})
        return add_penalty(self.penalty, D, real, fake, draw, loss)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """V_G on upright images, and A_G."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, fake, rotate(fake, rows))
        V = self.adversarial.generator(on_fake.real)
        A = self.on_fakes(*all_rotations(on_fake.auxiliary[rows], on_rotated.auxiliary))
        return Loss(V + self.alpha * A.total, {"adversarial": V, **A.terms})
