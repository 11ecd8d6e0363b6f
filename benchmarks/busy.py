"""Images a second of a run alone and beside one busy process, in a terminal and redirected.

    python benchmarks/busy.py [--networks small,64] [--settings before,now] [--json FILE]

Each measurement is a command `ssgan train` of its own; its rate is that of its log lines after the
first seconds. Settings are environments of that command and take turns. The busy process is an
endless loop of Python at normal priority. Every process has a session of its own, as in another
terminal: Linux shares the cores between sessions first. Needs a system with pseudo terminals.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import begin, finish, parser_of, percent, table
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.cpu import num_cores
from ssgan.training.history import read_log

_POLL = 0.05  # seconds between looks at the log
_PATIENCE = 300.0  # seconds until a run is given up
_SETTLES = 3.0  # seconds of the log before the rate counts: set-up, and finding out who is busy
_LOOP = "while True: pass"
_QUIET = "--evaluate.every 0 --output.sample_every 0 --output.checkpoint_every 100000"
_WIDE = "--discriminator_updates 1 --output.log_every 1"
NETWORKS = {  # settings of scenes:demo
    "small": "--batch_size 8 --output.log_every 1",
    "demo": "",
    "64": f"--generator.width 0.25 --discriminator.width 0.5 --batch_size 64 {_WIDE}",
    "full": f"--generator.width 1 --discriminator.width 1 --batch_size 16 {_WIDE}",
}
_OURS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def environments() -> dict[str, dict[str, str]]:
    """What is compared: variables of OpenMP, by name."""
    every_core = {"OMP_NUM_THREADS": str(num_cores())}
    return {
        "now": {},
        "before": every_core,
        "passive": {**every_core, "OMP_WAIT_POLICY": "PASSIVE"},
        "one": {"OMP_NUM_THREADS": "1"},
    }


def environment_of(name: str) -> dict[str, str]:
    """The variables of a name, or those of NAME=VALUE words joined by +."""
    known = environments()
    if name in known:
        return known[name]
    pairs = [word.partition("=") for word in name.split("+")]
    if any(variable not in _OURS for variable, _, _ in pairs):
        raise SystemExit(f"no setting {name!r}; there are {', '.join(known)}, and NAME=VALUE")
    return {variable: value for variable, _, value in pairs}


@contextmanager
def busy_process() -> Iterator[None]:
    """Within, one process computes without end."""
    process = subprocess.Popen([sys.executable, "-c", _LOOP], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def running(words: list[str], variables: Mapping[str, str], output: str) -> Iterator[Any]:
    """Within, the command runs with its output in a pseudo terminal or in a file."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    with tempfile.TemporaryFile() as file:
        master, place = os.openpty() if output == "terminal" else (None, file.fileno())
        process = subprocess.Popen(
            [sys.executable, *words],
            env={**kept, **variables},
            stdin=place if master is not None else subprocess.DEVNULL,
            stdout=place,
            stderr=place,
            start_new_session=True,
        )
        if master is not None:
            os.close(place)
            threading.Thread(target=_drain, args=[master], daemon=True).start()
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _drain(master: int) -> None:
    """Read what a terminal would show, until its process ends."""
    try:
        while os.read(master, 65536):
            pass
    except OSError:  # the other side is closed
        pass
    os.close(master)


def rate_of(words: list[str], directory: Path, variables: Mapping[str, str], output: str,
            seconds: float) -> float:  # fmt: skip
    """Real images a second over about so many seconds of a command's log lines."""
    layout, ends = RunDirectory(directory), time.monotonic() + _PATIENCE
    first: float | None = None
    with running(words, variables, output) as process:
        while time.monotonic() < ends:
            time.sleep(_POLL)
            count = layout.log.read_bytes().count(b"\n") if layout.log.exists() else 0
            if process.poll() is not None:
                break
            if first is None and count > 0:
                first = time.monotonic()
            if first is not None and time.monotonic() - first >= _SETTLES + seconds and count > 2:
                break
    lines = read_log(layout)
    if len(lines) < 2:
        raise RuntimeError(f"{' '.join(words)} wrote too few log lines")
    settled = [line for line in lines if line["seconds"] - lines[0]["seconds"] >= _SETTLES]
    lines = settled if len(settled) > 1 else lines[-2:]
    images = lines[-1]["images_seen"] - lines[0]["images_seen"]
    return float(images / (lines[-1]["seconds"] - lines[0]["seconds"]))


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rates of every combination; the settings take turns, every other round in reverse."""
    rows: dict[tuple[str, ...], list[float]] = {}
    cases = list(product(options.networks, options.outputs, options.neighbours))
    with tempfile.TemporaryDirectory() as folder:
        for turn, case in product(range(options.repeats), cases):
            network, output, neighbours = case
            for name in options.settings[:: 1 if turn % 2 == 0 else -1]:
                directory = Path(folder) / f"run-{sum(map(len, rows.values()))}"
                words = command_of(network, directory, Path(folder) / "cache")
                with busy_process() if neighbours == "busy" else nullcontext():
                    rate = rate_of(words, directory, environment_of(name), output, options.seconds)
                rows.setdefault((*case, name), []).append(rate)
                print(f"{network} {output} {neighbours} {name}: {rate:.1f}", file=sys.stderr)
    return [
        {
            **dict(zip(("network", "output", "machine", "setting"), key, strict=True)),
            "images_per_second": statistics.median(rates),
            "rates": rates,
        }
        for key, rates in rows.items()
    ]


def command_of(network: str, directory: Path, cache: Path) -> list[str]:
    """The words after `python` of a run that does not end by itself."""
    words = ["-m", "ssgan", "train", "scenes:demo", "--run", str(directory), "--cache", str(cache)]
    return [*words, "--total_steps", "1000000", *_QUIET.split(), *NETWORKS[network].split()]


def shares(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for every network, output and setting: both rates, and one over the other."""
    rates = {tuple(row[name] for name in _KEYS): row["images_per_second"] for row in rows}
    found = []
    for network, output, machine, setting in rates:
        busy = rates.get((network, output, "busy", setting))
        if machine != "idle" or busy is None:
            continue
        idle = rates[network, output, machine, setting]
        names = {"network": network, "output": output, "setting": setting}
        found.append({**names, "idle": idle, "busy": busy, "share": percent(busy / idle)})
    return found


_KEYS = ("network", "output", "machine", "setting")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=2)

    def list_flag(name: str, default: str, words: str) -> None:
        parser.add_argument(name, type=lambda text: text.split(","), default=default, help=words)

    list_flag("--networks", "small,64", f"of {', '.join(NETWORKS)}")
    list_flag("--settings", "before,now,passive,one", f"of {', '.join(environments())}, or "
              "variables joined by +, such as OMP_NUM_THREADS=2+GOMP_SPINCOUNT=1000")  # fmt: skip
    list_flag("--outputs", "terminal,file", "where the command prints")
    list_flag("--neighbours", "idle,busy", "beside nothing, beside one busy process")
    parser.add_argument("--seconds", type=float, default=5.0, help="of every measurement")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
    header = begin(options)
    rows = measure(options)
    print(table([{**row, "rates": len(row["rates"])} for row in rows]))
    print(table(shares(rows)))
    finish(options, header, rows=rows)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started ends too
    main()
