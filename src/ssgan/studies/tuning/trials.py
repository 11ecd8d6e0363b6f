"""A trial of a search: its settings at the fixed training time, its commands and its record.

OUT/search.json             the options of the search, which stay
OUT/optuna.journal          what the sampler has seen
OUT/trials/trial-N.json     a record of each trial
OUT/runs/trial-N            its run directory; trial-N.log beside it
OUT/measured/trial-N/...    the distance of its samples, with a log
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from ssgan.config.merge import from_flags, read_json
from ssgan.config.schema import check_fields
from ssgan.config.serialize import flatten
from ssgan.data.base import DatasetInfo
from ssgan.files.atomic import write_json
from ssgan.runs.config import RunConfig
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.measurements import DistanceMeasurement
from ssgan.studies.options import StudyOptions
from ssgan.studies.tuning.space import Changes, Space, merge_changes, round_number, to_flags
from ssgan.training.cost import estimate_cost
from ssgan.training.validation import validate_info
from ssgan.types import NonFinite, UserError

FEWEST_STEPS = 10  # of a trial, however slow a step is
_EVALUATIONS = 6  # of a run, about; one of them is at a third of it
_CHECKPOINTS, _SHEETS, _LINES = 10, 4, 200  # of a run, about
State = Literal["running", "complete", "failed", "refused", "stopped"]
ENDED: tuple[State, ...] = ("complete", "failed", "stopped")  # what counts towards --trials


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What a search compares; a directory keeps one of these."""

    recipe: str | None  # None: chosen from the images
    data: str | None  # as on the command line; None: those of the recipe
    test: str  # held-out images
    minutes: float  # of training, for every trial
    features: str
    samples: int  # generated images for a score
    seed: int  # of the sampler and of every trial
    settings: tuple[str, ...]  # flags for every trial


class Search(NamedTuple):
    """A search before its first trial."""

    options: SearchOptions
    space: Space
    info: DatasetInfo  # of the training images
    out: Path
    fixed: frozenset[str]  # the names of the settings that the user gave

    @property
    def base(self) -> RunConfig:
        """The recipe with the user's settings."""
        return self.space.base


@dataclass(frozen=True, kw_only=True)
class TuningTrial:
    """The record of a trial."""

    number: int  # 0 is the unchanged recipe
    values: dict[str, Any]  # of the space's dimensions; empty: the recipe is outside the space
    state: State = "running"
    flags: tuple[str, ...] = ()  # of `ssgan train`: all settings that differ from the recipe
    seconds_per_step: float | None = None  # measured before the trial; None: it was refused
    total_steps: int = 0
    score: float | None = None  # Frechet distance, lower is better; None: not complete
    score_name: str = ""  # of its metric
    verdict: str = ""  # of the monitor
    reason: str = ""  # why it is not complete
    seconds: float = 0.0  # of training
    curve: tuple[tuple[int, float], ...] = field(default=())  # (step, FD-random) of its evaluations

    @property
    def name(self) -> str:
        """The stem of its files."""
        return f"trial-{self.number:03}"

    @property
    def label(self) -> str:
        """How people call it."""
        return f"trial {self.number}" if self.number else "trial 0, the recipe"


class TrialJobs(NamedTuple):
    """The two commands of a trial."""

    train: TrainingJob
    evaluate: FileJob


def record_path(out: Path, number: int) -> Path:
    """The file of a trial's record."""
    return out / "trials" / f"trial-{number:03}.json"


def write_trial(out: Path, trial: TuningTrial) -> None:
    """Write its record."""
    path = record_path(out, trial.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(trial))


def read_trials(out: Path) -> list[TuningTrial]:
    """All records, by number; UserError for one that is damaged."""
    return [_read_trial(path) for path in sorted((out / "trials").glob("trial-*.json"))]


def _read_trial(path: Path) -> TuningTrial:
    try:
        table = read_json(path)
        values = table.pop("values")
        found = TuningTrial(**{"values": values, **check_fields(TuningTrial, table)})
    except (UserError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged: {error}; remove it to go on without that trial"
        ) from None
    return found


