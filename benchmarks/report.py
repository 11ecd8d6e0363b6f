"""What every benchmark prints and writes."""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from ssgan.files.environment import describe_environment
from ssgan.runs.precision import Precision, resolve_device, resolve_precision

_BUSY = 0.5  # load average above which times are not to be trusted


def parser_of(description: str, repeats: int) -> argparse.ArgumentParser:
    """A parser with the flags that all benchmarks share."""
    words = description.split("\n")[0]
    parser = argparse.ArgumentParser(description=words, allow_abbrev=False)
    parser.add_argument("--repeats", type=int, default=repeats, help="measurements of each action")
    parser.add_argument("--threads", type=int, help="of torch; as many as it likes when not given")
    parser.add_argument("--json", type=Path, help="where to write all numbers")
    return parser


def begin(options: argparse.Namespace) -> dict[str, object]:
    """Set the threads, and say on what and how busy a machine this runs."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    device = str(resolve_device("auto"))
    wanted: Precision = getattr(options, "precision", None) or "auto"
    facts = describe_environment(device, resolve_precision(wanted, torch.device(device)))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > _BUSY:
        print(f"note: the machine is busy (load {load:.1f}): times are too long", file=sys.stderr)
    shown = ("torch", "processor_features", "threads", "device", "commit")
    print(", ".join(f"{name} {facts[name]}" for name in shown), flush=True)
    given = {name: _plain(value) for name, value in vars(options).items()}
    return {"environment": facts, "load_average": load, "options": given}


def finish(options: argparse.Namespace, header: Mapping[str, object], **parts: object) -> None:
    """Write the JSON file if one was asked for."""
    if options.json is not None:
        options.json.write_text(json.dumps({**header, **parts}, indent=2) + "\n")


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows with the same names as lines of aligned columns, under their names."""
    rows = list(rows)
    if not rows:
        return "nothing was measured"
    lines = [list(rows[0]), *([_shown(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def percent(share: float) -> str:
    """A share of 1 in percent."""
    return f"{100 * share:.0f} %"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if value < 1000 else f"{value:.0f}"
    return str(value)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
