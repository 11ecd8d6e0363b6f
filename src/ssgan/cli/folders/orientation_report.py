"""What `ssgan orient` found, as text and as JSON."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssgan.data.base import AbstractCollection, Rejected
from ssgan.evaluation.orientation import OrientationQuality, Orientations, measure_orientations

ROTATIONS = ("upright", "90 degrees counter-clockwise", "180 degrees", "90 degrees clockwise")
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)  # of the table
_ASSUMED = 0.1  # share of rotated pictures for which the precision is stated


@dataclass(frozen=True, kw_only=True)
class OrientationReport:
    """What was found in a source, and how well it is found on held-out pictures."""

    source: str
    model: str  # in words
    threshold: float
    collection: AbstractCollection
    numbers: NDArray[np.int64]  # of the usable items
    orientations: Orientations  # of them
    rejected: list[Rejected]
    held_out: str  # where quality was measured, or why it was not
    upright: Orientations | None  # predictions on the held-out pictures; None: not measured

    def rows(self) -> list[int]:
        """The rows of the listed pictures, the most certain first."""
        listed = np.flatnonzero(self.orientations.is_listed(self.threshold))
        order = np.argsort(-self.orientations.confidence[listed], kind="stable")
        rows: list[int] = listed[order].tolist()
        return rows

    def item(self, row: int) -> str:
        """The user's name of a picture."""
        return self.collection.item(int(self.numbers[row]))

    def quality(self, threshold: float) -> OrientationQuality | None:
        """Precision and recall at a threshold, where they were measured."""
        return None if self.upright is None else measure_orientations(self.upright, threshold)

    def estimate_rotated(self) -> tuple[float, float] | None:
        """The share of rotated pictures, by the share that is listed, and half of its interval."""
        quality = self.quality(self.threshold)
        if quality is None:
            return None
        return quality.estimate_rotated(len(self.rows()), len(self.numbers))

    def values(self) -> dict[str, object]:
        """Everything, for JSON."""
        rotation, confidence = self.orientations.rotation, self.orientations.confidence
        estimate = self.estimate_rotated()
        measured = None
        if self.upright is not None:
            measured = {
                "pictures": len(self.upright.rotation),
                "share_rotated_and_margin": estimate,
                "at": [
                    self._at(threshold, estimate and estimate[0]) for threshold in self.thresholds()
                ],
            }
        return {
            "source": self.source,
            "model": self.model,
            "threshold": self.threshold,
            "pictures": len(self.numbers),
            "not_usable": [list(one) for one in self.rejected],
            "listed": [
                {
                    "item": self.item(row),
                    "rotated_by_degrees": 90 * int(rotation[row]),
                    "confidence": round(float(confidence[row]), 4),
                }
                for row in self.rows()
            ],
            "held_out": self.held_out,
            "quality": measured,
        }

    def thresholds(self) -> list[float]:
        """Those of the table and the one that is used, ascending."""
        return sorted({*THRESHOLDS, self.threshold})

    def _at(self, threshold: float, rotated: float | None) -> dict[str, object]:
        quality = self.quality(threshold)
        assert quality is not None
        return {
            "threshold": threshold,
            "recall": quality.recall,
            "upright_listed": quality.false_alarms,
            "precision_if_a_tenth_is_rotated": quality.precision(_ASSUMED),
            "precision_here": None if rotated is None else quality.precision(rotated),
        }


def format_report(found: OrientationReport, most: int) -> str:
    """The report as lines of text; at most `most` pictures are named."""
    rows, rotation = found.rows(), found.orientations.rotation
    lines = [
        f"{found.source}: {len(found.numbers):,} pictures, read by {found.model}",
        f"listed      {len(rows):,} that are probably not upright, confidence {found.threshold:g} "
        "or more",
    ]
    for row in rows[:most]:
        confidence = found.orientations.confidence[row]
        lines.append(f"  {confidence:.3f}  {ROTATIONS[rotation[row]]:28}  {found.item(row)}")
    if len(rows) > most:
        lines.append(f"  and {len(rows) - most:,} more; --show N names more, --json all")
    if found.rejected:
        name, why = found.rejected[0]
        lines.append(f"not usable  {len(found.rejected):,}; the first: {name}: {why}")
    return "\n".join([*lines, *_format_quality(found)])


def _format_quality(found: OrientationReport) -> list[str]:
    """Precision and recall on the held-out pictures, in a table."""
    if found.upright is None:
        return [f"quality     not measured: {found.held_out}"]
    lines = [
        f"quality     on {len(found.upright.rotation):,} upright pictures of {found.held_out}, "
        "and their rotated copies",
        "  threshold  recall  upright listed  precision if a tenth is rotated",
    ]
    for threshold, recall, false_alarms, precision in format_quality_rows(found):
        mark = "  <- used" if threshold == f"{found.threshold:g}" else ""
        lines.append(f"  {threshold:>9}  {recall:>6}  {false_alarms:>14}  {precision:>31}{mark}")
    estimate = describe_estimate(found)
    return [*lines, f"estimate    {estimate}"] if estimate else lines


def format_quality_rows(found: OrientationReport) -> list[tuple[str, str, str, str]]:
    """Threshold, recall, share of upright pictures that are listed, and precision, in words.

    The precision is that of a source of which a tenth is rotated. Empty where it was not measured.
    """
    rows = []
    for threshold in found.thresholds() if found.upright is not None else ():
        quality = found.quality(threshold)
        assert quality is not None  # it was measured
        precision = quality.precision(_ASSUMED)
        shown = "-" if precision is None else f"{precision:.1%}"
        rows.append(
            (f"{threshold:g}", f"{quality.recall:.1%}", f"{quality.false_alarms:.1%}", shown)
        )
    return rows


def describe_estimate(found: OrientationReport) -> str:
    """The estimated share of rotated pictures, and the precision there; empty without one."""
    estimate, quality = found.estimate_rotated(), found.quality(found.threshold)
    if estimate is None or quality is None:
        return ""
    (rotated, half), precision = estimate, quality.precision(estimate[0])
    right = ""
    if precision is not None and found.rows():
        right = f"; {100 * precision:.0f} % of the listed are right"
    return (
        f"If these pictures are like the held-out ones, {100 * rotated:.0f} % +- "
        f"{100 * half:.0f} points of them are rotated{right}."
    )
