"""What `ssgan similar` found, as text and as JSON."""

from dataclasses import dataclass

from ssgan.data.base import AbstractCollection, Rejected
from ssgan.evaluation.similarity import EDITS

MOST_LISTED = 1000  # groups and outliers in JSON


@dataclass(frozen=True, kw_only=True)
class SimilarityReport:
    """Near duplicates and outliers of a source, or the pictures most similar to an example."""

    source: str
    model: str  # in words
    collection: AbstractCollection
    total: int  # items of the source
    seed: int  # of the sample
    numbers: list[int]  # of the items that were compared
    rejected: list[Rejected]
    example: str = ""  # the file of the search; empty: no search
    nearest: tuple[tuple[int, float], ...] = ()  # item numbers and distances, the nearest first
    threshold: float = 0.0  # distance of a near duplicate
    recall: float = 0.0  # share of edited copies below the threshold
    num_edited: int = 0  # edited copies
    groups: tuple[tuple[int, ...], ...] = ()  # item numbers of near duplicates
    outliers: tuple[tuple[int, float], ...] = ()  # item numbers, mean distance to the 5 nearest

    def item(self, number: int) -> str:
        """The user's name of an item."""
        return self.collection.item(number)

    def values(self) -> dict[str, object]:
        """Everything, for JSON; at most 1,000 groups and outliers."""
        facts: dict[str, object] = {
            "source": self.source,
            "model": self.model,
            "items": self.total,
            "compared": len(self.numbers),
            "seed": self.seed,
            "not_usable": [list(one) for one in self.rejected[:MOST_LISTED]],
        }
        if self.example:
            nearest = [
                {"item": self.item(number), "distance": round(distance, 4)}
                for number, distance in self.nearest
            ]
            return {**facts, "example": self.example, "nearest": nearest}
        return {
            **facts,
            "near_duplicates": {
                "threshold": self.threshold,
                "recall_of_edited_copies": self.recall,
                "edited_copies": self.num_edited,
                "edits": EDITS,
                "num_groups": len(self.groups),
                "groups": [list(map(self.item, group)) for group in self.groups[:MOST_LISTED]],
            },
            "outliers": [
                {"item": self.item(number), "distance": round(distance, 4)}
                for number, distance in self.outliers[:MOST_LISTED]
            ],
        }


def format_similarity(found: SimilarityReport, most: int) -> str:
    """The report as lines of text; at most `most` entries of each kind are named."""
    lines = [f"{found.source}: {describe_compared(found)}, read by {found.model}"]
    if found.rejected:
        name, why = found.rejected[0]
        lines.append(f"not usable  {len(found.rejected):,}; the first: {name}: {why}")
    if found.example:
        lines.append(f"nearest to {found.example}:")
        lines += [f"  {distance:8.3f}  {found.item(n)}" for n, distance in found.nearest[:most]]
        return "\n".join(lines)
    pictures = sum(map(len, found.groups))
    lines.append(
        f"near duplicates  {len(found.groups):,} groups with {pictures:,} pictures, at distances "
        f"up to {found.threshold:.2f}"
    )
    for group in found.groups[:most]:
        lines.append(
            f"  {', '.join(map(found.item, group[:6]))}{', ...' if len(group) > 6 else ''}"
        )
    if len(found.groups) > most:
        lines.append(f"  and {len(found.groups) - most:,} more; --show N names more")
    lines.append(
        f"  ({100 * found.recall:.0f} % of {found.num_edited:,} edited copies are nearer to their "
        f"originals than that: {EDITS}. The groups are candidates: see them on --page)"
    )
    lines.append("outliers  farthest from their 5 nearest pictures:")
    lines += [f"  {distance:8.3f}  {found.item(n)}" for n, distance in found.outliers[:most]]
    return "\n".join(lines)


def describe_compared(found: SimilarityReport) -> str:
    """The number of pictures, and of how many they were drawn."""
    if len(found.numbers) + len(found.rejected) == found.total:
        return f"{len(found.numbers):,} pictures"
    return f"{len(found.numbers):,} pictures of {found.total:,}, drawn with seed {found.seed}"
