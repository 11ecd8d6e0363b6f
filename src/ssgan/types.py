"""The central types, with the legend of axes and units.

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

UNLABELLED = -1  # replaces a label that the method may not use; no network reads it


class ImageShape(NamedTuple):
    """The shape of every image of a run."""

    channels: int  # 1 (grey), 3 (RGB) or 4 (RGB multiplied by alpha, and alpha)
    size: int  # side in pixels; images are square


class Scores(NamedTuple):
    """The output of a discriminator for a batch."""

    real: Float[Tensor, " B"]  # logit of "this image is real"
    auxiliary: Float[Tensor, "B K"]  # logits of the auxiliary head; the method sets K, maybe 0
    features: Float[Tensor, "B F"]  # the input of both heads


@dataclass(frozen=True)
class Batch:
    """Images with their labels and their positions in the global batch.

    `index` numbers the samples of a step: update u with global batch size N has the numbers
    u * N ... (u + 1) * N - 1, over all parts. It is ascending and stays on the CPU.
    """

    images: Images
    labels: Labels | None  # UNLABELLED where the method may not use the label
    index: Int[Tensor, " B"]
    global_size: int  # samples in the batch of this update, over all parts

    def last(self, fraction: float) -> slice:
        """The local rows in the last `fraction` of the global batch."""
        return last_rows(self.index, self.global_size, fraction)


@dataclass(frozen=True)
class GeneratorInput:
    """The input of a generator: a Batch with `latents` in place of `images`."""

    latents: Latents
    labels: Labels | None
    index: Int[Tensor, " B"]
    global_size: int
    mixing: Float[Tensor, " B"]  # one uniform number in [0, 1) per row, for gradient penalties
    noise: Callable[[int], Tensor]  # number -> that many further ones per row, [B, number]
    real: Callable[[], Batch]  # reads the reals of D's last update, for losses that pair them


def last_rows(index: Int[Tensor, " B"], global_size: int, fraction: float) -> slice:
    """The local rows whose position in the global batch is in its last `fraction`."""
    first = global_size - round(fraction * global_size)
    ours = int((index % global_size >= first).sum())
    return slice(len(index) - ours, len(index))


class Loss(NamedTuple):
    """The loss to minimize, and named terms for the log (they need not sum to it)."""

    total: Scalar
    terms: Mapping[str, Tensor]


Generator: TypeAlias = Callable[[Tensor, Tensor | None], Tensor]  # (latents, labels) -> images
Discriminator: TypeAlias = Callable[[Tensor, Tensor | None], Scores]  # (images, labels) -> scores


class UserError(Exception):
    """Invalid input; the message is one line: what was given, where, and what is valid.

    The command line prints the line and exits with code 2.
    """


class NonFinite(Exception):  # noqa: N818 - names the state, as NaN does
    """NaN or infinity in an update; the message names the terms. Weights have not changed."""


class PeerLost(Exception):  # noqa: N818 - names the state
    """Another process of this run exited or does not respond; the message says which, if known."""


class RanksDiffer(Exception):  # noqa: N818 - names the state
    """The processes of a run have different values; the message names the first."""
