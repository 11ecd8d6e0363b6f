"""What `ssgan study` is asked to do, checked before anything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from ssgan.cli.arguments import Options, one_of, whole_number
from ssgan.cli.forget import refuse_unknown
from ssgan.cli.images import fetched
from ssgan.data.base import AbstractSource, DatasetInfo
from ssgan.data.huggingface import Hub
from ssgan.data.prepare import default_cache
from ssgan.data.sources import parse_source
from ssgan.evaluation.feature_networks import NAMES as FEATURES
from ssgan.evaluation.feature_networks import choose_features
from ssgan.files.errors import require_writable
from ssgan.studies.jobs import TrainingJob
from ssgan.studies.options import Scale, StudyOptions
from ssgan.studies.scheduler import refuse_too_few_devices
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.trials import (
    Trial,
    build_trials,
    list_open_jobs,
    refuse_other_runs,
    refuse_unfit_settings,
)
from ssgan.studies.variants import select_variants
from ssgan.types import UserError

_WEIGHTED = ("inception", "lite0")  # features that need a file of weights


@dataclass(frozen=True)
class Plan:
    """A study, and what was asked of it."""

    study: Study
    form: StudyScale
    asked: StudyOptions
    slots: int
    outline: DatasetInfo
    trials: list[Trial]
    notes: tuple[str, ...]  # said before anything is run


def planned(study: Study, options: Options, settings: tuple[str, ...]) -> Plan:
    """The study as asked for; raises UserError for whatever one of its commands would refuse."""
    scale: Scale = one_of(options, "scale", get_args(Scale), "laptop")
    form = study.at_scale(scale, options.get("features"))
    variants = select_variants(form.variants, options.get("arms"))
    data = options.get("data") or form.data
    if data is None:
        raise UserError(f"{study.name} is of {form.dataset}: give --data folder:PATH")
    source = parse_source(data)
    test, held_out = options.get("test"), source.held_out()
    if test is None and held_out is not None:
        test = held_out.name()
    asked = StudyOptions(
        scale=scale,
        data=data,
        test=test,
        seeds=tuple(range(whole_number(options, "seeds", study.seeds, 1, 100))),
        out=Path(options.get("out") or f"studies/{scale}"),
        features=options.get("features"),
        samples=whole_number(options, "samples", form.samples, 2),
        processes=whole_number(options, "processes", 1, 1),
        overrides=settings,
    )
    slots = whole_number(options, "jobs", 1, 1)
    if not options.on("dry-run"):
        refuse_too_few_devices(slots, asked.processes)
    require_writable(asked.out)
    dry = options.on("dry-run") or options.on("draw")
    outline = _outline(source, dry, drawn=options.on("draw"))
    trials = build_trials(variants, form.measurement, asked, outline)
    refuse_other_runs(trials)
    notes: tuple[str, ...] = ()
    if not options.on("draw"):
        _refuse_misfits(study, form, asked, trials, outline, dry)
        notes = _notes(asked, trials, dry)
    return Plan(study, form, asked, slots, outline, trials, notes)


def _outline(source: AbstractSource, dry: bool, drawn: bool = False) -> DatasetInfo:
    """Sizes and classes, without a download if `dry`.

    To draw a study of the hub its images are opened: they were loaded for its runs.
    """
    if dry and not (drawn and isinstance(source, Hub)):
        return source.outline()
    return DatasetInfo.of(fetched(source).open())


def _refuse_misfits(
    study: Study,
    form: StudyScale,
    asked: StudyOptions,
    trials: Sequence[Trial],
    outline: DatasetInfo,
    dry: bool,
) -> None:
    """Raise UserError before anything is trained for what a command would refuse afterwards."""
    refuse_unfit_settings(trials, outline)
    if asked.processes > 1 and not any(isinstance(trial.training, TrainingJob) for trial in trials):
        raise UserError(f"--processes is of ssgan train, which {study.name} does not run")
    left = list_open_jobs(trials)
    for job in left:
        if job.verb == "forget":
            refuse_unknown(list(job.words[1:]), parse_source(asked.data))
    if asked.features is not None and asked.features not in FEATURES:
        raise UserError(f"no features {asked.features!r}; there are {', '.join(FEATURES)}")
    if asked.features in _WEIGHTED and not dry and any(job.verb == "evaluate" for job in left):
        choose_features(asked.features, torch.device("cpu"), default_cache())  # are they there?
    if form.measurement.reads_labels and len(outline.classes) < 2:
        raise UserError(
            f"{study.name} probes D for classes, and {asked.data} has fewer than two: put every "
            "image into the folder of its class"
        )


def _notes(asked: StudyOptions, trials: Sequence[Trial], dry: bool) -> tuple[str, ...]:
    """What may surprise; raises UserError for real images that cannot be read."""
    test = None if asked.test is None else parse_source(asked.test)
    if test is None or (dry and isinstance(test, Hub)):  # it is there, or a download away
        return ()
    count = _outline(test, dry).survey.num_images
    if count >= asked.samples or not any(job.verb == "evaluate" for job in list_open_jobs(trials)):
        return ()
    return (
        f"note: {asked.samples:,} generated images are measured against the {count:,} of "
        f"{asked.test}: --test names others, --samples {count} makes as many",
    )
