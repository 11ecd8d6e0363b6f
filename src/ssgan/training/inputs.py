"""All that a run trains on: its images, prepared and checked, and a fresh state."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ssgan.data.base import AbstractCollection, AbstractSource, Preprocessing, Progress
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import decodes_as_before, prepare
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device
from ssgan.runs.state import TrainState
from ssgan.training.evaluator import prepare_held_out
from ssgan.training.feed import Feed
from ssgan.training.resume import RunRecord, ask_for_place
from ssgan.training.validation import validate_dataset, validate_run

_LOG = logging.getLogger("ssgan")
_EARLIER_DECODING = (
    "the run began on images that an earlier version decoded without their colour profiles or "
    "ranges of values, and continues on those; a run in a new directory has the right colours"
)


class RunProgress:
    """What a caller of `run` can show before the first step. A subclass overrides what it shows."""

    def bar(self, what: str, unit: str) -> AbstractContextManager[Progress]:
        """A callback for (done, total), within a download ("bytes") or a preparation ("images")."""
        return nullcontext(lambda done, total: None)

    def wait(self) -> None:
        """Another process prepares the same images, and this one waits for it."""

    def begin(self, dataset: Dataset, warnings: Sequence[str]) -> None:
        """The images are prepared and steps begin; by default warnings are logged."""
        for sentence in warnings:
            _LOG.warning("%s", sentence)


class RunInputs(NamedTuple):
    """All that a run trains on."""

    dataset: Dataset
    held_out: Dataset | None
    feed: Feed
    state: TrainState  # fresh
    warnings: tuple[str, ...] = ()

    @staticmethod
    def of(config: RunConfig, dataset: Dataset, held_out: Dataset | None) -> "RunInputs":
        """Those of prepared images, after the checks of settings against them."""
        device = resolve_device(config.device)
        state = validate_dataset(config, dataset, device)
        return RunInputs(dataset, held_out, Feed(config, dataset, device), state)


@dataclass(frozen=True)
class InputPreparation:
    """How the images of a run are found, decoded and verified."""

    config: RunConfig
    layout: RunDirectory
    cache: Path | None  # None: the default one
    progress: RunProgress
    verify: bool = False  # every byte of prepared images

    def prepare(self, collection: AbstractCollection | None, record: RunRecord) -> RunInputs:
        """Open the source, unless it is open, check the run against it, then decode its images.

        `record` is what the directory's run, if any, began with: it keeps its classes, and images
        of an earlier decoding.
        """
        config, device = self.config, resolve_device(self.config.device)
        if collection is None:
            collection = self._open(config.data.source)
        num_classes = len(collection.used_classes())
        state = validate_run(
            *(config, len(collection), num_classes),
            num_unlabelled=collection.num_unlabelled(),
            device=device,
        )
        dataset, decoding = self._decode_as_begun(collection, record.content_hash)
        dataset = dataset.with_classes(record.classes)
        if dataset.num_classes != num_classes or len(dataset) < len(collection):
            known = state if dataset.num_classes == num_classes else None
            state = validate_dataset(config, dataset, device, known)  # some items are unusable
        held_out = prepare_held_out(config, lambda source, _: self._decode(source, decoding))
        warnings = (_EARLIER_DECODING,) if decoding != config.data.preprocessing else ()
        return RunInputs(dataset, held_out, Feed(config, dataset, device), state, warnings)

    def _open(self, source: AbstractSource) -> AbstractCollection:
        with ask_for_place(self.layout, source):
            with self.progress.bar("downloading", "bytes") as advance:
                source.fetch(advance)
            return source.open()

    def _decode_as_begun(
        self, collection: AbstractCollection, begun: str | None
    ) -> tuple[Dataset, Preprocessing]:
        """The images; of an earlier version of the decoding, if those are what the run began on."""
        source, wanted = self.config.data.source, self.config.data.preprocessing
        dataset = self._decode(source, wanted, collection)
        if begun in (None, dataset.content_hash) or decodes_as_before(collection):
            return dataset, wanted
        earlier = replace(wanted, decoding=wanted.decoding - 1)
        before = self._decode(source, earlier, collection)
        return (before, earlier) if before.content_hash == begun else (dataset, wanted)

    def _decode(
        self,
        source: AbstractSource,
        preprocessing: Preprocessing,
        collection: AbstractCollection | None = None,
    ) -> Dataset:
        with self.progress.bar("preparing images", "images") as advance:
            return prepare(
                *(source, preprocessing, self.cache, advance),
                collection=collection,
                on_wait=self.progress.wait,
                verify=self.verify,
            )
