"""A forgetting study in its directory: whatever happens, running it again continues it.

forgetting.json    settings, classes, and which images were trained on and tested on
forgetting.jsonl   a line a measurement
forgetting.ckpt    the classifier and its optimizer, written after every measured step
"""

import json
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ssgan.config.merge import read_json
from ssgan.config.serialize import difference, dump
from ssgan.evaluation.splits import Split
from ssgan.files import jsonl
from ssgan.files.atomic import remove_strays, write_json
from ssgan.files.environment import describe_environment
from ssgan.files.errors import require_writable, translate_file_errors
from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import FORMAT_VERSION, ForgettingDirectory, RunDirectory
from ssgan.files.sealed_file import Damaged, read_verified
from ssgan.runs.checkpoint import no_crash, unpack, write_tensors
from ssgan.runs.config_io import list_modules, load_settings
from ssgan.runs.precision import resolve_device, resolve_precision
from ssgan.studies.forgetting.settings import ForgettingSettings, Task, check_images
from ssgan.studies.forgetting.step import Learner, TaskImages, build_learner, learn, measure
from ssgan.training.signals import Interrupted, stop_requests
from ssgan.types import NonFinite, UserError

_LOG = logging.getLogger("ssgan")

Row = dict[str, Any]  # a line of forgetting.jsonl


@dataclass(frozen=True)
class ForgettingReport:
    """How far a study is."""

    step: int  # updates done, of `total`
    total: int
    rows: list[Row]  # what was measured after this step


def forget(
    settings: ForgettingSettings,
    parts: Split,
    directory: Path,
    device: str = "auto",
    crash: Callable[[str], None] = no_crash,
) -> Iterator[ForgettingReport]:
    """Learn every task in turn from where the directory stands; a report a step.

    Raises UserError for images or settings that do not fit, or differ from the directory's;
    Interrupted after a signal; NonFinite for bad numbers; DiskFull.
    """
    layout, place = ForgettingDirectory(directory), resolve_device(device)
    settings = resolve_auto_precision(layout, settings, device)
    check_images(parts)
    facts = _facts(settings, parts)
    count = len(parts.classes)
    total = settings.total_steps(count)
    learner, images = build_learner(settings, place), TaskImages(settings, parts, place)
    with translate_file_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    with translate_file_errors(directory), hold_lock(layout.lock), stop_requests() as stop:
        remove_strays(directory)
        _resume(layout, learner, facts)
        write_json(layout.study, facts)
        write_json(layout.environment, describe_environment(str(place), settings.precision))
        if learner.step == 0:
            rows = _measured(layout, learner, images, settings.tasks_measured_at(0, count))
            yield ForgettingReport(0, total, rows)
        while learner.step < total:
            _learn(learner, images)
            rows = _measured(
                layout, learner, images, settings.tasks_measured_at(learner.step, count)
            )
            leave = stop.received
            if rows or leave:
                _save(layout, learner, facts, crash)
            yield ForgettingReport(learner.step, total, rows)
            if leave and learner.step < total:
                raise Interrupted(leave, learner.step)


def resolve_auto_precision(
    layout: ForgettingDirectory, settings: ForgettingSettings, device: str = "auto"
) -> ForgettingSettings:
    """The settings with precision "auto" made definite: what the directory has, if it has any.

    Raises UserError, naming what differs, when the directory holds another study, or cannot be
    one's.
    """
    _refuse_other_directory(layout)
    place = resolve_device(device)
    stored = _stored(layout, settings)
    if settings.precision == "auto":
        known = resolve_precision("auto", place) if stored is None else stored.precision
        settings = replace(settings, precision=known)
    if stored is not None and (changed := difference(stored, settings)):
        words = "; ".join(map(str, changed))
        raise UserError(f"{layout.root} holds a study with other settings: {words}")
    return settings


def _stored(layout: ForgettingDirectory, settings: ForgettingSettings) -> ForgettingSettings | None:
    if not layout.study.exists():
        return None
    table = read_json(layout.study).get("settings")
    if not isinstance(table, dict):
        raise UserError(f"{layout.study} holds no settings: it is not what ssgan forget wrote")
    found = load_settings(table, list_modules(dump(settings)), str(layout.study))
    if not isinstance(found, ForgettingSettings):
        raise UserError(f"{layout.study} holds settings of {type(found).__name__}, not of a study")
    return found


def _facts(settings: ForgettingSettings, parts: Split) -> dict[str, object]:
    return {
        "format": FORMAT_VERSION,
        "settings": dump(settings),
        "classes": list(parts.classes),
        "train": parts.train.facts(),
        "test": parts.test.facts(),
        "split": parts.how,
    }


def _refuse_other_directory(layout: ForgettingDirectory) -> None:
    root = layout.root
    with translate_file_errors(root):
        if root.exists() and not root.is_dir():
            raise UserError(f"{root} is a file; a study needs a directory")
        started = layout.lock.exists() and not RunDirectory(root).config.exists()
        known = layout.study.exists() or started
        if root.is_dir() and not known and any(root.iterdir()):
            raise UserError(f"{root} holds other files and no study; give an empty directory")
    require_writable(root)


def _resume(layout: ForgettingDirectory, learner: Learner, facts: dict[str, object]) -> None:
    """Put what was saved into the fresh learner, and cut the log back to its step."""
    if layout.study.exists():
        stored = read_json(layout.study)
        for part in ("train", "test"):
            if stored.get(part) != facts[part]:
                raise UserError(
                    f"{layout.root} holds a study of other images to {part} on: put the images "
                    "back, or start in a new directory"
                )
    if layout.state.exists():
        _restore(layout, learner, facts)
    jsonl.cut_back(layout.log, learner.step or -1)  # before a step all is measured again


def _restore(layout: ForgettingDirectory, learner: Learner, facts: dict[str, object]) -> None:
    try:
        content = unpack(read_verified(layout.state))
        saved = json.loads(content["facts"])
    except Damaged as damage:
        aside = layout.state.with_suffix(".damaged")
        layout.state.rename(aside)
        _LOG.warning("starting over: %s; it was set aside as %s", damage, aside.name)
        return
    if any(saved.get(name) != value for name, value in facts.items()):
        raise UserError(f"{layout.state} is of another study; remove it to start over")
    learner.network.load_state_dict(content["network"])
    learner.optimizer.load_state_dict(content["optimizer"])
    learner.step = saved["step"]
    _LOG.info("continuing from iteration %d of %s", learner.step, layout.root)


def _save(
    layout: ForgettingDirectory,
    learner: Learner,
    facts: dict[str, object],
    crash: Callable[[str], None],
) -> None:
    tensors = {
        "network": learner.network.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
    }
    write_tensors(layout.state, {**facts, "step": learner.step}, tensors, crash)


def _learn(learner: Learner, images: TaskImages) -> None:
    try:
        learn(learner, images)
    except NonFinite as refusal:
        raise NonFinite(f"iteration {learner.step + 1}: {refusal}") from None


def _measured(
    layout: ForgettingDirectory, learner: Learner, images: TaskImages, tasks: list[Task]
) -> list[Row]:
    """Ask about these tasks; the rows, which are in the log then."""
    rows = []
    for task in tasks:
        found = measure(learner, images, task)
        if not math.isfinite(found.loss):
            raise NonFinite(f"iteration {learner.step}: the loss on held-out images")
        row = {
            "step": learner.step,
            "task": task.number,
            "cycle": task.cycle,
            "class": images.parts.classes[task.label],
            "after_switch": 0 < task.start == learner.step,
            **found._asdict(),
        }
        jsonl.append(layout.log, row)
        rows.append(row)
    return rows
