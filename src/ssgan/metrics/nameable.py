"""Nameable samples: the share of images that a classifier assigns to one kind of `objects`.

The classifier has ten kinds and an eleventh class, "none of these": noise, backdrops alone, blends
of two objects, samples of an untrained generator. An image is nameable if one of the ten kinds has
a probability above 0.9. `python docs/make_nameable.py` trains the classifier, calibrates its
probabilities by a temperature (Guo et al. 2017) and writes `nameable.npz` beside this file.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ssgan.metrics.features import AbstractFeatures, hash_weights
from ssgan.metrics.pretrained import require_sha256
from ssgan.ops.pixels import from_uint8
from ssgan.types import UserError

NUM_KINDS = 10  # and one class more: none of them
SIDE = 32  # pixels; the classifier reads RGB images of this size only
CONFIDENCE = 0.9  # a nameable image has one kind with a probability above this
STRIDES = (1, 2, 2, 1, 2, 1)  # of the convolutions, each 3 x 3 with ReLU
WEIGHTS = Path(__file__).with_name("nameable.npz")
_SHA256 = "3ef2683b70719039ad1bfd96b53f483bfd7ebb9736f16851aa3ef3625cfff635"
_ROWS_AT_ONCE = 256  # images in one forward; bounds the memory


class ObjectClassifier(AbstractFeatures):
    """Calibrated log-probabilities of the ten kinds and of "none of these", from 32 x 32 RGB.

    The weights belong to the convolutions in order, with batch norm folded in, then to the linear
    layer on the mean over positions, which is divided by the temperature.
    """

    name = "object-classifier"
    size = NUM_KINDS + 1
    resize = "none"
    _preprocessing = "nameable-1: x / 127.5 - 1"

    def __init__(self, weights: Sequence[Tensor], device: torch.device | str = "cpu") -> None:
        self._weights = [weight.float().to(device) for weight in weights]
        self.identity = hash_weights(self._preprocessing, self._weights)
        self._device = device

    @classmethod
    def load(cls, device: torch.device | str = "cpu") -> "ObjectClassifier":
        """The classifier of this package; raises UserError if its file is missing or damaged."""
        require_sha256(WEIGHTS, _SHA256)
        with np.load(WEIGHTS, allow_pickle=False) as file:
            arrays = [torch.from_numpy(file[f"arr_{n}"]) for n in range(len(file.files))]
        return cls(arrays, device)

    @torch.no_grad()
    def __call__(self, images: UInt8[Tensor, "B C S S"]) -> Float[Tensor, "B 11"]:
        """Log-probabilities; raises UserError unless the images are uint8 [B, 3, 32, 32]."""
        if images.dtype != torch.uint8 or images.shape[1:] != (3, SIDE, SIDE):
            given = f"{images.dtype} {list(images.shape)}"
            raise UserError(f"the classifier of objects reads uint8 [N, 3, 32, 32], not {given}")
        parts = torch.split(images, _ROWS_AT_ONCE)
        return torch.cat([self._classify(from_uint8(part.to(self._device))) for part in parts])

    def _classify(self, x: Float[Tensor, "B 3 32 32"]) -> Float[Tensor, "B 11"]:
        *layers, weight, bias = self._weights
        for stride, kernel, shift in zip(STRIDES, layers[::2], layers[1::2], strict=True):
            x = F.conv2d(x, kernel, shift, stride=stride, padding=1).relu()
        return F.linear(x.mean(dim=(2, 3)), weight, bias).log_softmax(dim=1)


class NameableShare(NamedTuple):
    """How many images show one of the ten kinds, and how evenly the kinds occur."""

    share: float  # of all images, in [0, 1]
    counts: tuple[int, ...]  # nameable images of each kind
    kinds: float  # exp of the entropy of the counts: 1 if all are one kind, 10 if all are equal


def measure_nameable(log_probabilities: Float[Tensor, "N 11"]) -> NameableShare:
    """The share from the classifier's rows; `kinds` is 0 where no image is nameable."""
    best, kind = log_probabilities[:, :NUM_KINDS].exp().max(dim=1)
    counts = torch.bincount(kind[best > CONFIDENCE], minlength=NUM_KINDS)
    total = int(counts.sum())
    shares = counts.double() / max(total, 1)
    entropy = torch.special.entr(shares).sum()
    return NameableShare(
        share=total / max(len(best), 1),
        counts=tuple(counts.tolist()),
        kinds=float(entropy.exp()) if total else 0.0,
    )
