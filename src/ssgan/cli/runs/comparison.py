"""Several runs side by side: settings that differ, how they do, and scores of one protocol."""

from collections.abc import Sequence

from ssgan.evaluation.probe.tables import align_columns
from ssgan.summaries.comparison import ComparedRun, compare_runs


def format_runs(runs: Sequence[ComparedRun]) -> list[str]:
    """The comparison of two runs or more: two tables, and lines on what is in neither."""
    found = compare_runs(runs)
    settings = [["setting", *found.names], *found.settings]
    table = align_columns(settings) if found.settings else "no setting differs"
    return [
        table,
        "",
        align_columns([["", *found.names], *found.facts, *found.scores]),
        *found.notes,
    ]
