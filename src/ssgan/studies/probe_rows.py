"""The rows that `ssgan probe` wrote, of one protocol."""

from collections.abc import Iterable, Sequence

from ssgan.evaluation.probe.probe import ROWS, stored_rows
from ssgan.evaluation.probe.tables import Row
from ssgan.studies.jobs import FileJob
from ssgan.types import UserError

# What must agree before rows of two runs stand in one table.
PROTOCOL = ("protocol", "train", "test", "split", "labels", "seed", "solver", "l2_given")


def probe_rows(job: FileJob) -> list[Row]:
    """All rows with the most labels of one run's probe."""
    rows: list[Row] = [*stored_rows(job.result.parent / ROWS)]
    if not rows:
        raise UserError(
            f"{job.result.parent / ROWS} has no rows: remove {job.result.name} beside it, and run "
            "the same command again"
        )
    most = max(row["fraction"] for row in rows)
    return [row for row in rows if row["fraction"] == most]


def one_protocol(rows: Iterable[Row]) -> dict[str, object]:
    """What all of the rows have in common; UserError, naming what differs, when it is not all."""
    first: dict[str, object] = {}
    for row in rows:
        own = {name: row.get(name) for name in PROTOCOL}
        first = first or own
        unlike = [name for name in PROTOCOL if own[name] != first[name]]
        if unlike:
            words = "; ".join(f"{name} {first[name]!r} against {own[name]!r}" for name in unlike)
            raise UserError(
                f"these probes are of two protocols: {words}; move the results of one of them "
                "away, and run the same command again"
            )
    return first


def protocol_text(rows: Sequence[Row]) -> str:
    """The protocol, as lines of Markdown's verbatim form."""
    row = rows[0]
    train, test = row["train"], row["test"]
    lines = [
        f"top-1 of a linear classifier ({row['solver']}) on D's frozen features, {row['pooling']}",
        f"trained on {row['labels']:,} labels of {train['source']} ({train['content_hash'][:12]})",
        f"tested on {test['images']:,} of {test['source']} ({test['content_hash'][:12]})",
    ]
    return "\n".join(f"    {line}" for line in lines)
