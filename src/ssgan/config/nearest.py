"""The names nearest to a misspelt one; imports nothing heavy, for errors in a command's words."""

from collections.abc import Iterable

_SHOWN_NEAREST = 5


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """The candidates nearest to a misspelt name, all that are equally near; none if all are far."""
    limit = len(name) // 3 + 1
    close = {
        other: distance(name.lower(), other.lower())
        for other in candidates
        if abs(len(other) - len(name)) <= limit
    }
    best = min(close.values(), default=limit + 1)
    return [other for other in close if close[other] == best <= limit][:_SHOWN_NEAREST]


def distance(a: str, b: str) -> int:
    """How many letters to change, add, drop or swap with their neighbour to turn a into b."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        before, last, row = row, before, [i + 1]
        for j, y in enumerate(b):
            row.append(min(before[j + 1] + 1, row[j] + 1, before[j] + (x != y)))
            if i and j and x == b[j - 1] and a[i - 1] == y:
                row[-1] = min(row[-1], last[j - 1] + 1)
    return row[-1]
