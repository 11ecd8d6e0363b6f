"""What a run has logged, thinned for a drawing; its events, settings and sample sheets."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ssgan.config.schema import value_text
from ssgan.config.serialize import dump, flatten
from ssgan.files.links import read_regular, refuse_links
from ssgan.files.run_directory import RunDirectory, list_step_files, parse_step
from ssgan.runs.config import RunConfig
from ssgan.training.history import curve_name, read_events, read_log, read_metrics, step_of
from ssgan.training.monitor import monitor_directory
from ssgan.types import UserError
from ssgan.web.catalogue import UnknownId

_MOST_POINTS = 300  # of a curve; a drawing is not wider
_MOST_EVENTS = 50
_MOST_SHEETS = 500
_MOST_SHEET_BYTES = 32 * 2**20
_PNG = b"\x89PNG\r\n\x1a\n"

Curve = list[list[float]]  # [step, value]


def read_thin_curves(layout: RunDirectory) -> dict[str, Any]:
    """Every column of the log and every metric as [step, value], at most 300 points each."""
    logged, evaluated = defaultdict[str, Curve](list), defaultdict[str, Curve](list)
    for row in read_log(layout):
        for name, value in row.items():
            if "/" in name and isinstance(value, int | float):
                logged[name].append([step_of(row), value])
    for row in read_metrics(layout):
        value = row["value"]
        if isinstance(value, int | float):
            evaluated[curve_name(row)].append([step_of(row), value])
    return {
        "logged": {name: thin_curve(points) for name, points in logged.items()},
        "evaluated": {name: thin_curve(points) for name, points in evaluated.items()},
    }


def thin_curve(points: Sequence[Sequence[float]]) -> Curve:
    """At most 300 points: each the mean of as many neighbours; the step is that of the last."""
    size = -(-len(points) // _MOST_POINTS) or 1
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [[part[-1][0], sum(value for _, value in part) / len(part)] for part in parts]


def read_details(layout: RunDirectory, config: RunConfig) -> dict[str, Any]:
    """The verdict with its evidence, the newest events, the steps of the sheets, the settings."""
    verdict = monitor_directory(layout, config).verdict
    events = [
        {
            "step": row["step"],
            "verdict": row["verdict"],
            "alarm": row.get("alarm"),
            "evidence": row.get("evidence", []),
        }
        for row in read_events(layout)[-_MOST_EVENTS:]
    ]
    table = flatten(dump(config))
    return {
        "health": verdict.state,
        "since": verdict.since,
        "evidence": list(verdict.evidence),
        "advice": verdict.advice,
        "events": events[::-1],
        "sheets": list_sheets(layout),
        "settings": [[name, _cell(name, value)] for name, value in table.items()],
    }


def _cell(name: str, value: object) -> str:
    return str(value).rpartition(":")[2] if name.endswith("kind") else value_text(value)


def list_sheets(layout: RunDirectory) -> list[int]:
    """The steps of the sample sheets, the newest first."""
    return [parse_step(path) for path in list_step_files(layout.samples, "png")][
        : -_MOST_SHEETS - 1 : -1
    ]


def read_sheet(layout: RunDirectory, step: int) -> bytes:
    """The PNG of a sample sheet; raises UnknownId for a missing one, a link, or another file."""
    path = layout.sample(step)
    try:
        refuse_links(layout.root, path)
        if path.stat().st_size > _MOST_SHEET_BYTES:
            raise UnknownId("the sample sheet is too large")
        content = read_regular(path)
    except (OSError, UserError):
        raise UnknownId("no such sample sheet") from None
    if not content.startswith(_PNG):
        raise UnknownId("the sample sheet is no PNG")
    return content
