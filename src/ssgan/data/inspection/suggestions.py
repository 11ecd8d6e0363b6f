"""Suggest a size, channels and a fit for the pictures of a survey, each with its reason."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ssgan.data.base import AbstractCollection, Fit, HeaderStats
from ssgan.data.inspection.survey import Survey
from ssgan.data.prepare import SIZES
from ssgan.data.preprocessing import MUCH_LOST, is_grey

_MANY = 0.25  # share of pictures that lose much, from which another fit is suggested
_ALIKE = 0.05  # ratios of sides that differ by less count as one shape
EDGES = (0, 32, 48, 64, 128, 256, 512, 1024, 2048, 4096)  # of the histogram of short sides


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of upright pictures in pixels, and what a centred square loses."""

    short_sides: list[int]  # ascending
    lost: list[float]  # share of the area outside of the largest centred square, ascending
    widths: tuple[int, int]  # least and largest
    heights: tuple[int, int]

    @staticmethod
    def of(survey: Survey) -> "Sizes":
        """Those of the usable pictures of a survey, of which there is at least one."""
        widths = [header.width for header in survey.headers]
        heights = [header.height for header in survey.headers]
        pairs = list(zip(widths, heights, strict=True))
        return Sizes(
            short_sides=sorted(min(pair) for pair in pairs),
            lost=sorted(1 - min(pair) / max(pair) for pair in pairs),
            widths=(min(widths), max(widths)),
            heights=(min(heights), max(heights)),
        )

    @property
    def median(self) -> int:
        """The median short side."""
        return self.short_sides[len(self.short_sides) // 2]

    @property
    def median_lost(self) -> float:
        """The median share of the area that a centred square loses."""
        return self.lost[len(self.lost) // 2]

    @property
    def share_losing_much(self) -> float:
        """The share of pictures that lose more than 40 % of their area."""
        return sum(lost > MUCH_LOST for lost in self.lost) / len(self.lost)

    def share_enlarged(self, size: int) -> float:
        """The share of pictures whose short side is below `size`, so that they are enlarged."""
        return int(np.searchsorted(self.short_sides, size)) / len(self.short_sides)

    def histogram(self) -> list[tuple[int, int | None, int]]:
        """First and last + 1 short side of each bin, None for no end, and its pictures."""
        places = np.searchsorted(self.short_sides, EDGES).tolist()
        ends = [*places[1:], len(self.short_sides)]
        bins = zip(EDGES, [*EDGES[1:], None], places, ends, strict=True)
        return [(low, high, last - first) for low, high, first, last in bins]

    def has_one_shape(self) -> bool:
        """Whether all pictures have about the same ratio of sides, or its inverse."""
        return self.lost[-1] - self.lost[0] < _ALIKE


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """The settings that fit the pictures, with reasons."""

    size: int  # side in pixels
    channels: Literal[1, 3]
    fit: Fit
    reasons: tuple[str, ...]  # one sentence each


def suggest_settings(
    collection: AbstractCollection, survey: Survey, stats: HeaderStats, size: int
) -> Suggestion:
    """What `ssgan train` chooses for these pictures, and another fit where a crop loses much.

    `size` is that of the user, or of training. `stats` are the source's own.
    """
    sizes, count = Sizes.of(survey), len(survey.headers)
    grey = all(map(is_grey, survey.headers))
    shares = [f"{_percent(sizes.share_enlarged(each))} at {each}" for each in SIZES]
    reasons = [
        f"size {size}: the median short side is {sizes.median:,} pixels; of the pictures "
        f"{', '.join(shares)} are enlarged"
        if survey.from_files and collection.views == 1
        else f"size {size}: pictures of {stats.short_side} pixels",
        f"{'grey' if grey else 'colour'}: "
        + (f"all of {count:,} are grey" if grey else _describe_colour(survey)),
    ]
    fit: Fit = "crop"
    if collection.views > 1:
        reasons.append("fit: every square is a random crop already")
    elif sizes.share_losing_much > _MANY:
        fit = "pad"
        squash = "; --fit squash, as all have one shape" if sizes.has_one_shape() else ""
        reasons.append(
            f"fit pad: {_percent(sizes.share_losing_much)} of the pictures lose more than 40 % of "
            f"their area to a centred square{squash}"
        )
    else:
        reasons.append(
            f"fit crop: the median picture loses {_percent(sizes.median_lost)} of its area to a "
            f"centred square, and {_percent(sizes.share_losing_much)} of them lose more than 40 %"
        )
    channels: Literal[1, 3] = 1 if grey else 3
    return Suggestion(size=size, channels=channels, fit=fit, reasons=tuple(reasons))


def _describe_colour(survey: Survey) -> str:
    grey = sum(map(is_grey, survey.headers))
    if not grey:
        return "no picture is stored as grey"
    return f"{grey:,} of {len(survey.headers):,} are stored as grey"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
