"""`ssgan tune`: searches settings that reach the best score in a fixed time of training."""

import sys
from contextlib import closing
from dataclasses import asdict
from functools import partial
from math import ceil
from pathlib import Path
from secrets import token_hex
from statistics import fmean

import torch

from ssgan.cli.commands_table import CommandsTable, Summary, list_started
from ssgan.cli.options import Tune
from ssgan.cli.progress import fetch_source, format_duration
from ssgan.config.merge import from_flags, merge, read_json
from ssgan.config.serialize import flatten
from ssgan.data.base import AbstractSource, DatasetInfo
from ssgan.data.prepare import default_cache
from ssgan.data.sources import parse_source
from ssgan.evaluation.feature_networks import NAMES, choose_features
from ssgan.files.atomic import write_json
from ssgan.files.errors import require_writable
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock
from ssgan.recipes.adapt import adapt_recipe
from ssgan.recipes.auto import fit_recipe, with_source
from ssgan.recipes.find import build_recipe
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import ALIASES
from ssgan.studies.engines.base import Engine
from ssgan.studies.engines.choose import Placement, choose_engine
from ssgan.studies.scheduler import Scheduler, Status
from ssgan.studies.tuning.confirm import Confirmation, plan_confirmation
from ssgan.studies.tuning.report import space_facts, winner_command, write_report
from ssgan.studies.tuning.sampler import Sampler, import_optuna
from ssgan.studies.tuning.search import Searcher
from ssgan.studies.tuning.space import read_space
from ssgan.studies.tuning.storage import JOURNAL_NAME, StudyPlace, hide_password
from ssgan.studies.tuning.trials import Search, SearchOptions, find_best
from ssgan.training.validation import validate_info
from ssgan.types import UserError

_OWN = ("seed", "total_steps")  # settings that have an option of their own, or follow from one


def main(given: Tune) -> int:
    """Search, or continue, then confirm the best; returns the exit code."""
    import_optuna()
    hide_password(given.storage)  # or it is refused at once
    placement = Placement(
        on=given.on, jobs=given.jobs, threads=given.threads, gpus=given.gpus, slurm=given.slurm
    )
    search = _make_search(given)
    for sentence in search.space.refusals():
        print(f"note: {sentence}")
    if given.dry_run:
        _print_plan(search, given, placement.slots or 1)
        return 0
    given.out.mkdir(parents=True, exist_ok=True)
    refuse_links(given.out, given.out / "search.json", given.out / "optuna.journal")
    with (
        hold_lock(given.out / ".lock"),
        closing(choose_engine(placement, given.out)) as engine,
    ):
        place = _keep_options(search, given.storage)
        return _Run(search, given, engine, place, placement.is_cluster).run()


def _make_search(given: Tune) -> Search:
    """The settings, images and space of a search; raises UserError for what does not fit."""
    changes, rest = from_flags(given.settings)
    if rest:
        raise UserError(f"{rest[0]!r} is no setting; after -- give settings such as --batch_size 8")
    fixed = {name.removesuffix(".kind") for name in flatten(changes)}
    if own := [name for name in _OWN if name in fixed]:
        hint = "--seed stands before --" if own[0] == "seed" else "it follows from --minutes"
        raise UserError(f"--{own[0]} is set for every trial: {hint}")
    config, info = _choose_start(given)
    fitted = info if given.recipe is None else None
    config, _ = adapt_recipe(config, [(changes, "--")], fitted)
    config = merge(config, changes, "--", ALIASES)
    test, held_out = given.test, config.data.source.held_out()
    if test is None and held_out is not None:
        test = held_out.name()
    if test is None:
        raise UserError(
            f"{config.data.source.name()} has no held-out images of its own: give --test SOURCE"
        )
    _require_features(given)
    validate_info(config, info, 1)
    count = _open_info(parse_source(test)).header_stats.num_images
    if count < given.samples:
        print(
            f"note: {given.samples:,} generated images are compared with the {count:,} images of "
            f"{test}; --test names others, --samples {count} generates as many"
        )
    require_writable(given.out)
    return Search(
        SearchOptions(
            recipe=given.recipe,
            data=given.data,
            test=test,
            minutes=given.minutes,
            features=given.features,
            samples=given.samples,
            seed=given.seed,
            settings=given.settings,
        ),
        read_space(given.space, config, fixed),
        info,
        given.out,
        frozenset(fixed),
    )


def _choose_start(given: Tune) -> tuple[RunConfig, DatasetInfo]:
    """The settings that the search starts from, as `ssgan train` chooses them, and the images."""
    if given.recipe is not None and given.data is None:
        config = build_recipe(given.recipe)
        return config, _open_info(config.data.source)
    source = parse_source(given.data or "")
    info = _open_info(source)
    if given.recipe is None:
        return fit_recipe(source, info)[0], info
    return with_source(build_recipe(given.recipe), source, info), info


def _open_info(source: AbstractSource) -> DatasetInfo:
    return DatasetInfo.of(fetch_source(source).open())


def _require_features(given: Tune) -> None:
    """Raise UserError for features that do not exist, or whose weights are missing."""
    if given.features not in NAMES or given.features == "discriminator":
        known = ", ".join(name for name in NAMES if name != "discriminator")
        raise UserError(f"no features {given.features!r} for a search; there are {known}")
    try:
        choose_features(given.features, torch.device("cpu"), default_cache())
    except UserError as error:
        raise UserError(f"{error}; or give --features random") from None


