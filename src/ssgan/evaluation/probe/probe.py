"""Linear probing: classifiers on the frozen features of D, block by block.

Chen et al., CVPR 2019, Tables 3 and 4 and Figures 2 and 6. One row for every (state, layer, share
of the labels): a logistic regression and a nearest-neighbour classifier, fitted to the training
images and evaluated on the test images. Rows are appended to a file as they are computed, and
existing ones are reused.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ssgan.data.base import Progress
from ssgan.evaluation.probe import feature_store
from ssgan.evaluation.probe.maps import Layer, ProbedDiscriminator, check_pooling
from ssgan.evaluation.splits import HELD_OUT_SHARE, Split, count_labels_at
from ssgan.files import jsonl
from ssgan.files.jsonl import PAIR, SHARE, TEXT, TEXTS, WHOLE, Kind
from ssgan.metrics.knn import NEIGHBOURS, classify_by_neighbours
from ssgan.metrics.linear_probe import (
    PENALTIES,
    SGD_RATE,
    TOLERANCE,
    Fit,
    Proportion,
    choose_penalty,
    fit_lbfgs,
    fit_sgd,
    standardise,
)
from ssgan.types import UserError

PROTOCOL_VERSION = 1  # raise it when any number of a row may change
ROWS = "probe.jsonl"
_IMAGES = Kind(
    "an object with source, content_hash and images",
    lambda value: (
        isinstance(value, dict)
        and all(isinstance(value.get(name), str) for name in ("source", "content_hash"))
        and WHOLE.fits(value.get("images"))
    ),
)
_NEEDS = {  # of a line, for tables and plots
    **dict.fromkeys(("run", "method", "pooling", "solver", "split", "standardised", "knn"), TEXT),
    **dict.fromkeys(("step", "block", "labels", "features", "seed"), WHOLE),
    **dict.fromkeys(("fraction", "chance", "top1", "knn_top1"), SHARE),
    **dict.fromkeys(("train", "test"), _IMAGES),
    "classes": TEXTS,
    "interval": PAIR,
}
_OLD_NAMES = {  # of before, still read
    "slope": "max_gradient",
    "passes": "iterations",
    "right": "correct",
    "knn_right": "knn_correct",
}
_EXACT_NUMBERS = 2**22  # products of at most so many features are float64: few rows, less noise
Solver = Literal["lbfgs", "sgd"]
# Beyond, all weights are 0. SGD multiplies them by 1 - rate l2 an update: from 2 / rate on they
# diverge.
_MOST_L2: dict[Solver, float] = {"lbfgs": 1e6, "sgd": 2 / SGD_RATE - 1}
Row = dict[str, object]
Activity = Callable[[str], None]  # called with what is being computed, in a few words


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """How maps become features, and what is fitted to them."""

    poolings: tuple[str, ...] = ("grid", "mean")  # of `maps.POOLINGS`
    blocks: tuple[int, ...] | None = None  # from 0; None: all
    fractions: tuple[float, ...] = (0.01, 0.1, 1.0)  # of the training labels, each in (0, 1]
    solver: Solver = "lbfgs"  # sgd: the paper's schedule, from memory and not verified
    l2: float | None = None  # from 0; None: chosen on held-out labels with lbfgs, 0 with sgd
    seed: int = 0  # of the split, of the order of labels, and of sgd's order

    def __post_init__(self) -> None:
        for pooling in self.poolings:
            check_pooling(pooling)
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise UserError(f"a fraction of labels must be in (0, 1], not {fraction}")
        most = _MOST_L2[self.solver]
        if self.l2 is not None and not 0 <= self.l2 <= most:
            raise UserError(f"l2 must be 0 to {most:g} with solver {self.solver}, not {self.l2}")


def _without_place(row: Row) -> Row:
    """A row without the names of its sources: the same images may move."""
    parts = {name: row[name] for name in ("train", "test")}
    spared = {n: {**part, "source": None} for n, part in parts.items() if isinstance(part, dict)}
    return {**row, **spared}


def stored_rows(path: Path) -> list[Row]:
    """The rows of a probe.jsonl; UserError for a line that no probe has written."""
    rows = jsonl.read(path, _NEEDS)
    return [{_OLD_NAMES.get(name, name): value for name, value in row.items()} for row in rows]


class ProbeTrial(NamedTuple):
    """One row to compute."""

    layer: Layer
    fraction: float
    labels: int  # that fraction of the training labels


class StateProbe:
    """All rows of one D: those in the file, and the computation of the missing ones.

    Call `read`, then iterate over `fit`; `rows` has all of them afterwards. `trained_on` test
    images are training images too; None: not counted.
    """

    def __init__(
        self,
        subject: ProbedDiscriminator,
        split: Split,
        settings: ProbeSettings,
        out: Path,
        trained_on: int | None = None,
    ) -> None:
        self.subject, self.split, self.settings = subject, split, settings
        self.trained_on = trained_on
        self.file = out / ROWS
        self._folder = out / f"features-{subject.sha256[:16]}"
        blocks = range(len(subject.maps)) if settings.blocks is None else settings.blocks
        for block in blocks:
            if block >= len(subject.maps):
                most = len(subject.maps) - 1
                raise UserError(f"no block {block}: D of {subject.run} has blocks 0 to {most}")
        layers = [Layer(block, pooling) for pooling in settings.poolings for block in blocks]
        self.trials = [
            ProbeTrial(layer, fraction, count)
            for layer in layers
            for fraction in sorted(set(settings.fractions))  # the quick ones first
            if (count := count_labels_at(split.train, fraction, len(split.classes))) is not None
        ]
        if not self.trials:
            raise UserError(
                f"{len(split.train.rows)} training images are too few: no fraction of them holds "
                f"{2 * len(split.classes)} labels, two a class"
            )
        found = self._find_rows()
        self.todo = [trial for trial, row in zip(self.trials, found, strict=True) if row is None]

    @property
    def rows(self) -> list[Row]:
        """The rows that are in the file by now, in the order of the trials."""
        return [row for row in self._find_rows() if row is not None]

    def read(self, progress: Progress = lambda done, total: None) -> None:
        """Write the features of all layers with missing rows to the disk."""
        layers, done = self._layers(), 0
        total = len(self.split.train.rows) + len(self.split.test.rows)
        for name, part in (("train", self.split.train), ("test", self.split.test)):

            def count(now: int, _: int, before: int = done) -> None:
                progress(before + now, total)

            folder = self._folder / name
            feature_store.fill_store(self.subject, part.dataset, part.rows, layers, folder, count)
            done += len(part.rows)

    def fit(self, report: Activity = lambda activity: None) -> Iterator[tuple[ProbeTrial, Row]]:
        """Compute the missing rows one by one; each is in the file when it is yielded."""
        jsonl.cut_back(self.file, sys.maxsize)  # a torn line would swallow the next one
        for layer in self._layers():
            train, test = self._tensor("train", layer), self._tensor("test", layer)
            standardise(train, test)
            for trial in [trial for trial in self.todo if trial.layer == layer]:
                numbers = self._compute(trial, train[: trial.labels], test, report)
                row = {**self._identity(trial), **self._description(trial), **numbers}
                jsonl.append(self.file, row)
                yield trial, row
        shutil.rmtree(self._folder, ignore_errors=True)

    def _layers(self) -> list[Layer]:
        return list(dict.fromkeys(trial.layer for trial in self.todo))

    def _tensor(self, part: str, layer: Layer) -> Tensor:
        return torch.from_numpy(feature_store.load_features(self._folder / part, layer))

    def _find_rows(self) -> list[Row | None]:
        """The stored row of exactly each trial, if there is one."""
        stored = stored_rows(self.file)
        identities = [_without_place(self._identity(trial)) for trial in self.trials]
        known = [(_without_place(row), row) for row in stored]
        return [
            next((row for facts, row in known if identity.items() <= facts.items()), None)
            for identity in identities
        ]

    def _identity(self, trial: ProbeTrial) -> Row:
        """All that determines a row's numbers, except the machine."""
        settings = self.settings
        return {
            "protocol": PROTOCOL_VERSION,
            "step": self.subject.step,
            "discriminator_sha256": self.subject.sha256,
            "block": trial.layer.block,
            "pooling": trial.layer.pooling,
            "fraction": trial.fraction,
            "labels": trial.labels,
            "train": self.split.train.facts(),
            "test": self.split.test.facts(),
            "split": self.split.how,
            "seed": settings.seed,
            "solver": settings.solver,
            "l2_given": settings.l2,
        }

    def _description(self, trial: ProbeTrial) -> Row:
        """Further facts for readers of the row."""
        subject = self.subject
        channels, side = subject.maps[trial.layer.block]
        return {
            "run": subject.run,
            "method": subject.method,
            "maps": f"{type(subject.config.discriminator).__name__}.block_outputs",
            "map": [channels, side, side],
            "features": feature_store.feature_width(subject, trial.layer),
            "standardised": "by mean and deviation of all training images",
            "classes": list(self.split.classes),
            "chance": self.split.chance,
            "trained_on_same_images": subject.data_hash == self.split.train.dataset.content_hash,
            "tested_on_training_images": self.trained_on,
        }

    def _compute(self, trial: ProbeTrial, train: Tensor, test: Tensor, report: Activity) -> Row:
        train_labels = torch.from_numpy(self.split.train.labels[: trial.labels])
        test_labels = torch.from_numpy(self.split.test.labels)
        count = len(self.split.classes)
        what = f"block {trial.layer.block} {trial.layer.pooling}, {trial.labels:,} labels"
        report(what)
        fit, how = self._fit_classifier(train, train_labels, what, report)
        accuracy = Proportion(fit.correct(test, test_labels), len(test))
        near = classify_by_neighbours(train, train_labels, test, count)
        knn_accuracy = Proportion(int((near == test_labels).sum()), len(test))
        return {
            **how,
            "loss": fit.loss,
            "max_gradient": fit.max_gradient,
            "iterations": fit.iterations,
            "train_top1": fit.correct(train, train_labels) / len(train),
            "correct": accuracy.correct,
            "top1": accuracy.share,
            "interval": list(accuracy.interval),
            "knn": f"{NEIGHBOURS} nearest by cosine of standardised features, one vote each",
            "knn_correct": knn_accuracy.correct,
            "knn_top1": knn_accuracy.share,
            "knn_interval": list(knn_accuracy.interval),
        }

    def _fit_classifier(
        self, features: Tensor, labels: Tensor, what: str, report: Activity
    ) -> tuple[Fit, Row]:
        """The classifier, and how it was fitted."""
        settings, count = self.settings, len(self.split.classes)
        if features.numel() <= _EXACT_NUMBERS:
            features = features.double()

        def progress(number: int) -> None:
            if number % 10 == 0:
                report(f"{what}, iteration {number}")

        if settings.solver == "sgd":
            l2 = settings.l2 or 0.0
            return fit_sgd(features, labels, count, l2, settings.seed, progress), {"l2": l2}
        how: Row = {"tolerance": TOLERANCE, "products": str(features.dtype)[6:]}
        if settings.l2 is None:
            held_out = max(1, len(labels) // HELD_OUT_SHARE)
            tried = choose_penalty(features, labels, count, held_out, PENALTIES, progress)
            l2, start = tried[0].l2, tried[0].fit
            scores = [{"l2": one.l2, "top1": one.top1, "loss": one.loss} for one in tried]
            how |= {"held_out": held_out, "tried": scores}
        else:
            l2, start = settings.l2, None
        fit = fit_lbfgs(features, labels, count, l2, start, progress)
        return fit, {**how, "l2": l2, "converged": fit.max_gradient <= TOLERANCE}
