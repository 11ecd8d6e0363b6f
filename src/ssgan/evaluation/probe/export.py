"""Features of D as files for anyone's classifier: .npy, .npz or Parquet.

Rows are in the order of the prepared data set. Unfinished work is in `<file>.partial/`; the file
appears whole.
"""

import contextlib
import importlib
import json
import os
import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssgan.data.base import AbstractSource, Progress
from ssgan.data.dataset import Dataset
from ssgan.evaluation.probe import feature_store
from ssgan.evaluation.probe.maps import Layer, ProbedDiscriminator
from ssgan.files.atomic import open_atomic, sync_folder, write_json
from ssgan.files.own_outputs import refuse_other_images
from ssgan.ops.collective import rank
from ssgan.types import UNLABELLED, UserError

ENDINGS = (".npy", ".npz", ".parquet")
_GROUP_ROWS = 1024  # rows of a Parquet row group


class _Export(NamedTuple):
    dataset: Dataset
    names: list[str]
    layers: list[Layer]
    folder: Path  # of the stored features
    facts: dict[str, Any]


def check_target(target: Path, layers: int) -> None:
    """Raise UserError unless so many layers can be written to a file of this name."""
    if target.suffix not in ENDINGS:
        raise UserError(f"--out {target}: its ending must be {', '.join(ENDINGS)}")
    if target.is_dir():
        raise UserError(f"--out {target} is a folder; give the name of a file")
    if target.suffix == ".npy" and layers > 1:
        raise UserError(f"--out {target}: .npy holds one block; give .npz or .parquet, or --block")
    refuse_other_images(target)
    if target.suffix == ".parquet":
        _pyarrow()


def partial_folder(target: Path) -> Path:
    """The folder of unfinished work for a file."""
    return target.with_name(target.name + ".partial")


def export_features(
    subject: ProbedDiscriminator,
    dataset: Dataset,
    names: list[str],
    layers: list[Layer],
    target: Path,
    progress: Progress = lambda done, total: None,
) -> None:
    """Write the features, label and name of every image; an interrupted call is continued.

    .npy: float32 [N, F], with `<stem>.labels.npy` (int64) and `<stem>.json` (protocol, names)
    beside. .npz: `block_0`, ..., `labels`, `names`, `classes`, `protocol`. Parquet: columns
    `name`, `label`, `class` and `block_0`, ... (lists of F float32), protocol in the metadata.
    An image without a label has -1, and null in Parquet. Several ranks share the images, and rank
    0 writes. Raises what `fill_store` raises.
    """
    folder = partial_folder(target)
    feature_store.fill_store(subject, dataset, np.arange(len(dataset)), layers, folder, progress)
    if rank() > 0:
        return
    facts = describe_export(subject, dataset, layers)
    if target.suffix == ".npy":
        if dataset.labels is not None:
            with open_atomic(target.with_suffix(".labels.npy")) as file:
                np.lib.format.write_array(file, dataset.labels, allow_pickle=False)
        write_json(target.with_suffix(".json"), {**facts, "names": names})
        os.replace(feature_store.feature_path(folder, layers[0]), target)
    else:
        ready = folder / "ready"
        ready.unlink(missing_ok=True)
        write = _write_npz if target.suffix == ".npz" else _write_parquet
        write(ready, _Export(dataset, names, layers, folder, facts))
        with ready.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(ready, target)
    sync_folder(target.parent)
    shutil.rmtree(folder, ignore_errors=True)


def describe_export(
    subject: ProbedDiscriminator, dataset: Dataset, layers: list[Layer]
) -> dict[str, Any]:
    """The run, the images and the layers of the features, as JSON values."""
    shape = subject.config.data.shape
    return {
        "run": subject.run,
        "method": subject.method,
        "step": subject.step,
        "discriminator_sha256": subject.sha256,
        "maps": f"{type(subject.config.discriminator).__name__}.block_outputs",
        "source": dataset.manifest.get("source"),
        "content_hash": dataset.content_hash,
        "image_size": shape.size,
        "channels": shape.channels,
        "images": len(dataset),
        "classes": list(dataset.classes),
        "layers": [
            {
                "block": layer.block,
                "pooling": layer.pooling,
                "map": [subject.maps[layer.block][0], *[subject.maps[layer.block][1]] * 2],
                "features": feature_store.feature_width(subject, layer),
            }
            for layer in layers
        ],
        "standardised": False,
    }


def list_item_names(source: AbstractSource, dataset: Dataset) -> list[str]:
    """The source's name of every usable image, in order."""
    collection = source.open()
    rejected = {name for name, _ in dataset.manifest["rejected"]}
    names = [collection.item(number) for number in range(len(collection))]
    kept = [name for name in names if name not in rejected]
    return kept if len(kept) == len(dataset) else [f"row {k}" for k in range(len(dataset))]


def _write_npz(ready: Path, export: _Export) -> None:
    dataset = export.dataset
    with zipfile.ZipFile(ready, "w", zipfile.ZIP_STORED) as archive:
        for layer in export.layers:
            path = feature_store.feature_path(export.folder, layer)
            archive.write(path, f"block_{layer.block}.npy")
        arrays = {"names": np.array(export.names), "protocol": np.array(json.dumps(export.facts))}
        if dataset.labels is not None:
            arrays |= {"labels": dataset.labels, "classes": np.array(dataset.classes)}
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _write_parquet(ready: Path, export: _Export) -> None:
    arrow, parquet = _pyarrow(), importlib.import_module("pyarrow.parquet")
    blocks = {f"block_{layer.block}": layer for layer in export.layers}
    load = partial(feature_store.load_features, export.folder)
    fields = [("name", arrow.string()), ("label", arrow.int64()), ("class", arrow.string())]
    widths = {name: load(layer, slice(0)).shape[1] for name, layer in blocks.items()}
    fields += [(name, arrow.list_(arrow.float32(), width)) for name, width in widths.items()]
    schema = arrow.schema(fields, metadata={"ssgan": json.dumps(export.facts)})
    dataset, count = export.dataset, len(export.dataset)
    labels: list[int | None] = [None] * count
    classes: list[str | None] = [None] * count
    if dataset.labels is not None:
        labels = dataset.labels.tolist()
        classes = [None if k == UNLABELLED else dataset.classes[k] for k in dataset.labels]
        labels = [None if k == UNLABELLED else k for k in labels]
    with contextlib.closing(parquet.ParquetWriter(str(ready), schema)) as writer:
        for start in range(0, count, _GROUP_ROWS):
            group = slice(start, start + _GROUP_ROWS)
            columns = [
                arrow.array(export.names[group], arrow.string()),
                arrow.array(labels[group], arrow.int64()),
                arrow.array(classes[group], arrow.string()),
            ]
            for name, layer in blocks.items():
                flat = arrow.array(load(layer, group).reshape(-1))
                columns.append(arrow.FixedSizeListArray.from_arrays(flat, widths[name]))
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))


def _pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError:
        raise UserError(
            "Parquet files need pyarrow: pip install 'ssgan[parquet]', or give --out FILE.npz"
        ) from None
