"""What a run has logged, thinned for a drawing; its events, settings and sample sheets."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ssgan.config.schema import value_text
from ssgan.config.serialize import dump, flatten
from ssgan.files.links import read_regular, refuse_links
from ssgan.files.run_directory import RunDirectory, list_step_files, parse_step
from ssgan.runs.config import RunConfig
from ssgan.training.history import CURVE_PANELS, collect_curves, read_events
from ssgan.training.monitor import monitor_directory
from ssgan.types import UserError
from ssgan.web.catalogue import UnknownId

_MOST_POINTS = 300  # of a curve; a drawing is not wider
_MOST_EVENTS = 50
_MOST_SHEETS = 500
_MOST_SHEET_BYTES = 32 * 2**20
_PNG = b"\x89PNG\r\n\x1a\n"


def read_thin_curves(layout: RunDirectory) -> dict[str, Any]:
    """Every logged term and metric as [step, value], at most 300 points each, and the panels.

    A panel draws some curves together: {"title", "chance", "curves": {name: label}}.
    """
    found = {
        name: thin_curve(np.stack(points, axis=1).tolist())
        for name, points in collect_curves(layout).items()
        if name not in ("images_seen", "seconds")
    }
    panels = [
        {"title": panel.title, "chance": panel.chance, "curves": known}
        for panel in CURVE_PANELS
        if (known := {name: label for name, label in panel.curves.items() if name in found})
    ]
    return {"curves": found, "panels": panels}


def thin_curve(points: Sequence[Sequence[float]]) -> list[list[float]]:
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
