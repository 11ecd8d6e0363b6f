"""What `ssgan data inspect` found in a source, and the same as JSON."""

import math
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ssgan.data.assemble import decoding_warnings
from ssgan.data.base import AbstractCollection, Preprocessing
from ssgan.data.class_counts import count_classes, few_images_warnings
from ssgan.data.inspection.copies import Copies
from ssgan.data.inspection.suggestions import Sizes, Suggestion
from ssgan.data.inspection.survey import Survey
from ssgan.metrics.rotation_check import HARDLY, TRIVIAL, RotationReport

MOST_LISTED = 100  # broken files, groups of copies and classes in JSON
_Z = 1.96  # of a 95 % interval
GUIDE = (
    "a guide, no forecast: a linear classifier on simple features of a few pictures recognises "
    "this share of the four rotations on pictures that it was not fitted to; chance is 25 %"
)
_ADVICE = {
    "alike": "against the rotation loss: rotated pictures look alike, so there is little to "
    "predict; train with --method GAN, too, and compare",
    "between": "for the rotation loss: up shows, though not at a glance; on CIFAR-10, where this "
    "check gives 49 %, SS-GAN had FID 55.6 and the GAN 80.1 (docs/results/cifar10-half.md)",
    "easy": "against the rotation loss: up shows at a glance; on scenes, where this check gives "
    "99 %, SS-GAN had FID 123.4 and the GAN 112.7 (docs/results/scenes.md): train with --method "
    "GAN, or with both",
}


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is in a source."""

    source: str  # its notation
    collection: AbstractCollection
    preprocessing: Preprocessing  # of the decoded squares
    seed: int  # of the sample
    survey: Survey
    copies: Copies
    sizes: Sizes
    suggestion: Suggestion
    rotation: RotationReport | None  # None: too few usable pictures

    @property
    def class_counts(self) -> dict[str, int]:
        """The items of each class, as listed; empty without labels."""
        labels, classes = self.collection.labels(), self.collection.classes()
        if labels is None:
            return {}
        counts = count_classes(np.asarray(labels, np.int64), len(classes))
        return dict(zip(classes, counts, strict=True))

    @property
    def warnings(self) -> list[str]:
        """Sentences on the layout, the labels and the decoding."""
        collection, counts = self.collection, self.class_counts
        decoding = Counter(self.survey.warnings)
        return [
            *collection.notes(),
            *collection.warnings(),
            *collection.label_warnings(),
            *few_images_warnings(list(counts), list(counts.values())),
            *decoding_warnings(decoding, len(self.survey.usable)),
        ]

    @property
    def command(self) -> str:
        """The command that trains with the suggestion."""
        words = ["ssgan", "train", "--data", self.source]
        if self.suggestion.fit != "crop":
            words += ["--fit", self.suggestion.fit]
        stats = self.collection.header_stats()
        if self.suggestion.channels == 3 and stats.grey:
            words += ["--data.channels", "3"]
        return shlex.join(words)

    @property
    def advice(self) -> str:
        """For or against the rotation loss, with the evidence."""
        if self.rotation is None:
            return "no advice: fewer than 100 usable pictures were read"
        advice, accuracy = _ADVICE[self.rotation.verdict], self.rotation.accuracy
        for limit in (HARDLY, TRIVIAL):
            if abs(accuracy - limit) < self.rotation.margin:
                advice += f"; the accuracy is near the limit of {limit:.0%}, so this may be wrong"
        return advice

    def broken_interval(self) -> tuple[float, float]:
        """A 95 % interval of the share of all items that cannot be used (Wilson's)."""
        count, bad = len(self.survey.numbers), len(self.survey.rejected)
        if self.survey.is_whole:
            return bad / count, bad / count
        centre = bad / count + _Z**2 / (2 * count)
        half = _Z * math.sqrt(bad / count * (1 - bad / count) / count + (_Z / (2 * count)) ** 2)
        total = 1 + _Z**2 / count
        return max(0.0, (centre - half) / total), min(1.0, (centre + half) / total)

    def item(self, number: int) -> str:
        """The user's name of an item."""
        return self.collection.item(number)

    def values(self) -> dict[str, object]:
        """Everything, for JSON; lists of items have at most 100 entries."""
        survey, rotation = self.survey, self.rotation
        measured = None
        if rotation is not None:
            measured = {
                "accuracy": rotation.accuracy,
                "margin": rotation.margin,
                "pictures": rotation.num_images,
                "verdict": rotation.verdict,
            }
        return {
            "source": self.source,
            "items": survey.total,
            "views": self.collection.views,
            "sample": {"items": len(survey.numbers), "seed": self.seed, "all": survey.is_whole},
            "usable": len(survey.usable),
            "not_usable": {
                "items": len(survey.rejected),
                "share_interval": self.broken_interval(),
                "list": [list(one) for one in survey.rejected[:MOST_LISTED]],
            },
            **self._describe_headers(),
            "copies": self._describe_copies(),
            "classes": self.class_counts,
            "unlabelled": self.collection.num_unlabelled(),
            "warnings": self.warnings,
            "rotation": measured,
            "advice": self.advice,
            "suggestion": {
                "size": self.suggestion.size,
                "channels": self.suggestion.channels,
                "fit": self.suggestion.fit,
                "reasons": self.suggestion.reasons,
                "command": self.command,
            },
        }

    def _describe_headers(self) -> dict[str, object]:
        headers, sizes = self.survey.headers, self.sizes
        bins = [
            {"from": low, "below": high, "items": count}
            for low, high, count in sizes.histogram()
            if count
        ]
        return {
            "formats": dict(Counter(header.format for header in headers if header.format)),
            "modes": dict(Counter(header.mode for header in headers)),
            "orientation_tags": sum(header.orientation != 1 for header in headers),
            "transparent": sum(header.transparent for header in headers),
            "animated": sum(header.animated for header in headers),
            "widths": sizes.widths,
            "heights": sizes.heights,
            "short_side": {
                "least": sizes.short_sides[0],
                "median": sizes.median,
                "largest": sizes.short_sides[-1],
                "histogram": bins,
            },
            "crop_loses": {"median": sizes.median_lost, "share_above_0.4": sizes.share_losing_much},
        }

    def _describe_copies(self) -> dict[str, object]:
        torn = self.copies.in_two_classes(self.collection.labels())
        return {
            "compared": self.copies.compared,
            "with_a_copy": self.copies.repeated,
            "by_bytes_among_all": self.copies.by_bytes,
            "groups": [list(map(self.item, one)) for one in self.copies.groups[:MOST_LISTED]],
            "in_two_classes": [list(map(self.item, one)) for one in torn[:MOST_LISTED]],
        }


def count_words(words: Iterable[str]) -> str:
    """The number of each word, the most frequent first."""
    return ", ".join(f"{word} {count:,}" for word, count in Counter(words).most_common())