def plan_trial(search: Search, number: int, values: dict[str, Any], threads: int) -> TuningTrial:
    """A trial with as many steps as fit the training time, by the pace of steps on noise.

    A combination that the settings, the networks or the images refuse is a refused trial; one whose
    first steps fail, for numbers or memory, a failed one.
    """
    trial = TuningTrial(number=number, values=values)
    try:
        fewest = build_config(search, trial, FEWEST_STEPS)
        validate_info(fewest, search.info, 1)
        seconds = measure_pace(fewest, search.info, threads)
        steps = max(FEWEST_STEPS, int(search.options.minutes * 60 / seconds))
        flags = to_flags(trial_changes(search, trial, steps))
        build_config(search, trial, steps)
    except UserError as error:
        return replace(trial, state="refused", reason=str(error))
    except (NonFinite, MemoryError, RuntimeError) as error:  # of torch, too
        reason = f"its first steps failed: {' '.join(str(error).split())}"
        return replace(trial, state="failed", reason=reason)
    return replace(trial, flags=flags, seconds_per_step=seconds, total_steps=steps)


def measure_pace(config: RunConfig, info: DatasetInfo, threads: int) -> float:
    """Seconds of the fastest of a few steps on noise, with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(threads, before))
    try:
        return estimate_cost(config, info).seconds_per_step
    finally:
        torch.set_num_threads(before)


def build_config(search: Search, trial: TuningTrial, steps: int) -> RunConfig:
    """The settings of a trial of so many steps; UserError for what they refuse."""
    return merge_changes(search.base, trial_changes(search, trial, steps))


def trial_changes(search: Search, trial: TuningTrial, steps: int) -> Changes:
    """What a trial changes in the recipe: the user's settings, the budget and its own values."""
    given, _ = from_flags(search.options.settings)
    own = {} if trial.number == 0 else search.space.changes(trial.values, steps)
    return {**_budget(search, steps), **flatten(given), **own}


def _budget(search: Search, steps: int) -> Changes:
    """The settings that count steps, as shares of all steps; a user's own stay."""
    base, share = search.base, steps / search.base.total_steps
    found: Changes = {
        "total_steps": steps,
        "ema_halflife_steps": round_number(base.ema_halflife_steps * share),
        "ema_start_step": round(base.ema_start_step * share),
        "evaluate.every": -(-steps // _EVALUATIONS) if base.evaluate.every else 0,
        "output.log_every": max(1, min(base.output.log_every, steps // _LINES)),
        "output.checkpoint_every": -(-steps // _CHECKPOINTS),
        "output.sample_every": -(-steps // _SHEETS),
        "output.snapshot_every": 0,
        "output.tensorboard": False,
    }
    return {name: value for name, value in found.items() if name not in search.fixed}


def build_jobs(search: Search, trial: TuningTrial, seed: int | None = None) -> TrialJobs:
    """`ssgan train` and `ssgan evaluate`; a further seed has a run of its own."""
    options, name, label = search.options, trial.name, trial.label
    if seed is not None:
        name, label = f"{name}-seed{seed}", f"{label}, seed {seed}"
    used = options.seed if seed is None else seed
    root = search.out / "runs" / name
    words = [*train_words(options), *trial.flags, "--seed", str(used), "--run", str(root)]
    changes = {**trial_changes(search, trial, trial.total_steps), "seed": used}
    train = TrainingJob(
        label=label,
        words=tuple(words),
        log=root.with_name(f"{name}.log"),
        root=root,
        config=merge_changes(search.base, changes),
    )
    asked = StudyOptions(
        scale="laptop",
        data=options.data or search.base.data.source.name(),
        test=options.test,
        seeds=(used,),
        out=search.out,
        features=options.features,
        samples=options.samples,
    )
    (evaluate,) = DistanceMeasurement().jobs(train, asked, search.out / "measured" / name)
    return TrialJobs(train, evaluate)


def train_words(options: SearchOptions) -> tuple[str, ...]:
    """`train RECIPE --data SOURCE`."""
    recipe = () if options.recipe is None else (options.recipe,)
    return ("train", *recipe, *(() if options.data is None else ("--data", options.data)))


def find_best(trials: Iterable[TuningTrial]) -> list[TuningTrial]:
    """The complete trials, best first; of equal ones the earlier."""
    complete = [
        (one.score, one.number, one)
        for one in trials
        if one.state == "complete" and one.score is not None
    ]
    return [one for _, _, one in sorted(complete, key=lambda found: found[:2])]


def settings_key(values: dict[str, Any]) -> str:
    """Equal for equal values."""
    return json.dumps(values, sort_keys=True)
