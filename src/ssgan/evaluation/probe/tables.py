"""Rows of a probe as tables for people: blocks by runs, or steps by blocks; labels by blocks."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]  # a line of probe.jsonl
WHOLE = 1.0  # the fraction that is all training labels


def row_state(row: Row) -> tuple[str, int]:
    """The run and step of a row."""
    return row["run"], row["step"]


def row_title(row: Row) -> str:
    """The name of a column or a curve."""
    return f"{row['method']} {row['run']}, step {row['step']:,}"


def distinct(values: Sequence[Any]) -> list[Any]:
    """Each value once, in order of appearance."""
    return list(dict.fromkeys(values))


def best_block(rows: Sequence[Row]) -> int:
    """The block with the highest accuracy among these rows."""
    block: int = max(rows, key=lambda row: row["top1"])["block"]
    return block


def format_tables(rows: Sequence[Row]) -> str:
    """All tables of the rows, as text."""
    parts = [_protocol(rows[0])]
    for pooling in distinct([row["pooling"] for row in rows]):
        chosen = [row for row in rows if row["pooling"] == pooling]
        most = max(row["fraction"] for row in chosen)
        whole = [row for row in chosen if row["fraction"] == most]
        labels = whole[0]["labels"]
        steps = {
            run: {row["step"] for row in whole if row["run"] == run} for run, _ in _states(whole)
        }
        heading = f"{pooling}, {labels:,} labels: top-1 in %"
        if any(len(found) > 1 for found in steps.values()):
            parts += [_by_step(f"{run}, {heading}", whole, run) for run in steps]
        else:
            parts.append(_by_block(heading, whole))
        if len({row["fraction"] for row in chosen}) > 1 and len(_states(whole)) == len(steps):
            parts += [_by_labels(pooling, chosen, state) for state in _states(whole)]
    unfinished = sum(row.get("converged") is False for row in rows)
    if unfinished:
        parts.append(
            f"note: {unfinished} of {len(rows)} fits stopped before they reached the tolerance"
        )
    return "\n\n".join(parts) + "\n"


def _states(rows: Sequence[Row]) -> list[tuple[str, int]]:
    return distinct([row_state(row) for row in rows])


def _protocol(row: Row) -> str:
    train, test = row["train"], row["test"]
    solver = "L-BFGS" if row["solver"] == "lbfgs" else "SGD, 50 epochs"
    return "\n".join(
        [
            f"logistic regression by {solver}, seed {row['seed']}; "
            f"standardised {row['standardised']}",
            f"trained on {train['images']:,} of {train['source']} ({train['content_hash'][:12]}), "
            f"tested on {test['images']:,} of {test['source']} ({test['content_hash'][:12]})",
            f"{row['split']}; {len(row['classes'])} classes, chance {100 * row['chance']:.1f}; "
            f"+- is half of Wilson's 95 % interval over the test images",
            f"kNN: {row['knn']}",
        ]
    )


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    low, high = row["interval"]
    half = 50 * (high - low)
    return f"{100 * row['top1']:.1f} +- {half:.1f}  kNN {100 * row['knn_top1']:.1f}"


def _find(rows: Sequence[Row], **wanted: object) -> Row | None:
    matching = (row for row in rows if all(row[name] == value for name, value in wanted.items()))
    return next(matching, None)


def _by_block(heading: str, rows: Sequence[Row]) -> str:
    """A row a block and a column a run, as in the paper's Tables 3 and 4, and a row "best"."""
    own = {state: [row for row in rows if row_state(row) == state] for state in _states(rows)}
    lines = []
    for block in sorted({row["block"] for row in rows}):
        found = [_find(some, block=block) for some in own.values()]
        sizes = "/".join(str(n) for n in distinct([row["features"] for row in found if row]))
        lines.append([f"block {block} ({sizes} features)", *(_cell(row) for row in found)])
    best = [f"{100 * max(row['top1'] for row in some):.1f}" for some in own.values()]
    titles = [row_title(some[0]) for some in own.values()]
    return align_columns([[heading, *titles], *lines, ["best", *best]])


def _by_step(heading: str, rows: Sequence[Row], run: str) -> str:
    """A row a step and a column a block: learning, or forgetting."""
    own = [row for row in rows if row["run"] == run]
    blocks = sorted({row["block"] for row in own})
    lines = [
        [f"step {step:,}", *(_cell(_find(own, step=step, block=block)) for block in blocks)]
        for step in sorted({row["step"] for row in own})
    ]
    return align_columns([[heading, *(f"block {block}" for block in blocks)], *lines])


def _by_labels(pooling: str, rows: Sequence[Row], state: tuple[str, int]) -> str:
    """A row a number of labels and a column a block."""
    own = [row for row in rows if row_state(row) == state]
    blocks = sorted({row["block"] for row in own})
    lines = []
    for fraction in sorted({row["fraction"] for row in own}):
        found = [_find(own, fraction=fraction, block=block) for block in blocks]
        labels = next(row["labels"] for row in found if row)
        lines.append([f"{labels:,} labels ({100 * fraction:g} %)", *(_cell(row) for row in found)])
    heading = f"{row_title(own[0])}, {pooling}: top-1 in %"
    return align_columns([[heading, *(f"block {block}" for block in blocks)], *lines])


def align_columns(lines: list[list[str]]) -> str:
    """Lines of equally many cells as a table with aligned columns."""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "   ".join(text.ljust(size) for text, size in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
