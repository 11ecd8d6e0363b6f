"""Words on the command line as a run, images, or statistics of images."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from ssgan.data.base import AbstractSource, Fit, Preprocessing
from ssgan.data.npz import holds_images
from ssgan.data.prepare import choose_size
from ssgan.data.sources import parse_source
from ssgan.data.unsupported import find_way_out, names_archive
from ssgan.evaluation.image_sets import StoredStatistics
from ssgan.files.names import readable
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.metrics.protocol import read_statistics
from ssgan.runs.checkpoint import FoundState, find_state
from ssgan.runs.model_file import find_networks, names_file
from ssgan.types import ImageShape, UserError

EvaluationInput: TypeAlias = FoundState | AbstractSource | StoredStatistics


def parse_input(
    text: str,
    *,
    best: bool = False,
    step: int | None = None,
    trusted_modules: Sequence[str] = (),
) -> EvaluationInput:
    """The run (or checkpoint or model), the statistics (`.npz`) or the source that `text` names.

    OWNER/NAME is a model of the Hub, hub:OWNER/NAME a data set. `best` and `step` choose among
    the states of a run directory; the default is the newest. A run's settings may use classes of
    ssgan and of the `trusted_modules`. Raises UserError for what does not exist, cannot be read or
    is none of these.
    """
    path = Path(os.path.expanduser(text))  # unlike Path's own, it leaves an unknown user's ~ alone
    chosen = best or step is not None
    is_model = not text.startswith("hub:") and names_file(path)
    if not is_model and RunDirectory(path).holds_run():
        file = _checkpoint_of(path, best, step)
        return find_state(file, best=best, trusted_modules=trusted_modules)
    if chosen:
        raise UserError(f"--best and --step choose a state of a run directory; {text} is none")
    if path.is_file() and (names_archive(path) or holds_images(path) or _is_foreign(path)):
        return parse_source(text)
    if path.suffix == ".npz" and (path.is_file() or ":" not in text):
        return StoredStatistics(text, read_statistics(path))
    named = path.suffix in (".safetensors", ".ckpt") and ":" not in text
    if is_model or path.is_file() or named:
        return find_networks(path, trusted_modules=trusted_modules)
    return parse_source(text)


def find_source(subject: FoundState | AbstractSource) -> AbstractSource:
    """The images themselves, or those that the run was trained on."""
    return subject if isinstance(subject, AbstractSource) else subject.checkpoint.config.data.source


def _is_foreign(path: Path) -> bool:
    """Whether a file has a known ending and is no statistics: the source's message helps."""
    return path.suffix != ".npz" and find_way_out(str(path)) is not None


def _checkpoint_of(run: Path, best: bool, step: int | None) -> Path:
    if step is None:
        return run
    if best:
        raise UserError("--best and --step exclude each other")
    layout = RunDirectory(run)
    if not layout.checkpoint(step).exists():
        steps = ", ".join(str(parse_step(path)) for path in reversed(layout.checkpoint_files()))
        raise UserError(f"{run} has no checkpoint of step {step}; it has {steps or 'none'}")
    return layout.checkpoint(step)


def choose_reference(subject: EvaluationInput) -> tuple[AbstractSource, str]:
    """The real images that a run is compared with by default, and a sentence on which they are.

    The held-out images of its source, or the training images where the source has none. Raises
    UserError for anything but a run.
    """
    if not isinstance(subject, FoundState):
        raise UserError(
            "evaluate needs --against SOURCE, FOLDER or STATS.npz: only a run has real images of "
            "its own"
        )
    source = subject.checkpoint.config.data.source
    if (held_out := source.held_out()) is not None:
        return held_out, f"against {held_out.name()}, the held-out images of {source.name()}"
    return source, (
        f"against {source.name()}, the run's training images, because it has no held-out ones: "
        "memorised samples score well (--against IMAGES compares with others)"
    )


def name_subject(text: str, subject: FoundState | AbstractSource) -> str:
    """The subject's name in results: with its step, if it is a run."""
    if isinstance(subject, AbstractSource):
        return subject.name()
    best = ", best" if subject.checkpoint.path.parent.name == "best" else ""
    return f"{readable(text)}{best}, step {subject.checkpoint.step}"


def common_preprocessing(
    inputs: Sequence[EvaluationInput],
    shape: ImageShape | None,
    size: int | None,
    fit: Fit | None = None,
) -> tuple[Preprocessing, list[str]]:
    """How all images are prepared so that they compare, and what to say of it.

    As a run prepared its own; else at `shape`, which an extractor needs; else at the smallest of
    the natural sizes, or at `size`. `fit` is the run's, else crop. Raises UserError when runs,
    sizes and fits disagree.
    """
    runs = [one.checkpoint.config.data for one in inputs if isinstance(one, FoundState)]
    sources = [one for one in inputs if isinstance(one, AbstractSource)]
    required = [run.shape for run in runs] + ([shape] if shape else [])
    if len(set(required)) > 1 or (size and any(size != fixed.size for fixed in required)):
        sizes = ", ".join(f"{s.size} x {s.size} with {s.channels} channels" for s in required)
        conflict = f"; they conflict with --size {size}" if size else ""
        raise UserError(f"images of one size are compared; these need {sizes}{conflict}")
    if runs and fit not in (None, runs[0].fit):
        raise UserError(f"the run has data.fit {runs[0].fit}, which conflicts with --fit {fit}")
    opened = {source.name(): source.open() for source in sources}
    stats = {name: collection.header_stats() for name, collection in opened.items()}
    if required:
        preprocessing = runs[0].preprocessing if runs else Preprocessing(shape=required[0])
    else:
        smallest = min(choose_size(found) for found in stats.values())
        grey = all(found.grey for found in stats.values())
        preprocessing = Preprocessing(shape=ImageShape(1 if grey else 3, size or smallest))
    if not runs:
        preprocessing = replace(preprocessing, fit=fit or "crop")
    side = preprocessing.shape.size
    notes = [f"{name}: {note}" for name, found in opened.items() for note in found.notes()]
    grey = preprocessing.shape.channels == 1
    words = "colour images are compared as grey" if grey else "grey images are compared as colour"
    notes += [f"{name}: {words}" for name, found in stats.items() if found.grey != grey]
    notes += [
        f"{name}: prepared at {side} x {side} pixels (short side {found.short_side})"
        for name, found in stats.items()
        if found.short_side != side
    ]
    return preprocessing, notes
