"""Prepares images with progress shown, and warns of what is odd about them."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ssgan.cli.progress import Meter
from ssgan.data.base import AbstractCollection, AbstractSource, Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import Progress, prepare

_LISTED = 20  # rejects named in a summary


def prepare_images(
    source: AbstractSource,
    preprocessing: Preprocessing,
    cache: Path | None,
    workers: int | None = None,
    strict: bool = False,
    collection: AbstractCollection | None = None,
) -> Dataset:
    """The images of a source, decoded now with a bar or found in the cache.

    `collection` is the opened source, where the caller has it.
    """
    with open_progress_bar("preparing images") as progress:
        return prepare(
            source,
            preprocessing,
            cache,
            progress,
            workers,
            strict=strict,
            collection=collection,
            on_wait=lambda: print("waiting: another process prepares the same", file=sys.stderr),
        )


def fetch_source(source: AbstractSource) -> AbstractSource:
    """The source, after downloading what it lacks with a bar; most lack nothing."""
    with open_progress_bar("downloading", unit="bytes") as progress:
        source.fetch(progress)
    return source


@contextmanager
def open_progress_bar(what: str, unit: str = "images") -> Iterator[Progress]:
    """A progress callback whose bar appears with the first call and ends with the block."""
    shown: list[Meter] = []
    with ExitStack() as bars:

        def progress(done: int, total: int) -> None:
            if not shown:
                shown.append(bars.enter_context(Meter(what, total, done, unit=unit)))
            shown[0].advance(done)

        yield progress


def describe_rejects(dataset: Dataset) -> list[str]:
    """Lines on an odd layout, and on rejected items with their reasons."""
    rejected = dataset.manifest["rejected"]
    lines = [f"note: {notice}" for notice in dataset.manifest["warnings"]]
    if rejected:
        lines.append(f"not used: {len(rejected):,} of {dataset.manifest['num_items']:,} items")
    lines += [f"  {name}: {reason}" for name, reason in rejected[:_LISTED]]
    if len(rejected) > _LISTED:
        lines.append(f"  and {len(rejected) - _LISTED:,} more, all in manifest.json")
    return lines
