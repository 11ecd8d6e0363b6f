"""How long a training step takes, what it could take, what it needs and where the time goes.

    python benchmarks/step.py                                every network, n_dis 1, 2 and 5
    python benchmarks/step.py --compare fused,plain          two variants in turns
    python benchmarks/step.py --curve                        cost against batch and pixels

Each case has a process of its own. GFLOP are torch's count: two for a multiply and an add.
"of matrix" is the step's GFLOP/s over those of a large matrix product that is done in turns with
it, by minima, then by medians. "share" is over the best rate of it and of any single convolution,
"convolutions" the time that the step's convolutions take alone over the step's; see roofline.py.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.configs import PRECISIONS, WORDS, Case, Stepper, networks, reset_peak, variant
from benchmarks.processes import Worker, fresh, memory_row, set_baseline
from benchmarks.profile_ops import KINDS, shares
from benchmarks.report import begin, finish, parser_of, percent, table
from benchmarks.roofline import ceiling_row, matrix_product
from benchmarks.timing import Times, alternate, timed, times_of
from ssgan.runs.precision import run_dtype

BATCHES = (16, 32, 64, 128, 256)
SIZES = (32, 48, 64, 128)


def measured(case: Case, repeats: int) -> dict[str, Any]:
    """Seconds, images, GFLOP and memory of a case, in a process that did nothing before."""
    stepper, row = _start(case, repeats)
    return row | _times_row(row, times_of(stepper.step, repeats))


def measured_whole(case: Case, repeats: int, matrix: int) -> dict[str, Any]:
    """The same, in turns with a matrix product; with its ceilings and where its time goes."""
    stepper, row = _start(case, 2)
    bfloat16 = stepper.config.precision == "bfloat16"
    dtype = torch.bfloat16 if bfloat16 else run_dtype(stepper.config.precision)
    product = matrix_product(matrix, dtype, stepper.device)
    multiply = lambda: timed(product, stepper.device)  # noqa: E731
    times = alternate({"step": stepper.step, "matrix": multiply}, repeats)
    row |= _times_row(row, times["step"])
    rate = 2 * matrix**3 / 1e9 / times["matrix"].minimum
    ceiling = ceiling_row(stepper.take, stepper.device, repeats, rate)
    of_matrix = row["gigaflop"] / (2 * matrix**3 / 1e9)
    return {
        **row,
        **ceiling,
        "matrix_gigaflop_per_second": rate,
        "matrix_seconds": times["matrix"].seconds,
        "matrix_share": of_matrix * times["matrix"].minimum / times["step"].minimum,
        "matrix_share_median": of_matrix * times["matrix"].median / times["step"].median,
        "convolution_share": ceiling["convolution_seconds"] / row["seconds_minimum"],
        "ceiling_share": row["gigaflop_per_second"] / ceiling["ceiling_gigaflop_per_second"],
        "kinds": shares(stepper, steps=min(repeats, 3)),
    }


def _start(case: Case, steps: int) -> tuple[Stepper, dict[str, Any]]:
    """A stepper after so many steps, and what does not depend on time."""
    set_baseline()
    stepper = Stepper(case)
    reset_peak(stepper.device)
    with stepper.discriminator_images() as images:
        stepper.step()
    times_of(stepper.step, steps)
    memory = memory_row(stepper.device)  # before anything else allocates
    with FlopCounterMode(display=False) as flops:
        stepper.take()
    row = {
        **case.name(),
        "batch": case.batch,
        "width": case.width,
        "plain": case.plain,
        "activation_checkpointing": case.activation_checkpointing,
        "precision": stepper.config.precision,
        "discriminator_images": sum(images),
        "gigaflop": flops.get_total_flops() / 1e9,
        **memory,
    }
    return stepper, row


def _times_row(row: dict[str, Any], times: Times) -> dict[str, Any]:
    return {
        **times.row(),
        "real_images_per_second": row["batch"] * row["n_dis"] / times.minimum,
        "gigaflop_per_second": row["gigaflop"] / times.minimum,
    }


def compared(cases: dict[str, Case], repeats: int, threads: int | None) -> dict[str, Any]:
    """The cases in turns, each in a process that sleeps meanwhile: times and memory of each."""
    workers: dict[str, Worker] = {}
    try:
        for name, case in cases.items():
            workers[name] = Worker(Stepper, case, threads=threads)
        actions = {name: lambda w=worker: w.call("step") for name, worker in workers.items()}
        times = alternate(actions, repeats, warmup=2)
        return {name: {**times[name].row(), **workers[name].memory()} for name in cases}
    finally:
        for worker in workers.values():
            worker.close()


def print_cases(rows: list[dict[str, Any]]) -> None:
    print(table(_case_line(row) for row in rows))
    print("\nwhere the time goes")
    names = ("network", "n_dis")
    print(
        table(
            {**{name: row[name] for name in names}, **{k: percent(row["kinds"][k]) for k in KINDS}}
            for row in rows
        )
    )


def _case_line(row: dict[str, Any]) -> dict[str, Any]:
    line = {name: row[name] for name in ("network", "n_dis", "pixels", "precision")}
    line |= {
        "seconds": row["seconds_minimum"],
        "median": row["seconds_median"],
        "real images/s": row["real_images_per_second"],
        "D images": row["discriminator_images"],
        "GFLOP": row["gigaflop"],
        "GFLOP/s": row["gigaflop_per_second"],
        "memory MB": round(row["memory_bytes"] / 1e6),
    }
    if "kinds" in row:
        line |= {
            "matrix": row["matrix_gigaflop_per_second"],
            "of matrix": percent(row["matrix_share"]),
            "medians": percent(row["matrix_share_median"]),
            "ceiling": row["ceiling_gigaflop_per_second"],
            "share": percent(row["ceiling_share"]),
            "convolutions": percent(row["convolution_share"]),
        }
    return line


def print_layers(rows: list[dict[str, Any]], count: int) -> None:
    """The costliest convolutions of each case."""
    names = ("call", "input", "weight", "stride", "transposed", "count", "seconds")
    for row in rows:
        print(f"\n{row['network']}, n_dis {row['n_dis']}: the costliest convolutions, alone")
        print(
            table(
                {**{name: layer[name] for name in names}, "GFLOP/s": layer["gigaflop_per_second"]}
                for layer in row["layers"][:count]
            )
        )


def run_cases(cases: list[Case], options: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for case in cases:
        print(f"measuring {case.network}, n_dis {case.updates}", file=sys.stderr, flush=True)
        arguments = (case, options.repeats, options.matrix)
        rows.append(fresh(measured_whole, *arguments, threads=options.threads))
    print_cases(rows)
    if options.layers:
        print_layers(rows, options.layers)
    return rows


def run_comparison(cases: list[Case], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each case in both variants; the ratio is the first's minimum over the second's."""
    names = options.compare.split(",")
    if len(names) != 2 or names[0] == names[1]:
        raise SystemExit(f"--compare takes two different variants, A,B, not {options.compare}")
    rows = []
    for case in cases:
        variants = {name: variant(case, name) for name in names}
        times = compared(variants, options.repeats, options.threads)
        first, second = (times[name]["seconds_minimum"] for name in names)
        rows.append({**case.name(), "times": times, "ratio": first / second})
    print(
        table(
            {
                **{name: row[name] for name in ("network", "n_dis", "pixels")},
                **{name: row["times"][name]["seconds_minimum"] for name in names},
                **{f"{name}, median": row["times"][name]["seconds_median"] for name in names},
                **{
                    f"{name}, MB": round(row["times"][name]["memory_bytes"] / 1e6) for name in names
                },
                "ratio": row["ratio"],
            }
            for row in rows
        )
    )
    return rows


