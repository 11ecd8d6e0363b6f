"""Results with everything they depend on, and files of results, one JSON object a line."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ssgan.config.schema import check_fields
from ssgan.files.atomic import write_atomic
from ssgan.files.environment import package_version
from ssgan.files.jsonl import read_lines
from ssgan.files.nesting import parse_json
from ssgan.metrics.protocol import Protocol, same_protocol
from ssgan.types import UserError

_OLD_FIELDS = {"within": "std_within"}  # names of before, still read
_OLD_METRICS = {"too close": "authenticity", "copies": "duplicates"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One metric of one subject."""

    name: str  # "FID", "KID", "precision"
    subject: str  # the evaluated run or images
    subject_content: str  # identity of the run's weights, or content hash of the images
    against: str  # the reference
    values: tuple[float, ...]  # one for each seed of the samples
    std_within: float | None = None  # mean deviation over subsets or splits of a set; None: none
    low: float | None = None  # 95 % interval of an extrapolated value; None: not extrapolated
    high: float | None = None
    parameters: dict[str, int | bool | str] = field(default_factory=dict)  # k, subsets
    protocol: Protocol
    version: str = field(default_factory=lambda: package_version("ssgan"))  # of ssgan

    @property
    def value(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds (over n - 1); None for a single one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def require_comparable(a: Result, b: Result) -> None:
    """Raise UserError, naming every difference, unless a and b may be compared.

    They need the same protocol, and results of the same name also the same parameters.
    """
    try:
        same_protocol(a.protocol, b.protocol)
        if a.protocol.content is None and a.against != b.against:
            raise UserError(
                f"{a.against} and {b.against} do not say of which images they are, so these "
                "values do not compare"
            )
        if a.name == b.name and a.parameters != b.parameters:
            names = sorted({**a.parameters, **b.parameters})
            unlike = [
                f"{name} {a.parameters.get(name)} against {b.parameters.get(name)}"
                for name in names
                if a.parameters.get(name) != b.parameters.get(name)
            ]
            raise UserError(f"these values do not compare: {'; '.join(unlike)}")
    except UserError as error:
        here, there = f"{a.name} of {a.subject}", f"{b.name} of {b.subject}"
        raise UserError(f"{here} and {there}: {error}") from None


def name_sheet(results: Path) -> Path:
    """The picture of nearest images beside a file of results."""
    stem = "neighbours" if results.name == "results.jsonl" else f"{results.stem}-neighbours"
    return results.with_name(f"{stem}.png")


def check_replaceable(path: Path, subject: str) -> None:
    """Raise UserError when anything but results of that subject is at a path: it would be lost."""
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        stored = read_results(path)
    except UserError as error:
        raise UserError(f"--out {path} would replace what is no result: {error}") from None
    if other := next((one.subject for one in stored if one.subject != subject), None):
        raise UserError(
            f"--out {path} would replace the results of {other} by those of {subject}: give "
            "another --out, or remove it"
        )


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Replace the file by these results, a JSON object a line; ValueError for NaN."""
    rows = [{"value": r.value, "spread": r.spread, **asdict(r)} for r in results]
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode())


def read_results(path: Path) -> list[Result]:
    """The results in a file; UserError when it is missing or a line is no result.

    Names of earlier versions become those of today.
    """
    if not path.is_file():
        raise UserError(f"no results at {path}; give a .jsonl file that ssgan evaluate wrote")
    results = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            results.append(_result(parse_json(line)))
        except (ValueError, TypeError, KeyError, UserError) as error:
            ours = isinstance(error, UserError)
            reason = str(error) if ours else f"{type(error).__name__}: {error}"
            raise UserError(
                f"{path}, line {number}, is no result of ssgan evaluate ({reason})"
            ) from None
    if not results:
        raise UserError(f"{path} is empty")
    return results


def _result(row: Any) -> Result:
    if not isinstance(row, dict):
        raise ValueError(f"it is {type(row).__name__}")
    protocol = row["protocol"]
    if not isinstance(protocol, dict):
        raise ValueError(f"protocol is {type(protocol).__name__}")
    row = {_OLD_FIELDS.get(name, name): value for name, value in row.items()}
    own = {f.name: row[f.name] for f in fields(Result) if f.name in row and f.name != "protocol"}
    values = check_fields(Result, own)
    if not values["values"]:
        raise ValueError("values is empty")
    values |= _current_metric(values["name"], values["values"])
    if protocol.get("split") == "unknown":  # before, a foreign file's selection was called "all"
        protocol = {**protocol, "selection": "unknown"}
    return Result(**values, protocol=Protocol(**check_fields(Protocol, protocol)))


def _current_metric(name: str, values: tuple[float, ...]) -> dict[str, Any]:
    """The name and values of today for those that an earlier version wrote."""
    metric, bracket, suffix = name.partition(" (")
    if metric == "too close":  # the share of samples that are not authentic
        values = tuple(1 - value for value in values)
    return {"name": _OLD_METRICS.get(metric, metric) + bracket + suffix, "values": values}
