"""The central types, and the legend of axes and units.

Axes: B batch, C channels, S side of a square image, Z latent, K auxiliary classes, F features.
Images are float tensors in [-1, 1] everywhere outside a network; labels are class numbers from 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from jaxtyping import Float, Int
from torch import Tensor

Images: TypeAlias = Float[Tensor, "B C S S"]
Labels: TypeAlias = Int[Tensor, " B"]
Latents: TypeAlias = Float[Tensor, "B Z"]
Scalar: TypeAlias = Float[Tensor, ""]

UNLABELLED = -1  # in place of a label that a method may not know; never shown to a network


class ImageShape(NamedTuple):
    """The shape of every image of a run."""

    channels: int  # 1 (grey) or 3 (red, green, blue)
    size: int  # side in pixels; images are square


class Scores(NamedTuple):
    """What a discriminator says of a batch."""

    real: Float[Tensor, " B"]  # logit of "this is a real image"
    auxiliary: Float[Tensor, "B K"]  # logits of the second head; K is the method's, and may be 0
    features: Float[Tensor, "B F"]  # what both heads read


@dataclass(frozen=True)
class Batch:
    """Images with what a method must know of them.

    `index` is the place of each row in the step's stream: update u of a step with global batch
    size N holds u * N ... (u + 1) * N - 1, over all parts; it ascends and stays on the CPU.
    """

    images: Images
    labels: Labels | None  # UNLABELLED where the method is given a share of them only
    index: Int[Tensor, " B"]
    global_size: int  # samples in this update's batch, over all parts

    def last(self, fraction: float) -> slice:
        """Our rows among the last `fraction` of the global batch."""
        return last_rows(self.index, self.global_size, fraction)


@dataclass(frozen=True)
class GeneratorInput:
    """What a generator is asked for: a Batch with `latents` in place of `images`."""

    latents: Latents
    labels: Labels | None
    index: Int[Tensor, " B"]
    global_size: int
    mixing: Float[Tensor, " B"]  # one uniform number in [0, 1) a row, for gradient penalties
    noise: Callable[[int], Tensor]  # so many others a row, [B, number], for those that ask


def last_rows(index: Int[Tensor, " B"], global_size: int, fraction: float) -> slice:
    """The local rows whose place in the global batch lies in its last `fraction`."""
    first = global_size - round(fraction * global_size)
    ours = int((index % global_size >= first).sum())
    return slice(len(index) - ours, len(index))


class Loss(NamedTuple):
    """What to minimise, and the named parts of it for the log (they need not sum to it)."""

    total: Scalar
    terms: Mapping[str, Tensor]


Generator: TypeAlias = Callable[[Tensor, Tensor | None], Tensor]  # (latents, labels) -> images
Discriminator: TypeAlias = Callable[[Tensor, Tensor | None], Scores]  # (images, labels) -> scores


class UserError(Exception):
    """Input that cannot be used: one line saying what was given, where, and what would be right.

    The command line prints the line and exits with code 2.
    """


class NonFinite(Exception):  # noqa: N818 - it names the state, as NaN does
    """NaN or infinity in an update; the message names the terms. Weights are untouched."""


class PeerLost(Exception):  # noqa: N818 - it names the state
    """Another process of this run has gone or does not answer; the message says which, if known."""


class RanksDiffer(Exception):  # noqa: N818 - it names the state
    """The processes of one run hold different numbers; the message names the first."""