def _keep_options(search: Search, storage: str | None) -> StudyPlace:
    """Store what the search compares, and return the place of what it has seen.

    Raises UserError when the directory holds another search.
    """
    path, journal = search.out / "search.json", search.out / "optuna.journal"
    now = {**asdict(search.options), "space": space_facts(search.space)}
    now["settings"] = list(search.options.settings)
    now["storage"] = hide_password(storage)
    if not path.exists():
        name = JOURNAL_NAME if storage is None else f"ssgan-{search.out.name}-{token_hex(4)}"
        if storage is not None:
            StudyPlace(journal, storage, name).open()  # or nothing is stored
        write_json(path, {**now, "study": name})
    stored = read_json(path)
    changed = [name for name in now if stored.get(name) != now[name]]
    if changed:
        words = ", ".join(
            name if name == "space" else f"{name} {stored.get(name)!r}, now {now[name]!r}"
            for name in changed
        )
        raise UserError(
            f"{search.out} holds a search with other options ({words}): give a new --out"
        )
    return StudyPlace(journal, storage, str(stored.get("study", JOURNAL_NAME)))


def _print_plan(search: Search, given: Tune, slots: int) -> None:
    for name, one in space_facts(search.space).items():
        print(f"{name:28} {one}")
    rounds = ceil(given.trials / slots) + ceil(given.confirm_seeds * (given.top + 1) / slots)
    hours = rounds * given.minutes / 60
    together = f"{slots} at a time" if slots > 1 else "one at a time"
    print(
        f"\n{given.trials} trials of {given.minutes:g} minutes, then {given.confirm_seeds} further "
        f"seeds of the best {given.top} and the recipe: about {hours:.1f} hours of training, "
        f"{together}; evaluations add to it\nnothing was written"
    )


class _Run:
    """One process of a search."""

    def __init__(
        self, search: Search, given: Tune, engine: Engine, place: StudyPlace, cluster: bool
    ) -> None:
        self._search, self._given, self._engine = search, given, engine
        sampler = Sampler(place, search.space, search.options.seed, engine.slots > 1)
        self._sampler = sampler
        self._table = CommandsTable(self._summarize_search)
        self._searcher = Searcher(search, sampler, engine.threads, self._table.say, cluster)
        self._confirmation: Confirmation | None = None

    def run(self) -> int:
        """Search, then confirm; returns the exit code."""
        given, searcher = self._given, self._searcher
        print(
            f"{given.trials} trials of {given.minutes:g} minutes, {searcher.count_ended()} ended; "
            f"{self._engine.slots} at a time, {self._engine.threads} threads each; in {given.out}"
        )
        status = self._search_on()
        if status.stopped_by is None and not searcher.broken:
            trials = list(searcher.trials.values())
            self._confirmation = plan_confirmation(
                self._search, trials, given.top, given.confirm_seeds
            )
            status = self._confirm()
        text, files = self._write()
        if status.stopped_by is not None:
            print(
                f"stopped by {status.stopped_by.name}: what was running is saved; run the same "
                "command again to continue",
                file=sys.stderr,
            )
            return status.exit_code
        print(f"\n{text}\n")
        for path in files:
            print(f"written to {path}")
        return self._exit_code(status)

    def _exit_code(self, status: Status) -> int:
        """0 when there is a best trial and every further seed has a score; else 1."""
        searcher = self._searcher
        if searcher.halted:
            print(f"the search ended early: {searcher.halted}", file=sys.stderr)
        best = find_best(searcher.trials.values())
        if not best:
            print("no trial has a score; their reasons are above", file=sys.stderr)
            return 1
        print(f"the best settings again: {winner_command(self._search)}")
        missing = self._confirmation is not None and self._confirmation.list_open_jobs()
        return 1 if missing or searcher.broken else 0

    def _search_on(self) -> Status:
        """Run trials until there are enough of them."""
        given, searcher = self._given, self._searcher
        more = partial(searcher.more, total=given.trials)
        scheduler = Scheduler((), self._engine, more=more)
        status, written = Status((), (), (), None), searcher.count_ended()
        with self._table as table:
            for status in scheduler.run():
                searcher.settle(status)
                if given.prune:
                    searcher.stop_bad_trials(scheduler, status)
                if searcher.count_ended() != written:
                    written = searcher.count_ended()
                    self._write()
                table.report(status)
        return status

    def _confirm(self) -> Status:
        """Run the further seeds, if any."""
        found = self._confirmation
        jobs = found.list_open_jobs() if found else []
        if jobs:
            print(f"further seeds: {len(jobs)} commands are left")
        total, status = len(jobs), Status((), (), (), None)

        def summarize(status: Status) -> Summary:
            done = sum(one.code == 0 for one in status.finished)
            took = [one.seconds for one in status.finished if one.code == 0]
            slots = max(1, len(list_started(status)))
            left = (total - done) * fmean(took) / slots if took else None
            return Summary(done, total, _eta(left), " further")

        with CommandsTable(summarize) as table:
            for status in Scheduler(jobs, self._engine).run():
                table.report(status)
        return status

    def _write(self) -> tuple[str, list[Path]]:
        trials = [one for _, one in sorted(self._searcher.trials.items())]
        importances = self._sampler.importances()
        return write_report(self._search, trials, importances, self._confirmation)

    def _summarize_search(self, status: Status) -> Summary:
        searcher, given = self._searcher, self._given
        best, words = find_best(searcher.trials.values()), list[str]()
        if best:
            recipe = searcher.trials[0].score
            words.append(f"best {best[0].score:.4g} (trial {best[0].number})")
            words.append(f"recipe {recipe:.4g}" if recipe is not None else "recipe without score")
        slots = max(1, len(list_started(status)))
        words.append(_eta(searcher.seconds_left(status, given.trials, slots)))
        return Summary(searcher.count_ended(), given.trials, "; ".join(words), " trials")


def _eta(seconds: float | None) -> str:
    return (
        "time left not known yet" if seconds is None else f"left about {format_duration(seconds)}"
    )
