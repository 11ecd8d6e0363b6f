"""A forgetting run in its directory. Running it again continues it, whatever happened before.

forgetting.json    settings, classes, and the identity of training and test images
forgetting.jsonl   one line per measurement
forgetting.ckpt    the classifier and its optimizer, written after every measured step
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ssgan.config.merge import read_json
from ssgan.config.serialize import Difference, difference, dump
from ssgan.evaluation.splits import Split
from ssgan.files import jsonl
from ssgan.files.atomic import remove_strays, write_json
from ssgan.files.environment import describe_environment
from ssgan.files.errors import require_writable, translate_file_errors
from ssgan.files.jsonl import WHOLE
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock
from ssgan.files.run_directory import FORMAT_VERSION, ForgettingDirectory, RunDirectory
from ssgan.files.sealed_file import Damaged, read_verified
from ssgan.runs.checkpoint import no_crash, unpack, write_tensors
from ssgan.runs.config_io import list_modules
from ssgan.runs.facts import read_facts
from ssgan.runs.fitting import explain_errors, load_network, load_optimizer
from ssgan.runs.precision import resolve_device, resolve_precision
from ssgan.studies.forgetting.settings import (
    ForgettingSettings,
    check_images,
    parse_settings,
    read_settings,
)
from ssgan.studies.forgetting.step import Learner, TaskImages, build_learner, learn, measure
from ssgan.training.signals import Interrupted, stop_requests
from ssgan.types import NonFinite, UserError

_LOG = logging.getLogger("ssgan")

Row = dict[str, Any]  # a line of forgetting.jsonl
Facts = dict[str, object]  # the content of forgetting.json


@dataclass(frozen=True)
class ForgettingReport:
    """The progress of a run."""

    step: int  # updates done, of `total`
    total: int
    rows: list[Row]  # measurements after this step


def forget(
    settings: ForgettingSettings,
    parts: Split,
    root: Path,
    device: str = "auto",
    crash: Callable[[str], None] = no_crash,
) -> Iterator[ForgettingReport]:
    """Learn the tasks one after another, from the directory's state; yields a report per step.

    Raises UserError for images or settings that do not fit, or differ from the directory's;
    Interrupted after a signal; NonFinite for a non-finite loss or gradient; DiskFull.
    """
    directory, place = ForgettingDirectory(root), resolve_device(device)
    settings = resolve_auto_precision(directory, settings, device)
    check_images(parts)
    facts = _facts(settings, parts)
    total = settings.total_steps(len(parts.classes))
    learner, images = build_learner(settings, place), TaskImages(settings, parts, place)
    with translate_file_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    with translate_file_errors(root), hold_lock(directory.lock), stop_requests() as stop:
        remove_strays(root)
        _resume(directory, learner, facts)
        write_json(directory.study, facts)
        write_json(directory.environment, describe_environment(str(place), settings.precision))
        if learner.step == 0:
            yield ForgettingReport(0, total, _measure(directory, learner, images))
        while learner.step < total:
            try:
                learn(learner, images)
            except NonFinite as refusal:
                raise NonFinite(f"iteration {learner.step + 1}: {refusal}") from None
            rows = _measure(directory, learner, images)
            leave = stop.received
            if rows or leave:
                now = {**facts, "step": learner.step}
                write_tensors(directory.state, now, learner.state_dicts(), crash)
            yield ForgettingReport(learner.step, total, rows)
            if leave and learner.step < total:
                raise Interrupted(leave, learner.step)


def resolve_auto_precision(
    directory: ForgettingDirectory, settings: ForgettingSettings, device: str = "auto"
) -> ForgettingSettings:
    """The settings with "auto" precision resolved: to that of the directory's run, if it has one.

    Raises UserError, naming what differs, when the directory holds another run or other files.
    """
    _refuse_other_directory(directory)
    place = resolve_device(device)
    stored = read_settings(directory, list_modules(dump(settings)))
    if settings.precision == "auto":
        known = resolve_precision("auto", place) if stored is None else stored.precision
        settings = replace(settings, precision=known)
    if stored is not None and (changed := _difference_but_place(stored, settings)):
        words = "; ".join(map(str, changed))
        raise UserError(f"{directory.root} holds a forgetting run with other settings: {words}")
    return settings


def _difference_but_place(stored: ForgettingSettings, now: ForgettingSettings) -> list[Difference]:
    """The settings that differ, but for the paths of the images: their content is compared."""
    return difference(stored.without_place(), now.without_place())


def _is_same(part: object, now: object) -> bool:
    """Whether two stored parts are the same images, wherever they lie."""
    if not isinstance(part, dict) or not isinstance(now, dict):
        return False
    return {**part, "source": None} == {**now, "source": None}


def _facts(settings: ForgettingSettings, parts: Split) -> Facts:
    return {
        "format": FORMAT_VERSION,
        "settings": dump(settings),
        "classes": list(parts.classes),
        "train": parts.train.facts(),
        "test": parts.test.facts(),
        "split": parts.how,
    }


def _refuse_other_directory(directory: ForgettingDirectory) -> None:
    root = directory.root
    with translate_file_errors(root):
        if root.exists() and not root.is_dir():
            raise UserError(f"{root} is a file; a forgetting run needs a directory")
        refuse_links(root, *directory.written_names())
        started = directory.lock.exists() and not RunDirectory(root).config.exists()
        known = directory.study.exists() or started
        if root.is_dir() and not known and any(root.iterdir()):
            raise UserError(
                f"{root} holds other files and no forgetting run; give an empty directory"
            )
    require_writable(root)


def _resume(directory: ForgettingDirectory, learner: Learner, facts: Facts) -> None:
    """Load the saved state into the initial learner, and cut the log back to its step."""
    if directory.study.exists():
        stored = read_json(directory.study)
        for part in ("train", "test"):
            if not _is_same(stored.get(part), facts[part]):
                raise UserError(
                    f"{directory.root} holds a forgetting run with other images to {part} on: put "
                    "the images back, or start in a new directory"
                )
    if directory.state.exists():
        _restore(directory, learner, facts)
    jsonl.cut_back(directory.log, learner.step or -1)  # step 0 is measured again


def _restore(directory: ForgettingDirectory, learner: Learner, facts: Facts) -> None:
    try:
        payload = read_verified(directory.state)
    except Damaged as damage:
        aside = directory.state.with_suffix(".damaged")
        directory.state.rename(aside)
        _LOG.warning("starting over: %s; it was set aside as %s", damage, aside.name)
        return
    trusted, where = list_modules(facts["settings"]), str(directory.state)
    with explain_errors(where):
        content = unpack(payload)
        saved = read_facts(content.pop("facts", None), directory.state, {"step": WHOLE})
    same = all(_is_same(saved.get(name), facts[name]) for name in ("train", "test"))
    settings = parse_settings(saved.get("settings"), trusted, where)
    now = parse_settings(facts["settings"], trusted, where)
    same = same and saved.get("classes") == facts["classes"]
    if not same or _difference_but_place(settings, now):
        raise UserError(f"{where} belongs to another forgetting run; remove it to start over")
    with explain_errors(where):
        load_network(learner.network, content["network"])
        load_optimizer(learner.optimizer, content["optimizer"])
    learner.step = saved["step"]
    _LOG.info("continuing from iteration %d of %s", learner.step, directory.root)


def _measure(directory: ForgettingDirectory, learner: Learner, images: TaskImages) -> list[Row]:
    """Measure the tasks that are due at this step and log them; returns the logged rows."""
    rows = []
    classes = images.parts.classes
    for task in images.settings.tasks_measured_at(learner.step, len(classes)):
        found = measure(learner, images, task)
        if not math.isfinite(found.loss):
            raise NonFinite(f"iteration {learner.step}: the loss on held-out images")
        row = {
            "step": learner.step,
            "task": task.number,
            "cycle": task.cycle,
            "class": classes[task.label],
            "after_switch": 0 < task.start == learner.step,
            **found._asdict(),
        }
        jsonl.append(directory.log, row)
        rows.append(row)
    return rows
