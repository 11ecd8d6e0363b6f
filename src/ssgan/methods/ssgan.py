"""SS-GAN: a GAN whose discriminator also predicts by how much an image was rotated.

Chen et al., "Self-Supervised GANs via Auxiliary Rotation Loss", CVPR 2019.

    L_D =  V_D  -  beta  E_{x ~ data} E_r [ log Q_D(r | x^r) ]
    L_G =  V_G  -  alpha E_{x ~ G}    E_r [ log Q_D(r | x^r) ]

V_D and V_G are the adversarial losses of D and G, on upright images only. D predicts the rotation
of real images; G is rewarded for images whose rotation D can predict. E_r is over the last
`rotated_fraction` of the global batch, with each image in all four rotations r.
"""

from dataclasses import dataclass

from ssgan.losses import AdversarialLoss, Hinge
from ssgan.methods.base import check_weights
from ssgan.methods.forward import generate, rotate, score
from ssgan.methods.penalty import Penalty, add_penalty
from ssgan.methods.rotation import RotationMethod, rotation_loss
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss


@dataclass(frozen=True, kw_only=True)
class SSGAN(RotationMethod):
    """The method of the paper, with its weights."""

    adversarial: AdversarialLoss = Hinge()
    alpha: float = 0.2  # weight of the rotation term in L_G (on fakes), at least 0
    beta: float = 1.0  # weight of the rotation term in L_D (on reals), at least 0
    rotated_fraction: float = 0.25  # share of the batch that D reads in all four rotations, (0, 1]
    penalty: Penalty | None = None  # gradient penalty on D; None: no penalty

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """L_D; G is frozen, so the fakes carry no gradient."""
        fake = generate(G, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated, on_fake = score(D, real, rotate(real, rows), fake)
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        Q, accuracy = rotation_loss(on_real.auxiliary[rows], on_rotated.auxiliary)
        terms = {"adversarial": V, "rotation": Q, "rotation_accuracy": accuracy}
        return add_penalty(self.penalty, D, real, fake, draw, Loss(V + self.beta * Q, terms))

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """L_G; the gradient passes through the frozen D and the rotations into G."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, fake, rotate(fake, rows))
        V = self.adversarial.generator(on_fake.real)
        Q, accuracy = rotation_loss(on_fake.auxiliary[rows], on_rotated.auxiliary)
        terms = {"adversarial": V, "rotation": Q, "rotation_accuracy": accuracy}
        return Loss(V + self.alpha * Q, terms)
