"""The names nearest to a misspelt one.

Imports nothing heavy: the command line uses it before torch is loaded.
"""

import re
from collections.abc import Iterable, Sequence

MAX_NEAREST = 5


def did_you_mean(names: Sequence[str]) -> str:
    """`did you mean a or b?`; empty when there are no names."""
    return f"did you mean {' or '.join(names)}?" if names else ""


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """The candidates nearest to a misspelt name, at most 5; none if all are far.

    These are the ones with the fewest edits. Candidates that contain the name as a whole word
    (`steps`: `total_steps`) come before those of two edits or more.
    """
    names, limit = list(dict.fromkeys(candidates)), len(name) // 3 + 1
    edits = {
        other: edit_distance(name.lower(), other.lower())
        for other in names
        if abs(len(other) - len(name)) <= limit
    }
    best = min(edits.values(), default=limit + 1)
    if best > 1:
        words = [other for other in names if name.lower() in re.split(r"[\W_]+", other.lower())]
        if words:
            return words[:MAX_NEAREST]
    return [other for other in edits if edits[other] == best <= limit][:MAX_NEAREST]


def edit_distance(a: str, b: str) -> int:
    """How many letters to change, add, drop or swap with their neighbour to get from a to b."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        before, last, row = row, before, [i + 1]
        for j, y in enumerate(b):
            row.append(min(before[j + 1] + 1, row[j] + 1, before[j] + (x != y)))
            if i and j and x == b[j - 1] and a[i - 1] == y:
                row[-1] = min(row[-1], last[j - 1] + 1)
    return row[-1]
