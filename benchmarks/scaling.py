"""How a step scales over processes: measured here, predicted elsewhere.

    python benchmarks/scaling.py --json docs/results/speed/scaling.json

A step takes the time of its operations on each process's part of the batch, of the gradient sums
that backward does not hide, and of the waits for batch norm's statistics:

    seconds = crowding FLOP / (W rate) + max(0, sums - hidden) + waits latency log2(W)
    sums    = 2 (W - 1) / W  gradient bytes / bandwidth

Rate, bandwidth and latency of this machine are measured, each alone; so is crowding, by which cores
that share caches and memory slow each other (1 on devices that share nothing). Steps of 1, 2 and 4
processes of `ssgan train` then show how right the formula is. Other machines are described by their
makers' figures and by assumptions, which MACHINES names. Nothing of theirs was measured.
"""

import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.distributed as dist

from benchmarks.report import begin, finish, parser_of, percent, table
from benchmarks.work import Work, count_work
from ssgan.ops.cpu import num_cores
from ssgan.recipes import imagenet_large
from ssgan.recipes.find import build_recipe

_RECIPE = "objects:ssgan"
_COUNTS = (1, 2, 4)  # processes
_LARGE, _SMALL = 8 * 2**20, 256  # numbers that a collective of each kind sends
_SKIP = 5  # steps at the start that do not count


@dataclass(frozen=True)
class Machine:
    """What the formula needs of a machine; its devices are alike."""

    name: str
    rate: float  # FLOP/s of one device that a step reaches
    bandwidth: float  # bytes/s by which a process sends and receives in a large sum
    latency: float  # seconds of one small collective of two processes; others: times log2
    hidden: float  # share of the operations' time in which gradient sums run beside them
    memory: float  # bytes of one device
    source: str
    crowding: float = 1.0  # time of operations on all devices at once, over that on one alone


