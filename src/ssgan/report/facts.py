"""What the files of a run say, in words: how it ended, what it was, how to repeat it, its time."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ssgan.config.help import format_settings
from ssgan.config.merge import read_json
from ssgan.config.text import spell_duration
from ssgan.evaluation.format import format_value
from ssgan.files.locks import find_holder
from ssgan.files.names import printable, readable
from ssgan.files.run_directory import parse_step
from ssgan.report.comparison import ComparedRun, read_stored
from ssgan.runs.checkpoint import healthy_files
from ssgan.runs.config import RunConfig
from ssgan.training.history import read_events, read_log
from ssgan.training.monitor import Verdict, monitor_directory
from ssgan.types import UserError

Tone = Literal["good", "warn", "bad", "soft"]
_PLAIN: dict[str, tuple[Tone, str]] = {
    "too early to tell": ("soft", "Too little was logged or evaluated to judge this run."),
    "healthy": ("good", "Nothing that the monitor checks is wrong."),
    "no progress": ("warn", "The run goes on, but the quality of its samples does not improve."),
    "forgetting": ("warn", "D is less accurate than it was on what it had learned earlier."),
    "collapsing": ("bad", "G makes a few images only, or D stops learning."),
    "diverged": ("bad", "Losses or weights have left the range in which training works."),
}
_EVENTS = 40  # the newest ones are listed
Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class Ending:
    """Whether a run is finished, and what continues it."""

    sentence: str
    command: str | None  # None: there is nothing to do


@dataclass(frozen=True)
class RunFacts:
    """The words of a report about one run."""

    name: str
    path: str  # of the directory, as a word of a command
    ending: Ending
    verdict: Verdict
    tone: Tone  # of the verdict
    plain: str  # the verdict in a sentence
    healthy: str | None  # the last healthy checkpoint
    about: Pairs
    commands: Pairs  # (what it does, the command)
    cost: Pairs
    results: list[list[str]]  # of `ssgan evaluate`, a row each
    events: list[list[str]]  # of the monitor
    settings: str
    damaged: list[str]  # sentences


def collect_facts(run: ComparedRun, name: str) -> RunFacts:
    """The words about a run from its small files; no checkpoint is read."""
    layout, config = run
    verdict = monitor_directory(layout, config).verdict
    tone, plain = _PLAIN[verdict.state]
    healthy = healthy_files(layout)
    stored, damaged = read_stored(layout)
    results = [
        [one.name, format_value(one), one.against, f"{one.protocol.num_fake:,}", one.subject]
        for one in stored
    ]
    events = [
        [f"{row['step']:,}", str(row.get("alarm", "")), str(row["verdict"]), _evidence(row)]
        for row in read_events(layout)[-_EVENTS:]
    ]
    return RunFacts(
        name=name,
        path=_quote(layout.root),
        ending=_describe_ending(run),
        verdict=verdict,
        tone=tone,
        plain=plain,
        healthy=readable(healthy[0]) if healthy else None,
        about=_describe(run),
        commands=_commands(run),
        cost=_describe_cost(run),
        results=results,
        events=events,
        settings=format_settings(config),
        damaged=damaged,
    )


def _evidence(row: dict[str, object]) -> str:
    evidence = row.get("evidence")
    return "; ".join(map(str, evidence)) if isinstance(evidence, list) else ""


def _describe_ending(run: ComparedRun) -> Ending:
    layout, total = run.layout, run.config.total_steps
    rows, command = read_log(layout), f"ssgan train {_quote(layout.root)}"
    saved = max(map(parse_step, layout.checkpoint_files()), default=0)
    step = max(saved, _whole(rows[-1]["step"]) if rows else 0)
    if holder := find_holder(layout.lock):
        return Ending(f"Running: step {step:,} of {total:,}, by {printable(holder)}.", None)
    if step >= total:
        return Ending(f"Finished: all {total:,} steps are done.{_count_rollbacks(run)}", None)
    if step == 0:
        return Ending("No step was logged or saved yet.", command)
    words = f"Not finished: it stopped at step {step:,} of {total:,}.{_count_rollbacks(run)}"
    return Ending(words, command)


def _count_rollbacks(run: ComparedRun) -> str:
    rows = read_events(run.layout)
    steps = [f"{row['step']:,}" for row in rows if row.get("alarm") == "rolled back"]
    if not steps:
        return ""
    return f" Numbers were not finite, and it returned to a checkpoint, at step {', '.join(steps)}."


def _describe(run: ComparedRun) -> Pairs:
    layout, config = run
    shape, batch = config.data.shape, config.batch_size
    facts = [
        ("method", type(config.method).__name__),
        ("images", f"{readable(config.data.source.name())}{_count_images(run)}"),
        ("size", f"{shape.size} x {shape.size} pixels, {_channels(shape.channels)}"),
        ("generator", type(config.generator).__name__),
        ("discriminator", type(config.discriminator).__name__),
        ("steps", f"{config.total_steps:,}; D is updated {_times(config)} in each"),
        ("batch", f"{batch:,} images"),
        ("seed", str(config.seed)),
    ]
    if config.init is not None:
        facts.append(("begun from", readable(str(config.init.model))))
    if layout.environment.exists():
        stored = read_json(layout.environment)
        facts.append(("versions", _versions(stored)))
        if commit := stored.get("commit"):
            facts.append(("commit", printable(str(commit))))
    return facts


def _times(config: RunConfig) -> str:
    count = config.discriminator_updates
    return "once" if count == 1 else f"{count} times"


def _channels(count: int) -> str:
    return "grey" if count == 1 else "colour"


def _count_images(run: ComparedRun) -> str:
    if not run.layout.manifest.exists():
        return ""
    manifest = read_json(run.layout.manifest)
    count, content, rejected = (
        manifest.get(name) for name in ("num_images", "content_hash", "rejected")
    )
    words = f": {count:,} images" if isinstance(count, int) else ""
    words += f", content {content[:12]}" if isinstance(content, str) else ""
    if isinstance(rejected, list) and rejected:
        words += f"; {len(rejected):,} could not be used"
    return printable(words)


def _versions(stored: dict[str, object]) -> str:
    names = ("ssgan", "torch", "python")
    return printable(", ".join(f"{name} {stored[name]}" for name in names if name in stored))


def _commands(run: ComparedRun) -> Pairs:
    """How the run was started, and how to do it again."""
    layout, found = run.layout, Pairs()
    if layout.environment.exists():
        argv = read_json(layout.environment).get("argv")
        if isinstance(argv, list) and argv and argv[0] in ("train", "demo"):
            words = shlex.join(["ssgan", *map(str, argv)])
            found.append(("The command that wrote this directory", printable(words)))
    again = f"ssgan train --config {_quote(layout.config)} --run NEW"
    found.append(("Every setting again, in a new directory", again))
    found.append(("More samples", f"ssgan sample {_quote(layout.root)} --n 64"))
    return found


def _quote(path: Path) -> str:
    return shlex.quote(readable(path))


def _describe_cost(run: ComparedRun) -> Pairs:
    layout, facts = run.layout, Pairs()
    rows = read_log(layout)
    if rows:
        seconds, step = _real(rows[-1]["seconds"]), _whole(rows[-1]["step"])
        seen = _whole(rows[-1]["images_seen"])
        facts += [
            ("training", f"{spell_duration(seconds)} for {step:,} steps, without evaluations"),
            ("a step", f"{seconds / max(1, step):.3g} seconds"),
            ("speed", f"{seen / max(seconds, 1e-9):,.1f} real images/s"),
            ("real images read", f"{seen:,}"),
        ]
    if layout.environment.exists():
        stored = read_json(layout.environment)
        machine = [str(stored.get("device_name", "")), str(stored.get("machine", ""))]
        if stored.get("threads") is not None:
            machine.append(f"CPU threads: {stored['threads']}")
        facts.append(("machine", printable(", ".join(word for word in machine if word))))
        facts.append(("precision", printable(str(stored.get("precision", "not stored")))))
    files = [path for path in layout.root.rglob("*") if path.is_file() and not path.is_symlink()]
    size = sum(path.stat().st_size for path in files)
    facts.append(("disk", f"{size / 1e6:,.3g} MB in {len(files):,} files"))
    return facts


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise UserError(f"a log says {value!r} where a whole number belongs")
    return value


def _real(value: object) -> float:
    if not isinstance(value, int | float):
        raise UserError(f"a log says {value!r} where a number belongs")
    return float(value)
