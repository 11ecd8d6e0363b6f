"""S3GAN: SS-GAN conditioned on few labels, and on D's own guesses where there is none.

Lucic et al., "High-Fidelity Image Generation With Fewer Labels", ICML 2019. D has a real head with
the projection of a label, P_D(x, y), and heads for turns, Q_D, and for classes, C_D:

    L_D =  V_D  -  beta          E_{x ~ data}          E_r [ log Q_D(r | x^r) ]
                -  class_weight  E_{(x, y) ~ labelled} [ log C_D(y | x) ]
    L_G =  V_G  -  alpha         E_{x ~ G}             E_r [ log Q_D(r | x^r) ]

V_D and V_G are the game on P_D(x, y), upright images only. The y of a fake is the one it was drawn
for; that of a real its label where given, else a guess of D's, through which no gradient goes:
argmax_y C_D(y | x), as published, or a y drawn from C_D(y | x). While D knows little of classes its
most likely ones are few, whatever the image; fakes are of all classes, and then the label alone
tells D which are real. Drawn labels are spread over all classes from the start.

The published code has a layer for Q_D and one for C_D. Here they are the first four logits of D's
second head and the others, so that a discriminator need know of nothing but a width; one spectral
norm covers both. The mean over labelled reals is their sum over the number expected in a batch
(there: the number in it): a label weighs the same whatever it comes with, and parts add up.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.config.serialize import added
from ssgan.losses import AdversarialLoss, Hinge
from ssgan.methods.base import check_shares, check_weights
from ssgan.methods.forward import generate, rotate, score
from ssgan.methods.penalty import Penalty, add_penalty
from ssgan.methods.rotation import RotationMethod, rotation_loss
from ssgan.ops.rotation import NUM_ROTATIONS
from ssgan.types import (
    UNLABELLED,
    Batch,
    Discriminator,
    Generator,
    GeneratorInput,
    Labels,
    Loss,
    Scalar,
)


@dataclass(frozen=True, kw_only=True)
class S3GAN(RotationMethod):
    """Semi-supervised and self-supervised, with the weights of the published code."""

    adversarial: AdversarialLoss = Hinge()
    alpha: float = 0.2  # weight of the rotation term in L_G (on fakes), at least 0
    beta: float = 1.0  # weight of the rotation term in L_D (on reals), at least 0
    class_weight: float = 1.0  # weight of the class term in L_D (on labelled reals), at least 0
    rotated_fraction: float = 0.25  # share of the global batch seen in all four turns, in (0, 1]
    labelled_fraction: float = 1.0  # share of the training images with a given label, in (0, 1]
    penalty: Penalty | None = None  # gradient penalty on D, or none
    # where a label is missing: D's most likely class, or one drawn by its class probabilities
    guess: Literal["argmax", "drawn"] = added("argmax")
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta, class_weight=self.class_weight)
        check_shares(labelled_fraction=self.labelled_fraction)

    def auxiliary_width_for(self, num_classes: int) -> int:
        """Four turns, then the classes."""
        return NUM_ROTATIONS + num_classes

    def num_labelled(self, num_images: int) -> int:
        """That share of them, to the nearest image."""
        return round(self.labelled_fraction * num_images)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """L_D; with labels missing D reads the reals once more, without a graph."""
        fake = generate(G, draw)
        known = self.complete_labels(D, real, draw)
        rows = real.last(self.rotated_fraction)
        on_real, on_rotated, on_fake = score(D, known, rotate(known, rows), fake)
        V = self.adversarial.discriminator(on_real.real, on_fake.real)
        r_logits, r_rotated = map(self.rotation_logits, (on_real.auxiliary, on_rotated.auxiliary))
        Q, accuracy = rotation_loss(r_logits[rows], r_rotated)
        C = self.class_loss(on_real.auxiliary, real.labels)
        terms = {"adversarial": V, "rotation": Q, "rotation_accuracy": accuracy, "class": C}
        loss = Loss(V + self.beta * Q + self.class_weight * C, terms)
        return add_penalty(self.penalty, D, known, fake, draw, loss)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        """L_G: that of SS-GAN, each fake and its turned copies with the label it was drawn for."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, fake, rotate(fake, rows))
        V = self.adversarial.generator(on_fake.real)
        r_logits, r_rotated = map(self.rotation_logits, (on_fake.auxiliary, on_rotated.auxiliary))
        Q, accuracy = rotation_loss(r_logits[rows], r_rotated)
        terms = {"adversarial": V, "rotation": Q, "rotation_accuracy": accuracy}
        return Loss(V + self.alpha * Q, terms)

    def complete_labels(self, D: Discriminator, real: Batch, draw: GeneratorInput) -> Batch:
        """The reals, every missing label replaced by D's guess.

        D predicts them in a forward pass of its own, because its real head needs labels: at batch
        64 that is 64 images more, beside the 176 that L_D reads forward and backward. All reals are
        in it, in their places, so that each is augmented as it is in the loss.
        """
        if self.labelled_fraction == 1:
            return real
        assert real.labels is not None
        with torch.no_grad():
            (seen,) = score(D, replace(real, labels=real.labels.clamp(min=0)))
        pseudo_labels = self.pseudo_labels(seen.auxiliary[:, NUM_ROTATIONS:], draw)
        missing = real.labels == UNLABELLED
        return replace(real, labels=torch.where(missing, pseudo_labels, real.labels))

    def pseudo_labels(self, logits: Float[Tensor, "B K"], draw: GeneratorInput) -> Labels:
        """The most likely of the K classes, or one drawn by the row's own random number.

        DRAGAN's penalty begins with the same number, which is of no consequence.
        """
        if self.guess == "argmax":
            return logits.argmax(dim=1)
        up_to = logits.softmax(dim=1).cumsum(dim=1)
        return (up_to[:, :-1] <= draw.noise(1)).sum(dim=1)

    def class_loss(self, auxiliary: Float[Tensor, "B K"], labels: Labels | None) -> Scalar:
        """- E log C_D(y | x) over labelled reals; 0 for a batch without any."""
        assert labels is not None
        logits, expected = auxiliary[:, NUM_ROTATIONS:], self.labelled_fraction * len(auxiliary)
        total = F.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="sum")
        return total / expected
