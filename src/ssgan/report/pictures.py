"""The pictures of a report: stored sheets, an interpolation, and samples with nearest real images.

Sheets come from their files. The others need the averaged generator, and the last one also the
images that the run was trained on, which are read only where they are prepared already.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ssgan.config.merge import read_json
from ssgan.config.text import spell_duration
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import find_prepared
from ssgan.evaluation.image_sets import RealImages
from ssgan.files.alpha import over_checkerboard, premultiply, straighten
from ssgan.files.errors import explain
from ssgan.files.image_grid import stretch, to_picture
from ssgan.files.names import readable
from ssgan.files.run_directory import RunDirectory, list_step_files, parse_step
from ssgan.metrics.knn import find_nearest
from ssgan.pages.pictures import encode_uri, join_pictures, picture_uri, undo_enlargement
from ssgan.runs.checkpoint import Checkpoint, find_state
from ssgan.runs.precision import resolve_device
from ssgan.runs.sampling import (
    generate_pixels,
    interpolate,
    load_discriminator,
    load_generator,
    sample_latents,
    used_classes,
)
from ssgan.training.evaluator import Norms, layer_norms
from ssgan.types import UserError

_SHEETS, _SHEET_PIXELS = 24, 1 << 25  # of a slider; the pixels of a sheet that is read
_STOPS, _STEPS = 5, 8  # samples of the interpolation, and images from one to the next
_SAMPLES, _NEIGHBOURS = 8, 4
_COMPARED_REALS, _COMPARED_BYTES = 10_000, 1 << 28  # at most so much of the real images is read
_COMPARED_SIDE = 16  # pixels of a side that are compared
_BATCH = 512
_Item = TypeVar("_Item")
COMPARISON = (
    f"Nearest by the mean squared difference of pixels at {_COMPARED_SIDE} x {_COMPARED_SIDE}, "
    "among {count:,} of {total:,} images that the run was trained on."
)


class Sheet(NamedTuple):
    """A stored sheet of samples."""

    step: int
    uri: str
    width: int
    height: int


class Nearest(NamedTuple):
    """A sample, and the real images nearest to it in a row."""

    sample: str
    reals: str


@dataclass
class NetworkPictures:
    """What the newest whole checkpoint makes, and why something is missing."""

    step: int = 0
    size: int = 0  # pixels of a side
    interpolation: str | None = None
    nearest: list[Nearest] = field(default_factory=list)
    compared: str = ""  # how nearest images were found
    weights: list[tuple[str, int]] = field(default_factory=list)  # of a network, and their number
    norms: list[tuple[str, str, Norms]] = field(default_factory=list)  # network, weight, norms
    notes: list[str] = field(default_factory=list)  # what is missing, and why
    seconds: float = 0.0  # that all this took

    def norm_rows(self) -> list[tuple[str, str, Norms, float]]:
        """The network, the weight, its norms, and their share of the network's largest in %."""
        largest = {name: 1e-12 for name, _, _ in self.norms}
        for name, _, norms in self.norms:
            if math.isfinite(norms.effective):
                largest[name] = max(largest[name], norms.effective)
        return [
            (name, at, norms, round(100 * norms.effective / largest[name], 1))
            if math.isfinite(norms.effective)
            else (name, at, norms, 0.0)
            for name, at, norms in self.norms
        ]

    def cost(self) -> list[tuple[str, str]]:
        """The size of both networks, and the time that all this took."""
        sizes = [(f"weights of {name}", f"{count:,}") for name, count in self.weights]
        return [*sizes, ("pictures of this report", spell_duration(self.seconds))]