_H100 = "data sheet: 989 TFLOP/s dense bfloat16, 80 GB. ASSUMED: 30 % of it reached"
MACHINES = {
    "8 x H100": (
        8,
        Machine(
            "8 x H100, one node", 0.3 * 989e12, 200e9, 20e-6, 0.4, 80e9,
            f"{_H100}; 200 GB/s of NVLink's 450 a direction, 20 us a small collective, sums hidden "
            "behind 40 % of the operations",
        ),
    ),
    "32 x H100": (
        32,
        Machine(
            "32 x H100, four nodes", 0.3 * 989e12, 40e9, 30e-6, 0.4, 80e9,
            f"{_H100}; 40 GB/s of a 400 Gb/s adapter per GPU, 30 us a small collective, hidden as "
            "above",
        ),
    ),
    "v3-128": (
        128,
        Machine(
            "128 cores of TPU v3", 0.3 * 61.5e12, 30e9, 20e-6, 0.4, 16e9,
            "data sheet: 123 TFLOP/s bfloat16 and 32 GB a chip of two cores. ASSUMED: 30 % of it "
            "reached, 30 GB/s, 20 us, hidden as above",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Predicted:
    """The parts of a step's time, in seconds."""

    operations: float
    sums: float  # what backward does not hide
    waits: float

    @property
    def seconds(self) -> float:
        return self.operations + self.sums + self.waits


def predict(work: Work, machine: Machine, processes: int, devices: int) -> Predicted:
    """A step of so many processes on so many devices, which they share if there are fewer."""
    operations = work.flop / (machine.rate * min(processes, devices))
    if processes == 1:
        return Predicted(operations, 0.0, 0.0)
    operations *= machine.crowding
    each = 2 * (processes - 1) / processes * work.gradient_bytes / machine.bandwidth
    waits = work.small_collectives * machine.latency * math.log2(processes)
    return Predicted(operations, max(0.0, each - machine.hidden * operations), waits)


def device_bytes(work: Work, processes: int, *, sharded: bool = False, recomputed: bool) -> float:
    """Memory of one device in bfloat16: its part of the state, and stored activations.

    ASSUMED: half of float32's bytes, and a fifth of them where blocks are computed again.
    """
    state = work.state_bytes / (processes if sharded else 1)
    stored = work.activation_bytes * work.batch_size / processes / 2
    return state + stored * (0.2 if recomputed else 1.0)


def time_steps(processes: int, batch: int, steps: int, runs: int = 1) -> float:
    """Median seconds of a step of `ssgan train`, one thread a process; of so many runs at once."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / f"run-{number}" for number in range(runs)]
        started = [_start_run(place, processes, batch, steps) for place in places]
        for one in started:
            if one.wait():
                raise SystemExit(one.stderr.read() if one.stderr else "a run has failed")
        return statistics.median(second for place in places for second in _step_times(place))


def _start_run(place: Path, processes: int, batch: int, steps: int) -> "subprocess.Popen[str]":
    words = (
        f"train {_RECIPE} --data objects:num_images=512 --batch_size {batch} "
        f"--total_steps {steps} --processes {processes} --run {place} --no-report "
        "--precision float32 --evaluate.every 0 --output.log_every 1 --output.sample_every 0"
    )
    command = [sys.executable, "-m", "ssgan", *words.split()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment, **pipes)  # type: ignore[call-overload, no-any-return]


def _step_times(place: Path) -> list[float]:
    rows = [json.loads(line) for line in (place / "log.jsonl").read_text().splitlines()]
    ends = [row["seconds"] for row in rows[_SKIP:]]
    return [b - a for a, b in pairwise(ends)]


def measure_steps(repeats: int, steps: int) -> list[dict[str, Any]]:
    """Steps of one batch on all processes (strong), and of a batch that grows (weak), in turns.

    "apart" are runs of one process each, as many at once as there are cores.
    """
    cases = [("strong", count, 64) for count in _COUNTS]
    cases += [("weak", count, 32 * count) for count in _COUNTS]
    cases += [("apart", num_cores(), 32)]
    seconds: dict[tuple[str, int, int], list[float]] = {case: [] for case in cases}
    for _ in range(repeats):
        for case in cases:
            kind, count, batch = case
            count, runs = (1, count) if kind == "apart" else (count, 1)
            seconds[case].append(time_steps(count, batch, steps, runs))
            print(*case, f"{seconds[case][-1]:.3f} s", flush=True)
    return [
        {"scaling": kind, "processes": count, "batch": batch, "seconds": found}
        for (kind, count, batch), found in seconds.items()
    ]


def time_collectives(count: int) -> dict[str, float]:
    """Seconds of a large and of a small sum over so many processes (gloo)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = get_context("spawn")
    results = context.Queue()
    ranks = [
        context.Process(target=_time_as_rank, args=(number, count, port, results))
        for number in range(count)
    ]
    for one in ranks:
        one.start()
    found: dict[str, float] = results.get(timeout=120)
    for one in ranks:
        one.join()
    return found


def _time_as_rank(number: int, count: int, port: int, results: Any) -> None:
    torch.set_num_threads(1)
    where = f"tcp://127.0.0.1:{port}"
    dist.init_process_group("gloo", init_method=where, rank=number, world_size=count)
    found = {}
    for name, size, repeats in (("large", _LARGE, 8), ("small", _SMALL, 200)):
        row = torch.zeros(size)
        taken = []
        for _ in range(repeats):
            dist.barrier()
            started = time.perf_counter()
            dist.all_reduce(row)
            taken.append(time.perf_counter() - started)
        found[name] = statistics.median(taken)
    if number == 0:
        results.put(found)
    dist.barrier()
    dist.destroy_process_group()


def count_recipe(batch: int) -> Work:
    """The work of a step of the recipe that is timed."""
    return count_work(replace(build_recipe(_RECIPE), batch_size=batch))


def calibrate(
    work: Work, rows: Sequence[dict[str, Any]], collectives: dict[int, dict[str, float]]
) -> Machine:
    """This machine: by steps of one process, alone and beside others, and by sums of two."""
    two = collectives[2]
    seconds = {
        (row["scaling"], row["batch"]): statistics.median(row["seconds"])
        for row in rows
        if row["processes"] == 1 or row["scaling"] == "apart"
    }
    alone = seconds["strong", 64]
    return Machine(
        name="this machine",
        rate=work.flop / alone,
        bandwidth=4 * _LARGE / two["large"],  # 2 (W - 1) / W is 1
        latency=two["small"],
        hidden=0.0,  # every core computes
        memory=0.0,
        source="measured",
        crowding=seconds["apart", 32] / seconds["weak", 32],
    )


def compare(rows: Sequence[dict[str, Any]], machine: Machine) -> list[dict[str, object]]:
    """Measured and predicted seconds of each case."""
    devices = num_cores()
    shown: list[dict[str, object]] = []
    for row in rows:
        if row["scaling"] == "apart":
            continue
        work = count_recipe(row["batch"])
        predicted = predict(work, machine, row["processes"], devices)
        measured = statistics.median(row["seconds"])
        shown.append(
            {
                **{name: row[name] for name in ("scaling", "processes", "batch")},
                "measured s": measured,
                "predicted s": predicted.seconds,
                "error": percent(predicted.seconds / measured - 1),
                "waits s": predicted.waits,
                "sums s": predicted.sums,
            }
        )
    return shown


def plan_large_run() -> list[dict[str, object]]:
    """The paper's large run on each of MACHINES, and its cost in device hours."""
    rows: list[dict[str, object]] = []
    for recipe in (imagenet_large.ssgan_1024, imagenet_large.ssgan_2048):
        config = recipe()
        work = count_work(config, 1000)
        for name, (devices, machine) in MACHINES.items():
            step = predict(work, machine, devices, devices)
            hours = step.seconds * config.total_steps / 3600
            rows.append(
                {
                    "batch": config.batch_size,
                    "machine": name,
                    "TFLOP a step": work.flop / 1e12,
                    "seconds a step": step.seconds,
                    "operations": percent(step.operations / step.seconds),
                    "sums": percent(step.sums / step.seconds),
                    "waits": percent(step.waits / step.seconds),
                    "hours": hours,
                    "device hours": hours * devices,
                    "GB a device": device_bytes(work, devices, recomputed=False) / 1e9,
                    "recomputed": device_bytes(work, devices, recomputed=True) / 1e9,
                    "sharded": device_bytes(work, devices, sharded=True, recomputed=True) / 1e9,
                }
            )
    return rows


def simulate_curves() -> list[dict[str, object]]:
    """Efficiency of 1 to 512 devices at batch 2048 (strong), and at 64 images a device (weak)."""
    config = imagenet_large.ssgan_2048()
    machine = MACHINES["32 x H100"][1]
    rows: list[dict[str, object]] = []
    whole = count_work(config, 1000)
    for count in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        part = _with_batch(whole, 64 * count)
        strong, weak = (predict(w, machine, count, count) for w in (whole, part))
        one_strong, one_weak = (predict(w, machine, 1, 1) for w in (whole, _with_batch(whole, 64)))
        rows.append(
            {
                "devices": count,
                "strong, images a device": config.batch_size / count,
                "strong s": strong.seconds,
                "strong efficiency": percent(one_strong.seconds / count / strong.seconds),
                "weak, batch": 64 * count,
                "weak s": weak.seconds,
                "weak efficiency": percent(one_weak.seconds / weak.seconds),
            }
        )
    return rows


def _with_batch(work: Work, batch: int) -> Work:
    return replace(work, batch_size=batch, flop=work.flop * batch / work.batch_size)


def main(argv: list[str] | None = None) -> None:
    parser = parser_of(__doc__, repeats=3)
    parser.add_argument("--steps", type=int, default=20, help="of every run that is timed")
    parser.add_argument("--simulate", action="store_true", help="measure nothing")
    options = parser.parse_args(argv)
    header = begin(options)
    parts: dict[str, Any] = {}
    if not options.simulate:
        collectives = {count: time_collectives(count) for count in _COUNTS[1:]}
        rows = measure_steps(options.repeats, options.steps)
        machine = calibrate(count_recipe(64), rows, collectives)
        parts = {"collectives": collectives, "steps": rows, "machine": asdict(machine)}
        parts["compared"] = compare(rows, machine)
        print(f"\n{machine}\n{table(parts['compared'])}\n")
    parts |= {"large_run": plan_large_run(), "curves": simulate_curves()}
    parts["machines"] = {name: asdict(machine) for name, (_, machine) in MACHINES.items()}
    print(table(parts["large_run"]), "\n")
    print(table(parts["curves"]))
    finish(options, header, **parts)


if __name__ == "__main__":
    main()
