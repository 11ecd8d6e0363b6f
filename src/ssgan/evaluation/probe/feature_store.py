"""Features on disk: one .npy a layer, written batch by batch and continued after a kill.

    <folder>/block-3-mean.npy    float32 [N, F], its rows written from the first on
    <folder>/progress.json       which D and images they belong to, how many rows are complete, and
                                 the sha256 of those rows of each file

Rows are written and read, not mapped: a full disk or a file cut short is an error, not a crash.
"""

import hashlib
import json
import os
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssgan.data.base import Progress
from ssgan.data.dataset import Dataset
from ssgan.evaluation.probe.maps import Layer, ProbedDiscriminator, grid_side
from ssgan.files.atomic import DiskFull, free_bytes, write_json
from ssgan.files.links import open_regular, read_regular, refuse_links
from ssgan.files.nesting import parse_json
from ssgan.ops.collective import broadcast_from_first, rank, share_work
from ssgan.types import UserError

BATCH = 64  # images in one forward pass
_MARKER = "progress.json"
_READ_BYTES = 1 << 20
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

    An interrupted call that had more layers is finished with all of them. Several ranks share the
    batches, and rank 0 writes. Raises UserError when D returns NaN or infinity, or where a rank has
    another D or other images, DiskFull when the rows cannot fit.
    """
    facts = _facts(subject, dataset, rows)
    begun = _begin(subject, layers, folder, facts, len(rows)) if rank() == 0 else None
    layers, done = _share_start(begun, facts)
    starts = range(done, len(rows), BATCH)
    batches = share_work(
        starts,
        lambda start: tuple(subject.features(dataset.batch(rows[start : start + BATCH]), layers)),
    )
    if begun is None:
        deque(batches, maxlen=0)  # rank 0 gets them
        return
    with ExitStack() as stack:
        paths = [feature_path(folder, layer) for layer in layers]
        refuse_links(folder, *paths)
        files = [stack.enter_context(path.open("r+b")) for path in paths]
        for file in files:
            _seek_row(file, done)
        for start, found in zip(starts, batches, strict=True):
            numbers = rows[start : start + BATCH]
            for layer, features in zip(layers, found, strict=True):
                _require_finite(subject, dataset, numbers, layer, features)
            for features, file, digest in zip(found, files, begun.hashes, strict=True):
                data = features.to(torch.float32).contiguous().numpy().tobytes()
                digest.update(data)
                file.write(data)
            done = start + len(numbers)
            if done == len(rows) or done % (BATCH * _SAVED_BATCHES) == 0:
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())
                digests = [one.hexdigest() for one in begun.hashes]
                stored = {**facts, "layers": layers, "done": done, "sha256": digests}
                write_json(folder / _MARKER, stored)
            progress(done, len(rows))


def _begin(
    subject: ProbedDiscriminator,
    layers: list[Layer],
    folder: Path,
    facts: dict[str, object],
    count: int,
) -> "_Begun":
    """The interrupted call in the folder, or new files for so many rows."""
    refuse_links(folder.parent, folder)
    if (begun := _find_begun(folder, facts, layers)) is not None:
        return begun
    needed = sum(count * feature_width(subject, layer) * 4 for layer in layers)
    if needed > free_bytes(folder):
        raise DiskFull(folder, needed, free_bytes(folder))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARKER).unlink(missing_ok=True)
    for layer in layers:
        feature_path(folder, layer).unlink(missing_ok=True)
        with feature_path(folder, layer).open("xb") as new:
            shape = (count, feature_width(subject, layer))
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(new, header)
    return _Begun(layers, 0, [hashlib.sha256() for _ in layers])


def _share_start(begun: "_Begun | None", facts: dict[str, object]) -> tuple[list[Layer], int]:
    """The layers and the first missing row, which rank 0 knows."""
    ours = {name: value for name, value in facts.items() if name != "device"}
    start = None if begun is None else [begun.layers, begun.done, ours]
    sent = None if start is None else json.dumps(start).encode()
    layers, done, theirs = json.loads(broadcast_from_first(sent))
    if theirs != ours:
        raise UserError(
            f"rank {rank()} has another state of D or other images than rank 0: they changed "
            "meanwhile; run the same command again"
        )
    return [Layer(*layer) for layer in layers], done


def load_features(folder: Path, layer: Layer, rows: slice = slice(None)) -> NDArray[np.float32]:
    """The features of a layer, or those of some consecutive rows."""
    path = feature_path(folder, layer)
    with path.open("rb") as file:
        count, width = _read_shape(file)
        start, stop, _ = rows.indices(count)
        file.seek(start * width * 4, os.SEEK_CUR)
        flat = np.fromfile(file, "<f4", (stop - start) * width)
    if flat.size != (stop - start) * width:
        raise UserError(f"{path} is cut short: it changed while it was in use; try again")
    return flat.reshape(-1, width).astype(np.float32, copy=False)


def _require_finite(
    subject: ProbedDiscriminator,
    dataset: Dataset,
    numbers: NDArray[np.int64],
    layer: Layer,
    features: Tensor,
) -> None:
    """Raise UserError, which names the image, for features that are NaN or infinite."""
    bad = ~features.isfinite().all(dim=1)
    if bad.any():
        number = int(numbers[int(bad.nonzero()[0, 0])])
        raise UserError(
            f"block {layer.block} of D ({subject.run}, step {subject.step}) returns NaN or "
            f"infinity for image {number} of {dataset.manifest.get('source')}: probe an "
            "earlier step"
        )


def _facts(
    subject: ProbedDiscriminator, dataset: Dataset, rows: NDArray[np.int64]
) -> dict[str, object]:
    return {
        "discriminator": subject.sha256,
        "content_hash": dataset.content_hash,
        "rows": hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest(),
        "device": str(next(subject.discriminator.parameters()).device),
    }


class _Begun(NamedTuple):
    """An interrupted call."""

    layers: list[Layer]
    done: int  # rows that are complete
    hashes: list[Any]  # sha256 over those rows, of each layer


def _find_begun(folder: Path, facts: dict[str, object], layers: list[Layer]) -> _Begun | None:
    """The interrupted call, if it includes these layers and its rows have the bytes of then."""
    try:
        stored = parse_json(read_regular(folder / _MARKER))
        found, done = [Layer(*layer) for layer in stored.pop("layers")], int(stored.pop("done"))
        digests = stored.pop("sha256", None)  # absent in files of earlier versions
        if digests is None or stored != facts or not set(layers) <= set(found):
            return None
        hashes = [_hash_rows(feature_path(folder, layer), done) for layer in found]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return _Begun(found, done, hashes) if [h.hexdigest() for h in hashes] == digests else None


def _hash_rows(path: Path, count: int) -> Any:
    """A sha256 object over the first rows of a file."""
    digest = hashlib.sha256()
    with os.fdopen(open_regular(path), "rb") as file:
        _, width = _read_shape(file)
        left = count * width * 4
        while left and (piece := file.read(min(left, _READ_BYTES))):
            digest.update(piece)
            left -= len(piece)
    return digest


def _read_shape(file: IO[bytes]) -> tuple[int, int]:
    """The rows and columns of an open .npy file of features; moves to the first row."""
    np.lib.format.read_magic(file)
    shape, _, _ = np.lib.format.read_array_header_1_0(file)
    rows, columns = shape
    return rows, columns


def _seek_row(file: IO[bytes], row: int) -> None:
    """Seek behind so many rows; what follows is overwritten."""
    _, width = _read_shape(file)
    file.seek(row * width * 4, os.SEEK_CUR)