def run_curves(cases: list[Case], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Cost against batch at the case's size, and against pixels at its batch.

    "to the first" is seconds an image (or a pixel) over those of the first line.
    """
    rows = []
    for case in cases:
        for what, points in (
            ("batch", [replace(case, batch=batch) for batch in options.batches]),
            ("pixels", [replace(case, size=size) for size in options.sizes]),
        ):
            if what == "pixels" and case.network == "resnet5":
                continue  # it has one size
            found = [fresh(measured, p, options.repeats, threads=options.threads) for p in points]
            lines = [_case_line(row) | {"batch": row["batch"]} for row in found]
            units = [row["batch"] * row["pixels"] ** 2 for row in found]
            costs = [row["seconds_minimum"] / u for row, u in zip(found, units, strict=True)]
            for row, line, cost in zip(found, lines, costs, strict=True):
                row["against"], row["to_the_first"] = what, cost / costs[0]
                line["to the first"] = row["to_the_first"]
            print(f"\n{case.network}, n_dis {case.updates}: against {what}\n{table(lines)}")
            rows += found
    return rows


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=5)
    known = networks()
    default = ",".join(name for name in known if name != "resnet-nearest")
    parser.add_argument("--networks", default=default, help=f"of {', '.join(known)}")
    parser.add_argument("--updates", default="1,2,5", help="of D before each of G")
    parser.add_argument("--precision", default="auto", choices=PRECISIONS)
    parser.add_argument("--plain", action="store_true", help="without fused convolutions")
    parser.add_argument(
        "--activation_checkpointing", action="store_true", help="blocks anew in backward"
    )
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=float, default=1.0, help="multiplies all channels")
    parser.add_argument("--matrix", type=int, default=4096, help="side of the matrix product")
    parser.add_argument("--layers", type=int, default=0, help="print so many convolutions")
    parser.add_argument("--compare", metavar="A,B", help=f"of {', '.join(WORDS)}, networks; join +")
    parser.add_argument("--curve", action="store_true", help="cost against batch and pixels")
    parser.add_argument("--batches", type=_numbers, default=BATCHES, help="of --curve")
    parser.add_argument("--sizes", type=_numbers, default=SIZES, help="of --curve, in pixels")
    options = parser.parse_args(argv)
    unknown = [name for name in options.networks.split(",") if name not in known]
    if unknown:
        parser.error(f"no network {unknown[0]!r}; there are {', '.join(known)}")
    return options


def cases_of(options: argparse.Namespace) -> list[Case]:
    return [
        Case(
            network=network,
            updates=updates,
            batch=options.batch,
            width=options.width,
            precision=options.precision,
            plain=options.plain,
            activation_checkpointing=options.activation_checkpointing,
        )
        for network in options.networks.split(",")
        for updates in _numbers(options.updates)
    ]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
    header = begin(options)
    run = run_comparison if options.compare else run_curves if options.curve else run_cases
    rows = run(cases_of(options), options)
    finish(options, header, cases=rows)


if __name__ == "__main__":
    main()
