"""`ssgan data prepare SOURCE`: decodes a source into the cache and prints a summary."""

from pathlib import Path

from rich.console import Console

from ssgan.cli.folders.options import Data
from ssgan.cli.progress import describe_rejects, fetch_source, log_to_terminal, prepare_images
from ssgan.data.base import Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.sources import parse_source
from ssgan.metrics.rotation_check import check_rotations_of
from ssgan.recipes.auto import choose_training_size
from ssgan.types import ImageShape


def prepare_source(given: Data) -> int:
    """Run `ssgan data prepare`; returns the exit code."""
    log_to_terminal(Console(stderr=True))
    source = fetch_source(parse_source(given.source))
    collection = source.open()
    header_stats = collection.header_stats()
    channels = given.channels or (1 if header_stats.grey else 3)
    red, green, blue = given.background
    preprocessing = Preprocessing(
        shape=ImageShape(channels, given.size or choose_training_size(header_stats)),
        background=(red, green, blue),
        fit=given.fit,
    )
    dataset = prepare_images(
        *(source, preprocessing, given.cache, given.workers, given.strict, collection),
        verify=given.verify,
    )
    print(_summarize(dataset))
    return 0


def _summarize(dataset: Dataset) -> str:
    """The summary of a prepared data set."""
    manifest = dataset.manifest
    size, channels = manifest["size"], "grey" if manifest["channels"] == 1 else "colour"
    classes = "none"
    if dataset.classes:
        counted = zip(dataset.classes, manifest["class_counts"], strict=True)
        listed = ", ".join(f"{name} {count:,}" for name, count in counted)
        classes = f"{dataset.num_classes} ({listed})"
    rotations = check_rotations_of(len(dataset), dataset.batch)
    stored = Path(getattr(dataset.images, "path", ".")).parent
    return "\n".join(
        [
            f"{manifest['source']}: {len(dataset):,} images of {size} x {size} pixels, {channels}",
            f"classes:      {classes}",
            f"duplicates:   {manifest['duplicates']:,}",
            *([] if rotations is None else [f"rotations:    {rotations.sentence}"]),
            *describe_rejects(dataset),
            f"stored in:    {stored}",
            f"content hash: {dataset.content_hash}",
        ]
    )
