"""Features on disk: one .npy a layer, written batch by batch and continued after a kill.

    <folder>/block-3-mean.npy    float32 [N, F], its rows written from the first on
    <folder>/progress.json       which D and images they belong to, and how many rows are complete

Rows are written, not mapped, so a full disk is an error and not a crash.
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray

from ssgan.data.dataset import Dataset
from ssgan.data.prepare import Progress
from ssgan.evaluation.probe.maps import Layer, ProbedDiscriminator, grid_side
from ssgan.files.atomic import DiskFull, free_bytes, write_json
from ssgan.files.links import refuse_links
from ssgan.types import UserError

BATCH = 64  # images in one forward pass
_SAVED_BATCHES = 16  # batches between two updates of progress.json


def feature_width(subject: ProbedDiscriminator, layer: Layer) -> int:
    """The number of features of a layer."""
    channels, side = subject.maps[layer.block]
    return channels * grid_side(layer.pooling, channels, side) ** 2


def feature_path(folder: Path, layer: Layer) -> Path:
    """The file of a layer's features."""
    return folder / f"block-{layer.block}-{layer.pooling}.npy"


def fill_store(
    subject: ProbedDiscriminator,
    dataset: Dataset,
    rows: NDArray[np.int64],
    layers: list[Layer],
    folder: Path,
    progress: Progress = lambda done, total: None,
) -> None:
    """Write the missing features of these images into the folder.

    An interrupted call that had more layers is finished with all of them. Raises UserError when D
    returns NaN or infinity, DiskFull when the rows cannot fit.
    """
    refuse_links(folder.parent, folder)
    marker, facts = folder / "progress.json", _facts(subject, dataset, rows)
    begun = _read_marker(marker, facts, layers)
    if begun is not None:
        layers, done = begun
    else:
        done, needed = 0, sum(len(rows) * feature_width(subject, layer) * 4 for layer in layers)
        if needed > free_bytes(folder):
            raise DiskFull(folder, needed, free_bytes(folder))
        folder.mkdir(parents=True, exist_ok=True)
        marker.unlink(missing_ok=True)
        for layer in layers:
            shape = (len(rows), feature_width(subject, layer))
            feature_path(folder, layer).unlink(missing_ok=True)
            with feature_path(folder, layer).open("xb") as new:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(new, header)
    with ExitStack() as stack:
        paths = [feature_path(folder, layer) for layer in layers]
        refuse_links(folder, *paths)
        files = [stack.enter_context(path.open("r+b")) for path in paths]
        for file in files:
            _seek_row(file, done)
        for start in range(done, len(rows), BATCH):
            numbers = rows[start : start + BATCH]
            _append(subject, dataset, numbers, layers, files)
            done = start + len(numbers)
            if done == len(rows) or done % (BATCH * _SAVED_BATCHES) == 0:
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())
                write_json(marker, {**facts, "layers": layers, "done": done})
            progress(done, len(rows))


def load_features(folder: Path, layer: Layer) -> NDArray[np.float32]:
    """The features of a layer, mapped read-only."""
    features: NDArray[np.float32] = np.load(
        feature_path(folder, layer), mmap_mode="r", allow_pickle=False
    )
    return features


def _append(
    subject: ProbedDiscriminator,
    dataset: Dataset,
    numbers: NDArray[np.int64],
    layers: list[Layer],
    files: Sequence[IO[bytes]],
) -> None:
    """Append the rows of one batch to every file."""
    found = subject.features(dataset.batch(numbers), layers)
    for layer, features, file in zip(layers, found, files, strict=True):
        bad = ~features.isfinite().all(dim=1)
        if bad.any():
            number = int(numbers[int(bad.nonzero()[0, 0])])
            raise UserError(
                f"block {layer.block} of D ({subject.run}, step {subject.step}) returns NaN or "
                f"infinity for image {number} of {dataset.manifest.get('source')}: probe an "
                "earlier step"
            )
        file.write(features.to(torch.float32).contiguous().numpy().tobytes())


def _facts(
    subject: ProbedDiscriminator, dataset: Dataset, rows: NDArray[np.int64]
) -> dict[str, object]:
    return {
        "discriminator": subject.sha256,
        "content_hash": dataset.content_hash,
        "rows": hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest(),
        "device": str(next(subject.discriminator.parameters()).device),
    }


def _read_marker(
    marker: Path, facts: dict[str, object], layers: list[Layer]
) -> tuple[list[Layer], int] | None:
    """The layers of an interrupted call that includes these, and its number of complete rows."""
    try:
        stored = json.loads(marker.read_bytes())
        done, found = stored.pop("done"), [Layer(*layer) for layer in stored.pop("layers")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (found, done) if stored == facts and set(layers) <= set(found) else None


def _seek_row(file: IO[bytes], row: int) -> None:
    """Seek behind so many rows; what follows is overwritten."""
    np.lib.format.read_magic(file)
    shape, _, kind = np.lib.format.read_array_header_1_0(file)
    file.seek(row * math.prod(shape[1:]) * kind.itemsize, os.SEEK_CUR)
