"""The adversarial losses alone: the unconditional and the class-conditional GAN.

    L_D = V_D + weight * P        L_G = V_G

V_D and V_G are the adversarial losses of D and G; P is an optional gradient penalty.
The conditional GAN has the same losses, but its networks read labels: G has conditional norms, and
D adds a projection of the label (Miyato and Koyama 2018).
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
    """The unconditional GAN: no labels, no auxiliary head."""

    adversarial: AdversarialLoss = Hinge()
    penalty: Penalty | None = None  # gradient penalty on D; None: no penalty

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """V_D plus the penalty, if any."""
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
    """The GAN with labels; requires a labelled data source and conditional norms in G."""

    conditional: ClassVar[bool] = True
