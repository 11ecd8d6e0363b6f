"""R3GAN: a relativistic pairing loss with R1 and R2, alone and with SS-GAN's rotation losses.

Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", NeurIPS 2024, arXiv
2501.05441. With the reals x and the fakes G(z) of an update paired in their order:

    L_D = E softplus(D(G(z)) - D(x)) + weight * P        L_G = E softplus(D(x) - D(G(z)))
    P   = 1/2 E |grad D(x)|^2 + 1/2 E |grad D(G(z))|^2

`R3SSGAN` adds the rotation terms of SS-GAN to both. G's update reads the reals of D's last update.
"""

from dataclasses import dataclass

from ssgan.losses import Relativistic
from ssgan.methods.base import Method, check_weights
from ssgan.methods.forward import generate, rotate, score
from ssgan.methods.penalty import R1R2, Penalty, add_penalty
from ssgan.methods.rotation import RotationMethod, rotation_loss
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss


@dataclass(frozen=True, kw_only=True)
class R3GAN(Method):
    """The relativistic pairing loss with both gradient penalties."""

    adversarial: Relativistic = Relativistic()
    penalty: Penalty | None = R1R2()  # gradient penalty on D; None: no penalty

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """Each real against a fake, and the penalty."""
        fake = generate(G, draw)
        on_real, on_fake = score(D, real, fake)
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        return add_penalty(self.penalty, D, real, fake, draw, Loss(V, {"adversarial": V}))

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """Each fake against a real."""
        on_fake, on_real = score(D, generate(G, draw), draw.real())
        V = self.adversarial.generator(on_real.real, on_fake.real)
        return Loss(V, {"adversarial": V})


@dataclass(frozen=True, kw_only=True)
class R3SSGAN(RotationMethod):
    """SS-GAN with the relativistic pairing loss in place of the hinge."""

    adversarial: Relativistic = Relativistic()
    alpha: float = 0.2  # weight of the rotation term in L_G (on fakes), at least 0
    beta: float = 1.0  # weight of the rotation term in L_D (on reals), at least 0
    rotated_fraction: float = 0.25  # share of the batch that D reads in all four rotations, (0, 1]
    penalty: Penalty | None = R1R2()  # gradient penalty on D; None: no penalty

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """L_D of R3GAN, plus the rotation loss on reals."""
        fake = generate(G, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated, on_fake = score(D, real, rotate(real, rows), fake)
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        Q, accuracy = rotation_loss(on_real.auxiliary[rows], on_rotated.auxiliary)
        terms = {"adversarial": V, "rotation": Q, "rotation_accuracy": accuracy}
        return add_penalty(self.penalty, D, real, fake, draw, Loss(V + self.beta * Q, terms))

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """L_G of R3GAN, plus the rotation loss on fakes."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated, on_real = score(D, fake, rotate(fake, rows), draw.real())
        V = self.adversarial.generator(on_real.real, on_fake.real)
        Q, accuracy = rotation_loss(on_fake.auxiliary[rows], on_rotated.auxiliary)
        terms = {"adversarial": V, "rotation": Q, "rotation_accuracy": accuracy}
        return Loss(V + self.alpha * Q, terms)
