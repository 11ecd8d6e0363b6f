"""Everything worth knowing about an accelerator in one command of at most eight minutes.

    python benchmarks/accelerator.py --json FILE --page FILE.md

Six parts, the most important first: parity with the CPU, precision and layout, speed, compiled
networks, two processes at once, and 500 steps of `cifar10:ssgan`. Each has a process of its own
and a share of the time that is left. A part that fails, or runs out of its time, is recorded in one
line, and the next one runs. Without an accelerator the CPU takes its place, which the page says.
Nothing is downloaded.
"""

import argparse
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks import accelerator_page as pages
from benchmarks.accelerator_page import Part, Result, page
from benchmarks.accelerator_parity import LOSSES, parity, recipe, source_of
from benchmarks.accelerator_speed import compiled, precision_and_layout, processes, speed
from benchmarks.isolation import Row, Task, collect
from benchmarks.report import parser_of, table
from ssgan.files.environment import describe_environment
from ssgan.runs.precision import resolve_device, resolve_precision
from ssgan.types import UserError

_LEAST = 5.0  # seconds that a part takes to start
_PLANNED = 0.9  # share of its time that a part plans with; the rest is for what is under way
_PATIENCE = 60.0  # seconds until a machine is described
_RESERVED = 3.0  # seconds to end the last part and write

PARTS = (
    Part(
        name="parity",
        about="The same five steps of SS-GAN (32 and 16 channels, batch 16) on the device and on "
        "the CPU, with the same keyed random numbers and without TF32. Differences are relative; "
        "a loss below 1 counts as 1. Features are of the same 32 images.",
        measure=parity,
        share=0.14,
        columns=("first step", "five steps", "gradients", "vectors", "features", "expected",
                 "compared"),
        judge=pages.judge_parity,
    ),
    Part(
        name="precision and layout",
        about="Losses of 20 steps in bfloat16 beside those in float32, from the same start. Then "
        "seconds a step of the paper's ResNet in both memory formats, in turns.",
        measure=precision_and_layout,
        share=0.12,
        columns=("D/adversarial, float32", "D/adversarial, bfloat16", "G/adversarial, float32",
                 "G/adversarial, bfloat16", "D/rotation, float32", "D/rotation, bfloat16",
                 "difference", "width", "channels_last", "contiguous", "ratio"),
        judge=pages.judge_precision,
    ),
    Part(
        name="speed",
        about="Seconds a step in every precision the device has, beside a large matrix product in "
        "the same turns; share is the step's GFLOP/s over the product's.",
        measure=speed,
        share=0.26,
        columns=("batch", "width", "precision", "seconds", "median", "GFLOP/s", "matrix GFLOP/s",
                 "share", "real images/s", "peak MB"),
        judge=pages.judge_speed,
    ),
    Part(
        name="compile",
        about="Compiled networks beside eager ones, in turns, and the seconds that the first two "
        "steps took above two later ones. The difference is that of the first losses.",
        measure=compiled,
        share=0.2,
        columns=("width", "eager", "compiled", "ratio", "compiling", "difference"),
        judge=pages.judge_compiled,
    ),
    Part(
        name="two processes",
        about="Seconds a step of one process alone, and of each of two at once; gain is the steps "
        "of two over those of one, in the same time.",
        measure=processes,
        share=0.12,
        columns=("width", "threads each", "alone", "two at once", "gain"),
        judge=pages.judge_processes,
    ),
    Part(
        name="500 steps",
        about="The recipe `cifar10:ssgan` with its own networks and settings, until 500 steps or "
        "the end of its time.",
        measure=recipe,
        share=0.16,
        columns=("width", "data", *LOSSES, "D/gradient_norm", "G/gradient_norm", "real images/s"),
        judge=pages.judge_recipe,
    ),
)  # fmt: skip


def machine(task: Task) -> Iterator[Row]:
    """One row: the environment, and what the device says of itself."""
    device = resolve_device(task.device)
    yield {
        **describe_environment(str(device), resolve_precision("auto", device)),
        **{name: _found(read) for name, read in _readings(device).items()},
    }


def _readings(device: torch.device) -> dict[str, Callable[[], Any]]:
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return {
            "driver": lambda: _first_line(*_DRIVER),
            "runtime": lambda: f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
            "memory_bytes": lambda: properties.total_memory,
            "capability": lambda: f"{properties.major}.{properties.minor}",
        }
    if device.type == "xpu":
        properties = torch.xpu.get_device_properties(device)
        return {
            "device_name": lambda: properties.name,
            "driver": lambda: properties.driver_version,
            "memory_bytes": lambda: properties.total_memory,
        }
    if device.type == "mps":
        return {"driver": lambda: platform.mac_ver()[0]}
    return {}


