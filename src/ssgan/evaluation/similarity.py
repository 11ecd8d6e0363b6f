"""Compare pictures by the features of a discriminator: near duplicates, outliers, search.

The maps after all blocks of D are averaged over 2 x 2 squares, each feature is standardised over
the pictures, and the distance of two pictures is Euclidean. A near duplicate is nearer than most
lightly edited copies are to their originals, which are made from the pictures themselves.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from torch import Tensor

from ssgan.evaluation.probe.maps import pool
from ssgan.metrics.knn import distance_blocks

POOLING = "grid2"
EDITS = "4 % cut off, brightness within 10 %, JPEG of quality 75"
NEIGHBOURS_KEPT = 10  # of each picture
_OUTLIER_NEIGHBOURS = 5
_CUT, _LIGHT, _QUALITY = 0.04, 0.1, 75
_FLAT = 1e-6  # a feature with a smaller deviation is constant

# (images [N, S, S, C] as uint8) -> the map after each block of D, [N, C, S, S] each
BlockMaps = Callable[[NDArray[np.uint8]], Sequence[Tensor]]


def extract_rows(pixels: NDArray[np.uint8], maps: BlockMaps) -> Float[Tensor, "N F"]:
    """The features of these pictures, on the CPU, in float32."""
    rows = [pool(one.float(), POOLING) for one in maps(pixels)]
    return torch.cat(rows, dim=1).cpu()


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """The mean and the deviation of each feature over the pictures."""

    mean: Float[Tensor, " F"]
    deviation: Float[Tensor, " F"]

    @staticmethod
    def of(rows: Float[Tensor, "N F"]) -> "FeatureScale":
        """Those of these rows, of which there are two or more."""
        return FeatureScale(rows.mean(dim=0), rows.std(dim=0).clamp(min=_FLAT))

    def apply(self, rows: Float[Tensor, "N F"]) -> Float[Tensor, "N F"]:
        """Standardised rows."""
        return (rows - self.mean) / self.deviation


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest other pictures of each picture, the nearest first; at most 10."""

    distances: Float[Tensor, "N k"]
    places: Int[Tensor, "N k"]  # row numbers

    def groups(self, threshold: float) -> list[list[int]]:
        """Rows that are linked by distances up to the threshold, the largest group first."""
        above = list(range(len(self.places)))

        def find(row: int) -> int:
            while above[row] != row:
                above[row] = above[above[row]]
                row = above[row]
            return row

        for row, column in (self.distances <= threshold).nonzero().tolist():
            one, other = find(row), find(int(self.places[row, column]))
            above[max(one, other)] = min(one, other)
        members: dict[int, list[int]] = {}
        for row in range(len(above)):
            members.setdefault(find(row), []).append(row)
        groups = [group for group in members.values() if len(group) > 1]
        return sorted(groups, key=lambda group: (-len(group), group))

    def outliers(self, count: int) -> list[tuple[int, float]]:
        """The rows that are farthest from their 5 nearest, with that mean distance."""
        remoteness = self.distances[:, :_OUTLIER_NEIGHBOURS].mean(dim=1)
        found = remoteness.topk(min(count, len(remoteness)))
        return list(zip(found.indices.tolist(), found.values.tolist(), strict=True))


def find_neighbours(
    rows: Float[Tensor, "N F"], progress: Callable[[int, int], None] = lambda done, total: None
) -> Neighbours:
    """The nearest other rows of each row; the distances are computed block by block.

    Memory: the rows, twice, and a block of 4 million distances. `progress` gets rows done and in
    total.
    """
    count = min(NEIGHBOURS_KEPT, len(rows) - 1)
    distances, places = [], []
    for start, block in distance_blocks(rows, rows):
        own = torch.arange(len(block))
        block[own, start + own] = torch.inf
        nearest = block.topk(count, dim=1, largest=False)
        distances.append(nearest.values)
        places.append(nearest.indices)
        progress(start + len(block), len(rows))
    return Neighbours(torch.cat(distances), torch.cat(places))


class NearestKept:
    """The pictures nearest to an example among any number, of which few are kept."""

    def __init__(self, example: Float[Tensor, " F"], count: int) -> None:
        self._example, self._count = example, count
        self.found: list[tuple[float, int]] = []  # distance and number, the nearest first

    def add(self, numbers: Sequence[int], rows: Float[Tensor, "N F"]) -> None:
        """Take the nearest of these pictures in."""
        distances = (rows - self._example).norm(dim=1).tolist()
        self.found = sorted([*self.found, *zip(distances, numbers, strict=True)])[: self._count]


def edit_picture(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """A lightly edited copy of a picture [S, S, C] at half its side: see EDITS."""
    random = np.random.default_rng(seed)
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    side, cut = picture.width, max(1, round(_CUT * picture.width))
    left, top = random.integers(0, cut + 1, 2).tolist()
    picture = picture.crop((left, top, left + side - cut, top + side - cut))
    light = float(random.uniform(1 - _LIGHT, 1 + _LIGHT))
    encoded = io.BytesIO()
    ImageEnhance.Brightness(picture).enhance(light).save(encoded, "JPEG", quality=_QUALITY)
    small = Image.open(encoded).resize((side // 2, side // 2), Image.Resampling.LANCZOS)
    return np.asarray(small, np.uint8).reshape(side // 2, side // 2, pixels.shape[-1])


def choose_threshold(distances: Float[Tensor, " N"], recall: float) -> float:
    """The distance below which this share of edited copies is from their originals."""
    return float(distances.double().quantile(recall))
