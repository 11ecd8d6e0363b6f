"""What a run costs above its bare steps, and how long a command takes to start.

    python benchmarks/overhead.py

The run (`training.run.run` with the default output: log lines, a sheet, a checkpoint, TensorBoard)
and the bare loop (`training.loop.train`) take their steps in turns in one process. Over the
default 500 steps each of them is written as often as in any other 500. Starting is measured on
whole processes: `ssgan --help`, beside what Python and torch need, and from the start of
`ssgan train` to the first line of its log, on data that is in the cache.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.configs import Case, config_of, noise
from benchmarks.processes import fresh
from benchmarks.report import begin, finish, parser_of, table
from benchmarks.timing import Times, alternate, timed, times_of
from ssgan.files.run_directory import RunDirectory
from ssgan.training.loop import train
from ssgan.training.run import run

_POLL = 0.005  # seconds between looks at the log
_PATIENCE = 600.0  # seconds until a first step is given up


def above_the_step(case: Case, steps: int) -> dict[str, Any]:
    """Seconds of every step of a run and of the bare loop, taken in turns."""
    config = replace(config_of(case), total_steps=steps)
    dataset = noise(config)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(run(config, Path(folder) / "run", dataset)) as whole,
    ):
        iterators = {"run": whole, "bare": train(config, dataset)}
        actions = {name: lambda i=it: timed(lambda: next(i)) for name, it in iterators.items()}
        times = alternate(actions, steps, warmup=0)
    return {**case.name(), "width": case.width, "steps": steps, **_overhead(times)}


def _overhead(times: dict[str, Times]) -> dict[str, Any]:
    """From the second step on: the first sets things up."""
    run_seconds, bare = (Times(times[name].seconds[1:]) for name in ("run", "bare"))
    ordinary = run_seconds.median
    rare = [seconds - ordinary for seconds in run_seconds.seconds if seconds > 1.5 * ordinary]
    return {
        "run": run_seconds.row(),
        "bare": bare.row(),
        "overhead_seconds_median": run_seconds.median - bare.median,
        "overhead_share_median": run_seconds.median / bare.median - 1,
        "overhead_share_total": sum(run_seconds.seconds) / sum(bare.seconds) - 1,
        "long_steps": len(rare),  # of the run: above one and a half times its median
        "long_steps_seconds": sum(rare),
    }


def starts(repeats: int) -> dict[str, Any]:
    """Wall time of processes that do next to nothing."""
    commands = {
        "python": ["-c", "pass"],
        "import torch": ["-c", "import torch"],
        "ssgan --help": ["-m", "ssgan", "--help"],
    }
    actions = {name: lambda c=words: timed(lambda: _wait(c)) for name, words in commands.items()}
    return {name: times.row() for name, times in alternate(actions, repeats).items()}


def first_step(options: argparse.Namespace) -> dict[str, Any]:
    """From the start of `ssgan train` to its first log line, and to its end after one step."""
    ends: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def once() -> float:
            directory = root / f"run-{len(ends)}"
            taken, end = _to_the_first_line(_train_command(options, directory, root), directory)
            ends.append(end)
            return taken

        times = times_of(once, options.repeats)  # the warm-up fills the cache
    return {**times.row(), "to_the_end": Times(ends[1:]).row()}


def _train_command(options: argparse.Namespace, directory: Path, root: Path) -> list[str]:
    words = ["-m", "ssgan", "train", options.recipe, "--total_steps", "1"]
    words += ["--run", str(directory), "--cache", str(root / "cache")]
    return words + options.settings.split()


def _to_the_first_line(words: list[str], directory: Path) -> tuple[float, float]:
    log, said = RunDirectory(directory).log, directory.with_suffix(".stderr")
    started = time.perf_counter()
    with said.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=errors
        )
    try:
        while not (log.exists() and log.stat().st_size):
            if process.poll() not in (None, 0) or time.perf_counter() - started > _PATIENCE:
                raise RuntimeError(f"no first step from {' '.join(words)}: {said.read_text()}")
            time.sleep(_POLL)
        first = time.perf_counter() - started
        process.wait()
        return first, time.perf_counter() - started
    finally:
        process.kill()


def _wait(words: list[str]) -> None:
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)


def print_all(above: dict[str, Any], begun: dict[str, Any], first: dict[str, Any]) -> None:
    print(
        table(
            {"": name, "seconds a step": row["seconds_minimum"], "median": row["seconds_median"]}
            for name, row in ((name, above[name]) for name in ("run", "bare"))
        )
    )
    print(
        f"overhead {100 * above['overhead_share_median']:.2f} % by medians, "
        f"{100 * above['overhead_share_total']:.2f} % over all {above['steps']} steps; "
        f"{above['long_steps']} long steps took {above['long_steps_seconds']:.2f} s more\n"
    )
    rows = {**begun, "first step": first, "one step, whole command": first["to_the_end"]}
    print(
        table(
            {"start": name, "seconds": row["seconds_minimum"], "median": row["seconds_median"]}
            for name, row in rows.items()
        )
    )


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=5)
    parser.add_argument("--network", default="resnet-laptop", help="of the run and the bare loop")
    parser.add_argument("--steps", type=int, default=500, help="of the run and of the bare loop")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=float, default=1.0, help="multiplies all channels")
    parser.add_argument("--recipe", default="scenes:ssgan", help="whose first step is waited for")
    parser.add_argument("--settings", default="", help="further flags of that command")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
    header = begin(options)
    case = Case(network=options.network, batch=options.batch, width=options.width)
    above = fresh(above_the_step, case, options.steps, threads=options.threads)
    begun, first = starts(options.repeats), first_step(options)
    print_all(above, begun, first)
    finish(options, header, above_the_step=above, starts=begun, first_step=first)


if __name__ == "__main__":
    main()
