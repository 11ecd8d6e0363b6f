"""Feature extractors: from images to one row of features an image; checks of such rows.

`RandomFeatures` needs no download: a convolutional network with fixed random weights. A Frechet
distance on it is called FD-random, never FID: it ranks damage, on a scale of its own.
"""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from ssgan.ops.pixels import from_uint8
from ssgan.types import UserError


class AbstractFeatures(ABC):
    """A fixed map from images to rows of features."""

    name: str
    size: int  # F, features a row
    resize: str  # the value of a ResizeRule, or the extractor's own rule
    dtype: str = "float32"  # of the numbers inside the network; features are float32
    reads_alpha: ClassVar[bool] = False  # whether alpha is an input; else images are over white
    identity: str  # sha256 (64 hex digits) of the weights (before folding) and the preprocessing

    @property
    def distance_name(self) -> str:
        """The name of a Frechet distance on these features; "FID" on one network only."""
        return f"FD-{self.name}"

    @abstractmethod
    def __call__(self, images: UInt8[Tensor, "B C S S"]) -> Float[Tensor, "B F"]:
        """One float32 row an image, on the extractor's device, without gradient.

        Images are uint8, 0 to 255, with 1 (grey, repeated to 3), 3 or 4 channels (over white), of
        any size.
        Raises UserError for anything else.
        """


def to_three_channels(images: Shaped[Tensor, "B C S S"]) -> UInt8[Tensor, "B 3 S S"]:
    """Grey repeated to red, green and blue, and transparent images over white.

    Their colours are multiplied by alpha. Raises UserError unless images are uint8.
    """
    if images.dtype != torch.uint8:
        raise UserError(
            f"features need uint8 images (0 to 255), not {images.dtype}; "
            "ops.pixels.to_uint8 converts images in [-1, 1]"
        )
    if images.shape[1] not in (1, 3, 4):
        raise UserError(f"features need images with 1, 3 or 4 channels, not {images.shape[1]}")
    if images.shape[1] == 4:
        white = images[:, :3].to(torch.int16) + (255 - images[:, 3:])
        return white.clamp(max=255).to(torch.uint8)
    return images.expand(-1, 3, -1, -1)


class RandomFeatures(AbstractFeatures):
    """Means and standard deviations of four random convolutional layers: 256 features.

    Images become 32 x 32 (bilinear with antialias) in [-1, 1]. Of each layer: the mean and the
    standard deviation over all positions of every channel; of the last one also the means over
    the four quadrants of 12 channels, which separate up from down and left from right. Three
    quarters of the first filters ignore flat colour (weights of each colour sum to 0, then are
    doubled): without them brightness outweighs blur and noise.

    Weights are uniform integers of a generator with a fixed seed, scaled once: the same bits on
    every machine, as normal numbers would not be. Every layer keeps the second moment.
    """

    name = "random"
    size = 256
    resize = "antialias-bilinear-32"
    _widths = (16, 24, 32, 32)
    _edges = 12  # first filters that ignore flat colour
    _located = 12  # channels of the last layer whose quadrants are pooled
    _side = 32
    _seed = 20190626
    _rows_at_once = 32  # stays in the cache: three times the speed of 128
    _preprocessing = "random-1: bilinear antialias 32, x / 127.5 - 1, leaky 0.2, mean std quadrants"

    def __init__(self, device: torch.device | str = "cpu") -> None:
        generator = torch.Generator().manual_seed(self._seed)
        widths = (3, *self._widths)
        weights = [
            _kernel(before, after, generator, edges=self._edges if layer == 0 else 0)
            for layer, (before, after) in enumerate(pairwise(widths))
        ]
        self._weights = [weight.to(device) for weight in weights]
        self.identity = hash_weights(self._preprocessing, self._weights)
        self._device = device

    @torch.no_grad()
    def __call__(self, images: UInt8[Tensor, "B C S S"]) -> Float[Tensor, "B F"]:
        """256 features an image; see the class."""
        pixels = to_three_channels(images).to(self._device)
        parts = torch.split(pixels, self._rows_at_once)
        return torch.cat([self._rows(part) for part in parts])

    def _rows(self, pixels: UInt8[Tensor, "B 3 S S"]) -> Float[Tensor, "B F"]:
        x = pixels.float()
        if x.shape[-1] != self._side:
            size = (self._side, self._side)
            x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
        x = from_uint8(x)
        pooled: list[Tensor] = []
        for layer, weight in enumerate(self._weights):
            x = F.conv2d(x, weight, stride=1 if layer == 0 else 2, padding=1)
            x = F.leaky_relu(x, 0.2)
            mean = x.mean(dim=(2, 3))
            spread = (x - mean[:, :, None, None]).square().mean(dim=(2, 3)).sqrt()
            pooled += [mean, spread]
        pooled.append(F.adaptive_avg_pool2d(x[:, : self._located], 2).flatten(1))
        return torch.cat(pooled, dim=1)


def _kernel(
    inputs: int, outputs: int, generator: torch.Generator, *, edges: int
) -> Float[Tensor, "O I 3 3"]:
    """He-scaled uniform weights, variance 2 / (1 + 0.2^2) over the fan-in, of exact integers.

    The last `edges` filters have their mean over the 3 x 3 taken off, and are doubled.
    """
    unit = torch.randint(-(2**20), 2**20, (outputs, inputs, 3, 3), generator=generator)
    ninths = 9 * unit
    ninths[outputs - edges :] -= unit[outputs - edges :].sum(dim=(2, 3), keepdim=True)
    ninths[outputs - edges :] *= 2
    scale = math.sqrt(3 * 2 / 1.04 / (inputs * 9)) / (9 * 2**20)
    return (ninths.double() * scale).float()


def hash_weights(preprocessing: str, weights: Iterable[Tensor]) -> str:
    """sha256 of a description and of float32 weights in their order, as 64 hex digits."""
    total = hashlib.sha256(preprocessing.encode())
    for weight in weights:
        total.update(weight.cpu().contiguous().numpy().astype("<f4").tobytes())
    return total.hexdigest()


def check_rows(
    features: Float[Tensor, "N F"], what: str, *, at_least: int = 2
) -> Float[Tensor, "N F"]:
    """The same rows in float64; `what` ("real", "fake") names them in errors.

    Raises UserError when there are fewer than `at_least` rows, or any value is NaN or infinite.
    """
    if len(features) < at_least:
        raise UserError(
            f"{len(features)} {what} images are too few for this metric; it needs {at_least}"
        )
    require_finite(features, what)
    return features.detach().to(torch.float64)


def require_finite(values: Float[Tensor, "N F"], what: str) -> None:
    """Raise UserError that names the first row with a NaN or an infinity."""
    bad = ~values.isfinite().all(dim=1)
    if bad.any():
        first = int(bad.nonzero()[0, 0])
        raise UserError(
            f"features of {int(bad.sum())} of {len(values)} {what} images are NaN or infinite, "
            f"the first in row {first}; no metric of them is meaningful"
        )


def require_same_size(real: Tensor, fake: Tensor) -> None:
    """Raise UserError unless both have the same number of features a row."""
    if real.shape[-1] != fake.shape[-1]:
        raise UserError(
            f"real images have {real.shape[-1]} features each, fake ones {fake.shape[-1]}; "
            "use the same extractor for both"
        )
