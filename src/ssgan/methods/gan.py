"""The adversarial game alone: the unconditional and the class-conditional GAN.

    L_D = V_D + weight * P        L_G = V_G

V_D and V_G are what D and G minimise in the game; P is an optional gradient penalty.
The conditional GAN is the same game with labels: G's norms are conditional and D adds the
projection of the label (Miyato and Koyama 2018).
"""

from dataclasses import dataclass
from typing import ClassVar

from ssgan.losses import AdversarialLoss, Hinge
from ssgan.methods.base import Method
from ssgan.methods.forward import generate, score
from ssgan.methods.penalty import Penalty, add_penalty
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss


@dataclass(frozen=True, kw_only=True)
class GAN(Method):
    """The unconditional GAN: no labels, no second head."""

    adversarial: AdversarialLoss = Hinge()
    penalty: Penalty | None = None  # gradient penalty on D, or none

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """V_D, and the penalty when there is one."""
        fake = generate(G, draw)
        on_real, on_fake = score(D, real, fake)
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        return add_penalty(self.penalty, D, real, fake, draw, Loss(V, {"adversarial": V}))

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """V_G."""
        (on_fake,) = score(D, generate(G, draw))
        V = self.adversarial.generator(on_fake.real)
        return Loss(V, {"adversarial": V})


@dataclass(frozen=True, kw_only=True)
class ConditionalGAN(GAN):
    """The same game with labels: needs a labelled source and conditional norms in G."""

    conditional: ClassVar[bool] = True
