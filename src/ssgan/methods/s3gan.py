"""S3GAN: a conditional SS-GAN with few labels; D predicts the missing ones (pseudo-labels).

Lucic et al., "High-Fidelity Image Generation With Fewer Labels", ICML 2019. D has a real head with
the projection of a label, P_D(x, y), and heads for rotations, Q_D, and for classes, C_D:

    L_D =  V_D  -  beta          E_{x ~ data}          E_r [ log Q_D(r | x^r) ]
                -  class_weight  E_{(x, y) ~ labelled} [ log C_D(y | x) ]
    L_G =  V_G  -  alpha         E_{x ~ G}             E_r [ log Q_D(r | x^r) ]

V_D and V_G are the adversarial losses on P_D(x, y), on upright images only. The y of a fake is the
label it was generated for. The y of a real is its label or, where missing, a pseudo-label without
gradient: argmax_y C_D(y | x), as published, or a sample from C_D(y | x). An untrained D predicts
few classes, while fakes have all of them, so with argmax the label alone shows which images are
real. Sampled pseudo-labels cover all classes from the start.

The published code has one layer for Q_D and one for C_D. Here they share D's auxiliary head: its
first four logits are Q_D, the others C_D, and one spectral norm covers both. The mean over labelled
reals is their sum divided by the number expected in a batch (published: the number in it), so every
label has the same weight and the losses of parts add up.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ssgan.config.serialize import added_setting
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
    """Semi-supervised and self-supervised losses, with the weights of the published code."""

    adversarial: AdversarialLoss = Hinge()
    alpha: float = 0.2  # weight of the rotation term in L_G (on fakes), at least 0
    beta: float = 1.0  # weight of the rotation term in L_D (on reals), at least 0
    class_weight: float = 1.0  # weight of the class term in L_D (on labelled reals), at least 0
    rotated_fraction: float = 0.25  # share of the batch that D reads in all four rotations, (0, 1]
    labelled_fraction: float = 1.0  # share of the training images whose label is used, in (0, 1]
    penalty: Penalty | None = None  # gradient penalty on D; None: no penalty
    # pseudo-label where a label is missing: D's most likely class, or one drawn from its class
    # probabilities
    pseudo_label: Literal["argmax", "sampled"] = added_setting("argmax")
    conditional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights(alpha=self.alpha, beta=self.beta, class_weight=self.class_weight)
        check_shares(labelled_fraction=self.labelled_fraction)

    def auxiliary_width_for(self, num_classes: int) -> int:
        """Four rotations, then the classes."""
        return NUM_ROTATIONS + num_classes

    def num_labelled(self, num_images: int) -> int:
        """The labelled fraction of the images, rounded."""
        return round(self.labelled_fraction * num_images)

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        """L_D; when labels are missing, D reads the reals once more, without a graph."""
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
        """L_G of SS-GAN; fakes and their rotated copies have the label they were generated for."""
        fake = generate(G, draw)
        rows = fake.last(self.rotated_fraction)
        on_fake, on_rotated = score(D, fake, rotate(fake, rows))
        V = self.adversarial.generator(on_fake.real)
        r_logits, r_rotated = map(self.rotation_logits, (on_fake.auxiliary, on_rotated.auxiliary))
        Q, accuracy = rotation_loss(r_logits[rows], r_rotated)
        terms = {"adversarial": V, "rotation": Q, "rotation_accuracy": accuracy}
        return Loss(V + self.alpha * Q, terms)

    def complete_labels(self, D: Discriminator, real: Batch, draw: GeneratorInput) -> Batch:
        """The reals, with pseudo-labels for the missing labels.

        This takes a separate forward pass, because D's real head needs labels: at batch size 64,
        64 images in addition to the 176 of L_D. The pass contains all reals at their positions, so
        that each one is augmented as in the loss.
        """
        if self.labelled_fraction == 1:
            return real
        assert real.labels is not None
        with torch.no_grad():
            (scores,) = score(D, replace(real, labels=real.labels.clamp(min=0)))
        pseudo_labels = self.pseudo_labels(scores.auxiliary[:, NUM_ROTATIONS:], draw)
        missing = real.labels == UNLABELLED
        return replace(real, labels=torch.where(missing, pseudo_labels, real.labels))

    def pseudo_labels(self, logits: Float[Tensor, "B K"], draw: GeneratorInput) -> Labels:
        """The most likely of the K classes, or one drawn with the row's own random number.

        DRAGAN uses the same number for the first value of its noise, which has no consequence.
        """
        if self.pseudo_label == "argmax":
            return logits.argmax(dim=1)
        up_to = logits.softmax(dim=1).cumsum(dim=1)
        return (up_to[:, :-1] <= draw.noise(1)).sum(dim=1)

    def class_loss(self, auxiliary: Float[Tensor, "B K"], labels: Labels | None) -> Scalar:
        """-E log C_D(y | x) over labelled reals; 0 for a batch without labels."""
        assert labels is not None
        logits, expected = auxiliary[:, NUM_ROTATIONS:], self.labelled_fraction * len(auxiliary)
        total = F.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="sum")
        return total / expected
