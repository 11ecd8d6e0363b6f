"""D's features of fakes and real images as points of a plane, each with its picture."""

import importlib
import importlib.util
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ssgan.export.model import Model
from ssgan.ops.pixels import from_uint8
from ssgan.runs.sampling import to_pixels
from ssgan.types import UserError
from ssgan.web.jobs import PageJob
from ssgan.web.models import require_discriminator
from ssgan.web.pictures import encode_address, join_thumbnails
from ssgan.web.run_images import ChosenImages, find_label, to_batch

_AT_ONCE = 16  # images, so that work rests often
_NEIGHBOURS = 15  # of an image, for UMAP
_COLUMNS, _SIDE = 20, 48  # of the sheet of thumbnails; pixels of one


def has_umap() -> bool:
    """Whether the optional package umap-learn is installed."""
    return importlib.util.find_spec("umap") is not None


def draw_map(
    model: Model, fakes: int, reals: ChosenImages | None, way: str, job: PageJob
) -> dict[str, Any]:
    """The map of the first `fakes` samples of seed 0 and of some real images.

    Coordinates are in [-1, 1]; `explained` is the share of the variance that each axis has, for
    PCA. Raises UserError for a state without D, for fewer than 3 images, and for UMAP without it.
    """
    require_discriminator(model)
    if way == "umap" and not has_umap():
        raise UserError("UMAP needs umap-learn, which is not installed: pip install umap-learn")
    total = fakes + (0 if reals is None else len(reals.pixels))
    if total < 3:
        raise UserError(f"a map needs 3 images or more, not {total}")
    parts = [_sample_slowly(model, fakes, job, total)] if fakes else []
    parts += [] if reals is None else [reals.pixels]
    pixels = np.concatenate(parts)
    features, logits = list[Tensor](), list[float]()
    classes = len(model.classes)
    labels = [number % max(1, classes) for number in range(fakes)]
    labels += [] if reals is None else [find_label(model, reals, one) or 0 for one in reals.labels]
    for images in _batches(pixels):
        done = len(logits)
        job.advance(total + done, 2 * total)
        scores = model.logits(images, labels[done : done + len(images)] if classes else None)
        features.append(scores.features.float().cpu().nan_to_num())
        logits += scores.real.float().tolist()
    places, explained = _place(torch.cat(features), way)
    named = [] if reals is None else [f"image {number}" for number in reals.numbers]
    return {
        "points": places.tolist(),
        "real": [False] * fakes + [True] * (total - fakes),
        "names": [f"sample {number}" for number in range(fakes)] + named,
        "logits": [value if math.isfinite(value) else None for value in logits],
        "sheet": encode_address(join_thumbnails(pixels, _COLUMNS, _SIDE)),
        "columns": _COLUMNS,
        "side": min(_SIDE, model.shape.size),
        "explained": explained,
        "way": way,
    }


def _sample_slowly(model: Model, count: int, job: PageJob, total: int) -> NDArray[np.uint8]:
    latents, found = model.latents(count), list[NDArray[np.uint8]]()
    for start in range(0, count, _AT_ONCE):
        job.advance(start, 2 * total)
        rows = slice(start, start + _AT_ONCE)
        labels = None
        if model.classes:
            labels = [number % len(model.classes) for number in range(count)[rows]]
        images = model.generate(latents[rows], labels)
        found.append(to_pixels(images))
    return np.concatenate(found)


def _batches(pixels: NDArray[np.uint8]) -> Iterator[Tensor]:
    for start in range(0, len(pixels), _AT_ONCE):
        yield from_uint8(to_batch(pixels[start : start + _AT_ONCE]))


def _place(features: Float[Tensor, "N F"], way: str) -> tuple[Float[Tensor, "N 2"], list[float]]:
    if way == "umap":
        return _fit_square(_embed(features)), []
    return project_on_plane(features)


def _embed(features: Float[Tensor, "N F"]) -> Float[Tensor, "N 2"]:
    """The places of UMAP, the same for the same features. Raises UserError where it fails."""
    neighbours = min(_NEIGHBOURS, len(features) - 1)
    try:
        umap = importlib.import_module("umap")
        way = umap.UMAP(n_components=2, n_neighbors=neighbours, random_state=0, n_jobs=1)
        found = way.fit_transform(features.numpy())
    except Exception as error:  # of many kinds, such as TypeError for 3 images
        raise UserError(f"UMAP failed, so choose PCA: {error}".splitlines()[0]) from None
    return torch.from_numpy(np.asarray(found, np.float32)).nan_to_num()


def project_on_plane(
    features: Float[Tensor, "N F"],
) -> tuple[Float[Tensor, "N 2"], list[float]]:
    """Principal components: coordinates in [-1, 1], and the share of the variance of each axis."""
    centred = (features - features.mean(0)).double()
    left, values, _ = torch.linalg.svd(centred, full_matrices=False)
    power = values.square()
    whole = float(power.sum()) or 1.0
    places = torch.zeros(len(features), 2, dtype=torch.float64)
    axes = min(2, len(values))
    places[:, :axes] = left[:, :axes] * values[:axes]
    return _fit_square(places), [float(one) / whole for one in power[:2]]


def _fit_square(places: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
    """The same places, centred, with the largest distance from the middle 1 along each axis."""
    middle = (places.amax(0) + places.amin(0)) / 2
    reach = (places - middle).abs().amax(0).clamp(min=1e-12)
    return (places - middle) / reach