_DRIVER = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")


def _found(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception:  # of a driver: any
        return None


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.splitlines()[0].strip()


def run_part(part: Part, task: Task, budget: float) -> Result:
    """Run it until its time is over, and print each row's name as it comes."""
    result = Result(part=part, budget=budget)
    started = time.time()

    def keep(row: Row) -> None:
        result.rows.append(row)
        print(f"  {row['what']} ({time.time() - started:.0f} s)", file=sys.stderr, flush=True)

    try:
        result.failure = collect(part.measure, task.within(_PLANNED * budget), keep, budget)
    except UserError as refusal:
        result.failure = str(refusal)
    result.seconds = time.time() - started
    return result


def run_parts(
    options: argparse.Namespace, task: Task, written: Callable[[list[Result]], None]
) -> list[Result]:
    """Each part in its share of the time that is left; `written` gets the results after each."""
    results: list[Result] = []
    wanted = options.parts.split(",")
    for place, part in enumerate(PARTS):
        left = task.deadline - _RESERVED - time.time()
        shares = sum(other.share for other in PARTS[place:] if other.name in wanted)
        budget = max(0.0, left * part.share / shares) if shares else 0.0
        if part.name not in wanted:
            results.append(Result(part=part, skipped="--parts leaves it out"))
        elif budget < _LEAST:
            reason = f"{budget:.0f} s are left for it, and its start takes up to {_LEAST:.0f} s"
            results.append(Result(part=part, skipped=reason, budget=budget))
        else:
            print(f"{part.name}: at most {budget:.0f} s", file=sys.stderr, flush=True)
            results.append(run_part(part, task, budget))
        print_result(results[-1])
        written(results)
    return results


def print_result(result: Result) -> None:
    print(f"\n{result.part.name}: {result.verdict()}")
    for rows in result.tables():
        print(table(rows))
    sys.stdout.flush()


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=5)
    parser.set_defaults(json=Path("accelerator.json"))
    names = [part.name for part in PARTS]
    parser.add_argument("--minutes", type=float, default=8.0, help="of all parts together")
    parser.add_argument("--device", default="auto", help="auto, cuda, xpu, mps or cpu")
    parser.add_argument("--data", help="of the 500 steps: a folder or a source")
    parser.add_argument("--page", type=Path, default=Path("accelerator.md"), help="of Markdown")
    parser.add_argument("--parts", default=",".join(names), help="only these")
    parser.add_argument("--width", type=float, default=1.0, help="multiplies all channels")
    options = parser.parse_args(argv)
    unknown = [name for name in options.parts.split(",") if name not in names]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(names)}")
    if not options.minutes >= 0:
        parser.error(f"--minutes must be 0 or more, not {options.minutes:g}")
    for file in (options.json, options.page):
        if not file.parent.is_dir():
            parser.error(f"{file}: there is no folder {file.parent}")
    return options


def describe(task: Task) -> dict[str, Any]:
    """The machine; UserError for a device that is not there."""
    rows: list[Row] = []
    failure = collect(machine, task, rows.append, _PATIENCE)
    facts = rows[0] if rows else {"device": task.device, "failure": failure}
    shown = ("device", "device_name", "driver", "torch", "threads", "commit")
    print(", ".join(f"{name} {facts[name]}" for name in shown if facts.get(name)), flush=True)
    if facts["device"] == "cpu":
        print("no accelerator takes part: the CPU takes its place", flush=True)
    return facts


def run_all(options: argparse.Namespace, argv: list[str]) -> list[Result]:
    started = time.time()
    source_of(options.data)  # refused at once
    task = Task(
        device=options.device,
        deadline=started + 60 * options.minutes,
        repeats=options.repeats,
        threads=options.threads,
        width=options.width,
        data=options.data,
    )
    header = {
        "environment": describe(task),
        "options": {name: str(value) for name, value in vars(options).items()},
        "command": shlex.join(argv),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }

    def write(results: list[Result]) -> None:
        header["seconds"] = time.time() - started
        parts = [result.as_json() for result in results]
        options.json.write_text(json.dumps({**header, "parts": parts}, indent=2) + "\n")
        options.page.write_text(page(header, results), encoding="utf-8")

    return run_parts(options, task, write)


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    try:
        run_all(options, sys.argv[1:] if argv is None else argv)
    except UserError as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # which ends the part under way too
    sys.exit(main())
