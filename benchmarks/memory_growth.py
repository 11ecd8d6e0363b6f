"""Whether a run's memory grows with its steps: the slope of what is resident, in bytes a step.

    python benchmarks/memory_growth.py

Small networks, a line of the log after every step, a checkpoint after every hundred. Two runs,
each in a process of its own: one as it is, and as the control one with a planted leak of 2 kB a
step, which must be seen. Steps before the first measurement warm up the heap. Linux only.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.configs import Case, config_of, noise
from benchmarks.processes import fresh, resident_bytes
from benchmarks.report import begin, finish, parser_of, table
from ssgan.runs.config import OutputConfig
from ssgan.training.run import run

LEAK = 2048  # bytes a step that the control keeps
_SHOWN = ("run", "bytes_a_step", "first_half", "second_half", "resident_bytes")


def growth(case: Case, warmup: int, steps: int, leak: int) -> dict[str, Any]:
    """Bytes that are resident after every step beyond the warm-up, and their slopes."""
    output = OutputConfig(log_every=1, sample_every=0, checkpoint_every=100, tensorboard=False)
    config = replace(config_of(case), total_steps=warmup + steps, output=output)
    resident = np.zeros(warmup + steps, np.int64)  # there from the start: it does not grow
    kept = []
    with tempfile.TemporaryDirectory() as folder:
        for report in run(config, Path(folder) / "run", noise(config)):
            kept.append(planted(leak))
            resident[report.step - 1] = resident_bytes()
    measured = resident[warmup:].tolist()
    half = len(measured) // 2
    return {
        "run": f"with a leak of {leak} bytes a step" if leak else "as it is",
        **case.name(),
        "steps": steps,
        "bytes_a_step": slope(measured),
        "first_half": slope(measured[:half]),
        "second_half": slope(measured[half:]),
        "resident_bytes": measured[-1],
        "resident": measured,
    }


def planted(size: int) -> bytes:
    """So many bytes, all written to: what was only asked for is not resident."""
    return os.urandom(size)


def slope(values: Sequence[float]) -> float:
    """Of the straight line nearest to the values, by least squares."""
    places = np.arange(len(values)) - (len(values) - 1) / 2
    return float((places * values).sum() / (places**2).sum())


def main(argv: Sequence[str] | None = None) -> None:
    """Measure both runs and print their slopes."""
    parser = parser_of(__doc__ or "", repeats=1)
    parser.add_argument("--steps", type=int, default=300, help="steps that are measured")
    parser.add_argument("--warmup", type=int, default=100, help="steps before them")
    parser.add_argument("--network", default="resnet")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--width", type=float, default=1 / 32)
    options = parser.parse_args(argv)
    header = begin(options)
    case = Case(
        network=options.network, batch=options.batch, width=options.width, precision="float32"
    )
    rows = [
        fresh(growth, case, options.warmup, options.steps, leak, threads=options.threads)
        for _ in range(options.repeats)
        for leak in (0, LEAK)
    ]
    print(table({name: row[name] for name in _SHOWN} for row in rows))
    finish(options, header, rows=rows)


if __name__ == "__main__":
    main()