def read_sheets(layout: RunDirectory, budget: int) -> tuple[list[Sheet], list[str]]:
    """At most 24 sheets at equal distances, the first and last among them, and notes on damage.

    Together they have at most about `budget` bytes: where they would be larger, fewer are kept.
    """
    files, notes, sheets = list_step_files(layout.samples, "png"), list[str](), list[Sheet]()
    for file in _spread(files, _SHEETS):
        try:
            with Image.open(file, formats=["PNG"]) as picture:
                if picture.width * picture.height > _SHEET_PIXELS:
                    raise ValueError("it is too large")
                small = undo_enlargement(picture.convert("RGB"))
        except Exception as error:  # whatever a damaged picture raises
            reason = explain(error) if isinstance(error, OSError) else str(error)
            notes.append(f"{readable(file)} cannot be read: {reason}")
            continue
        sheets.append(Sheet(parse_step(file), encode_uri(small, "webp"), *small.size))
    while len(sheets) > 1 and sum(len(sheet.uri) for sheet in sheets) > budget:
        sheets = _spread(sheets, (len(sheets) + 1) // 2)
    return sheets, notes


def _spread(items: Sequence[_Item], count: int) -> list[_Item]:
    """At most `count` items at equal distances, with the last one."""
    if len(items) <= count:
        return list(items)
    if count < 2:
        return [items[-1]]
    return [items[round(k * (len(items) - 1) / (count - 1))] for k in range(count)]


def draw_networks(
    layout: RunDirectory, device: str, cache: Path | None, trusted: Sequence[str] = ()
) -> NetworkPictures:
    """Pictures and spectral norms from the newest whole checkpoint; what fails becomes a note."""
    made, started = NetworkPictures(), time.monotonic()
    try:
        saved, passed_over = find_state(layout.root, trusted_modules=tuple(trusted))
        made.notes += passed_over
        made.step, made.size = saved.step, saved.config.data.shape.size
        with torch.no_grad():
            generator = load_generator(saved, resolve_device(device))
            discriminator = load_discriminator(saved, torch.device("cpu"))
            for name, network in (("G", generator), ("D", discriminator)):
                made.weights.append((name, sum(p.numel() for p in network.parameters())))
                made.norms += [(name, at, norms) for at, norms in layer_norms(network)]
            samples = _generate(generator, saved, _SAMPLES)
            made.interpolation = _draw_interpolation(generator, saved)
            made.nearest, made.compared = _find_nearest(
                samples, layout, cache, saved.config.data.ratio
            )
    except UserError as error:
        made.notes.append(str(error))
    made.seconds = time.monotonic() - started
    return made


def _labels(saved: Checkpoint, count: int) -> Tensor | None:
    """All classes in turn; None for a method without classes."""
    if not saved.config.method.conditional:
        return None
    used = torch.tensor(used_classes(saved))
    return used[torch.arange(count) % len(used)]


def _generate(generator: torch.nn.Module, saved: Checkpoint, count: int) -> NDArray[np.uint8]:
    """The first samples of `ssgan sample`, uint8 [N, S, S, C]."""
    latents = sample_latents(saved.config.generator, 0, "sample", count)
    return generate_pixels(generator, latents, _labels(saved, count))


def _draw_interpolation(generator: torch.nn.Module, saved: Checkpoint) -> str:
    """A row from each sample to the next; a row has the class of its first sample."""
    spec, labels = saved.config.generator, _labels(saved, _STOPS - 1)
    path = interpolate(spec, sample_latents(spec, 0, "sample", _STOPS), _STEPS)
    repeated = None if labels is None else labels.repeat_interleave(_STEPS)
    frames = _as_shown(generate_pixels(generator, path, repeated), saved.config.data.ratio)
    return encode_uri(to_picture(join_pictures(frames, _STEPS)).convert("RGB"), "webp")


def _as_shown(pixels: NDArray[np.uint8], ratio: float | None) -> NDArray[np.uint8]:
    """Straight images as on sheets of samples: over a checkerboard, and in the data's ratio."""
    return stretch(over_checkerboard(pixels), ratio)


def _find_nearest(
    samples: NDArray[np.uint8], layout: RunDirectory, cache: Path | None, ratio: float | None = None
) -> tuple[list[Nearest], str]:
    """Each sample, straight, beside its nearest real images, and how they were found.

    They are shown at width / height `ratio`; None is 1. Raises UserError when the images are not
    prepared here, or are others.
    """
    dataset = _open_images(layout, cache)
    reals = RealImages(dataset)
    affordable = max(1, _COMPARED_BYTES // int(np.prod(dataset.images.shape[1:])))
    count = min(_COMPARED_REALS, affordable, len(dataset))
    rows = torch.cat([_shrink(part) for part in reals.batches(count, _BATCH)])
    own = _shrink(torch.from_numpy(premultiply(samples)).permute(0, 3, 1, 2))
    places = find_nearest(own, rows, min(_NEIGHBOURS, count))
    pairs = list[Nearest]()
    for sample, found in zip(_as_shown(samples, ratio), places, strict=True):
        near = straighten(reals.images(0, found).permute(0, 2, 3, 1).numpy())
        strip = join_pictures(_as_shown(near, ratio), len(near))
        pairs.append(Nearest(picture_uri(sample), picture_uri(strip)))
    return pairs, COMPARISON.format(count=count, total=len(dataset))


def _open_images(layout: RunDirectory, cache: Path | None) -> Dataset:
    manifest = read_json(layout.manifest) if layout.manifest.exists() else {}
    dataset = find_prepared(str(manifest.get("key")), cache)
    if dataset is None or dataset.content_hash != manifest.get("content_hash"):
        raise UserError(
            "no nearest real images: the images of this run are not prepared on this machine; "
            "ssgan data prepare SOURCE prepares them"
        )
    return dataset


def _shrink(images: UInt8[Tensor, "N C S S"]) -> Float[Tensor, "N F"]:
    """Images as rows of at most 16 x 16 pixels, by the mean of areas."""
    side = min(_COMPARED_SIDE, images.shape[-1])
    return F.adaptive_avg_pool2d(images.float(), side).flatten(1)
