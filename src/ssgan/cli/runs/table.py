"""The log of a run as CSV: a row a step that was logged or evaluated, with all columns."""

import csv
import io
from pathlib import Path

from ssgan.files.atomic import write_atomic
from ssgan.files.run_directory import RunDirectory
from ssgan.training.history import curve_name, read_log, read_metrics, step_of
from ssgan.types import UserError


def format_csv(layout: RunDirectory) -> str:
    """One line of names, then a row a step; a cell is empty where a step has no such value.

    Metrics of an evaluation are columns too: NAME, or NAME/generated on generated images. Raises
    UserError when nothing was logged.
    """
    rows: dict[int, dict[str, object]] = {}
    for logged in read_log(layout):
        rows.setdefault(step_of(logged), {}).update(logged)
    for metric in read_metrics(layout):
        step = step_of(metric)
        rows.setdefault(step, {"step": step})[curve_name(metric)] = metric["value"]
    if not rows:
        raise UserError(f"{layout.root} has no log yet: there is nothing to print")
    columns = list(dict.fromkeys(["step", *(name for row in rows.values() for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[step] for step in sorted(rows))
    return text.getvalue()


def write_csv(layout: RunDirectory, target: Path) -> None:
    """Write the table to a file, whole or not at all; folders are created."""
    text = format_csv(layout)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, text.encode())
