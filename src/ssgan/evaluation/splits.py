"""Labelled images for a probe, split into training and test images."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssgan.data.dataset import Dataset
from ssgan.ops.rng import Key, permutation
from ssgan.types import UNLABELLED, UserError

HELD_OUT_SHARE = 5  # one image in so many is for testing; of the training ones, for validation


class LabelledImages(NamedTuple):
    """Some images of a data set, in a stratified order."""

    dataset: Dataset
    rows: NDArray[np.int64]  # their numbers in the data set
    labels: NDArray[np.int64]  # class numbers, as in Split.classes

    def facts(self) -> dict[str, object]:
        """Their source, content hash and number, as JSON values."""
        return {
            "source": self.dataset.manifest.get("source"),
            "content_hash": self.dataset.content_hash,
            "images": len(self.rows),
        }

    def first(self, count: int | None, option: str) -> "LabelledImages":
        """The first `count` images, None for all; `option` names the count in errors."""
        if count is not None and count > len(self.rows):
            raise UserError(f"{option} {count}: there are only {len(self.rows):,} such images")
        return LabelledImages(self.dataset, self.rows[:count], self.labels[:count])


class Split(NamedTuple):
    """Training and test images, and how they were split."""

    train: LabelledImages
    test: LabelledImages
    classes: tuple[str, ...]
    how: str

    @property
    def chance(self) -> float:
        """The accuracy of always predicting the commonest class of the test images."""
        return float(np.bincount(self.test.labels).max() / len(self.test.labels))


def split(
    data: Dataset,
    test: Dataset | None,
    seed: int,
    train_count: int | None = None,
    test_count: int | None = None,
    *,
    purpose: str = "a probe",
) -> Split:
    """Split `data` into training images and a stratified fifth for testing, or test on `test`.

    The counts cut both parts, in a stratified order keyed by the seed. Raises UserError, naming
    the purpose, for no labels, one class, too few images, or test classes that `data` lacks.
    Images without a label are in neither part.
    """
    labels = _require_labels(data, purpose)
    order = _labelled_order(labels, Key(seed, "probe split"))
    if test is None:
        held_out = len(order) // HELD_OUT_SHARE
        training, testing = order[held_out:], order[:held_out]
        test_data, test_labels = data, labels
        how = f"a stratified fifth of the source, seed {seed}, is test"
    else:
        test_data, test_labels = test, _match_labels(data, test, purpose)
        training, testing = order, _labelled_order(test_labels, Key(seed, "probe test"))
        how = "train and test sources given"
    for part, count in (("to train on", len(training)), ("to test on", len(testing))):
        if count < 2 * data.num_classes:
            raise UserError(
                f"{_source_of(data)}: {count} labelled images {part} are too few for "
                f"{data.num_classes} classes; {purpose} needs at least {2 * data.num_classes}"
            )
    train_part = LabelledImages(data, training, labels[training])
    test_part = LabelledImages(test_data, testing, test_labels[testing])
    return Split(
        train_part.first(train_count, "--train-n"),
        test_part.first(test_count, "--test-n"),
        data.classes,
        how,
    )


def _labelled_order(labels: NDArray[np.int64], key: Key) -> NDArray[np.int64]:
    """The numbers of the labelled images, in a stratified order."""
    rows = np.flatnonzero(labels != UNLABELLED)
    return np.asarray(rows[stratified_order(labels[rows], key)])


def stratified_order(labels: NDArray[np.int64], key: Key) -> NDArray[np.int64]:
    """Every row number once, so that each stretch of the order has its share of every class.

    A stretch of n of N rows holds n m / N of a class of m, give or take 2. The first n are the
    beginning of the first n + 1.
    """
    shuffled = permutation(key, len(labels)).numpy()
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = shuffled[labels[shuffled] == label]
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    return np.asarray(shuffled[np.argsort(place[shuffled], kind="stable")])


def count_labels_at(train: LabelledImages, fraction: float, num_classes: int) -> int | None:
    """The number of training labels at that fraction; None when it is too few to train on."""
    count = math.floor(fraction * len(train.labels) + 0.5)
    return count if count >= 2 * num_classes else None


def _require_labels(data: Dataset, purpose: str) -> NDArray[np.int64]:
    if data.labels is None:
        raise UserError(
            f"{_source_of(data)} has no labels: {purpose} needs them; put every image into the "
            "folder of its class, or name the column of a hub set: 'hub:ID?label=COLUMN'"
        )
    if len(np.unique(data.labels[data.labels != UNLABELLED])) < 2:
        raise UserError(f"{_source_of(data)} has images of one class: {purpose} needs two or more")
    return data.labels


def _match_labels(data: Dataset, test: Dataset, purpose: str) -> NDArray[np.int64]:
    """The test labels as class numbers of `data`; classes are matched by their names."""
    labels = test.labels
    if labels is None:
        raise UserError(
            f"{_source_of(test)} has no labels: {purpose} needs them to compute the accuracy"
        )
    unknown = [name for name in test.classes if name not in data.classes]
    if unknown:
        raise UserError(
            f"{_source_of(test)} has class {unknown[0]!r}, which {_source_of(data)} lacks; its "
            f"classes are {', '.join(data.classes)}"
        )
    numbers = np.array([data.classes.index(name) for name in test.classes], np.int64)
    return np.where(labels == UNLABELLED, UNLABELLED, numbers[labels])


def _source_of(data: Dataset) -> str:
    return str(data.manifest.get("source", "the data"))
