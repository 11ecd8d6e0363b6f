"""Our step against torch-mimicry's SS-GAN at 32 pixels, in turns.

    python -m pip install --no-deps --target FOLDER torch-mimicry==0.1.16
    python benchmarks/peers.py --mimicry FOLDER

Same widths (G 256, D 128 channels), batch and n_dis. Each side lives in a process of its own that
sleeps while another one computes. "resnet-nearest" is our network closest to mimicry's (nearest
doubling, 1x1 shortcuts, sum pooling; mimicry doubles bilinearly), "resnet" is the paper's. Ours
fetches its images and keeps freed memory, as `ssgan train` does; mimicry's images are there
already. "times" is mimicry's minimum over ours.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.configs import Case, Stepper, variant
from benchmarks.mimicry import MimicryStepper, how_to_make, is_there
from benchmarks.processes import Worker
from benchmarks.report import begin, finish, parser_of, table
from benchmarks.timing import alternate

THEIRS = "mimicry float32"
OURS = "of ours; joined by + with reused (reuse_fakes) or recompute, which are settings of ours"


def measured(updates: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for mimicry and for each of ours, at one n_dis."""
    workers: dict[str, Worker] = {}
    try:
        workers[THEIRS] = Worker(
            MimicryStepper,
            *(options.mimicry, options.batch, updates, options.width),
            threads=options.threads,
            keep_memory=options.keep_memory,
        )
        for name in options.precisions.split(","):
            case = Case(
                network=options.network,
                updates=updates,
                batch=options.batch,
                width=options.width,
            )
            case = variant(case, name)
            workers[f"ours {name}"] = Worker(Stepper, case, threads=options.threads)
        actions = {name: lambda w=worker: w.call("step") for name, worker in workers.items()}
        times = alternate(actions, options.repeats, warmup=2)
        memory = {name: worker.memory() for name, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    return [
        {
            "who": name,
            "n_dis": updates,
            **times[name].row(),
            "real_images_per_second": options.batch * updates / times[name].minimum,
            "times": times[THEIRS].minimum / times[name].minimum,
            "times_median": times[THEIRS].median / times[name].median,
            **memory[name],
            "memory_ratio": memory[name]["memory_bytes"] / memory[THEIRS]["memory_bytes"],
        }
        for name in workers
    ]


def line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "who": row["who"],
        "n_dis": row["n_dis"],
        "seconds": row["seconds_minimum"],
        "median": row["seconds_median"],
        "real images/s": row["real_images_per_second"],
        "times": row["times"],
        "times, medians": row["times_median"],
        "memory MB": round(row["memory_bytes"] / 1e6),
    }


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=7)
    parser.add_argument("--mimicry", type=Path, required=True, help="folder with torch_mimicry")
    parser.add_argument("--updates", default="1,5", help="of D before each of G")
    precisions = "float32,bfloat16,bfloat16+reused"
    parser.add_argument("--precisions", default=precisions, help=OURS)
    parser.add_argument("--network", default="resnet-nearest", choices=("resnet-nearest", "resnet"))
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=float, default=1.0, help="multiplies all channels")
    parser.add_argument(
        "--keep-memory", action="store_true", help="mimicry's process keeps freed memory too"
    )
    options = parser.parse_args(argv)
    if not is_there(options.mimicry):
        parser.exit(2, how_to_make(options.mimicry) + "\n")
    return options


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
    header = begin(options)
    rows = []
    for updates in options.updates.split(","):
        rows += measured(int(updates), options)
    print(table(line(row) for row in rows))
    finish(options, header, rows=rows)


if __name__ == "__main__":
    main()
