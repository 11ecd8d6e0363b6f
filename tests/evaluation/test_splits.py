"""Which images a probe learns from and is asked about: stratified, nested, disjoint."""

from dataclasses import replace

import numpy as np
import pytest

from ssgan.evaluation.splits import count_labels_at, split, stratified_order
from ssgan.ops.rng import Key
from ssgan.types import UNLABELLED, UserError
from tests.evaluation.probed import patches


@pytest.fixture(scope="module")
def uneven():
    return np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [700, 250, 50]))


def test_an_order_holds_every_row_once_and_depends_on_the_seed(uneven):
    order = stratified_order(uneven, Key(0, "x"))
    assert sorted(order) == list(range(1000))
    assert not np.array_equal(order, stratified_order(uneven, Key(1, "x")))
    assert np.array_equal(order, stratified_order(uneven, Key(0, "x")))


def test_every_stretch_has_its_share_of_every_class(uneven):
    order = stratified_order(uneven, Key(0, "x"))
    for start, stop in [(0, 10), (0, 100), (0, 517), (200, 400), (80, 100), (990, 1000)]:
        counts = np.bincount(uneven[order[start:stop]], minlength=3)
        expected = (stop - start) * np.array([0.7, 0.25, 0.05])
        assert np.abs(counts - expected).max() <= 2


def test_within_a_class_the_order_is_shuffled(uneven):
    order = stratified_order(uneven, Key(0, "x"))
    own = order[uneven[order] == 0]
    assert abs(np.corrcoef(own, np.arange(len(own)))[0, 1]) < 0.15


def test_without_a_test_source_a_stratified_fifth_is_held_out():
    data = patches(100)
    found = split(data, None, seed=0)
    assert (len(found.train.rows), len(found.test.rows)) == (80, 20)
    assert sorted([*found.train.rows, *found.test.rows]) == list(range(100))
    assert np.array_equal(found.train.labels, data.labels[found.train.rows])
    assert np.bincount(found.test.labels).min() >= 6
    assert "fifth" in found.how
    assert found.chance == pytest.approx(7 / 20)


def test_counts_take_the_beginnings_so_that_fewer_are_a_part_of_more():
    data = patches(100)
    more, fewer = (split(data, None, 0, count, 10) for count in (60, 30))
    assert np.array_equal(fewer.train.rows, more.train.rows[:30])
    assert np.abs(np.bincount(fewer.train.labels) - 10).max() <= 1
    assert len(fewer.test.rows) == 10


def test_test_classes_are_matched_by_name():
    test = patches(30, seed=1)
    renamed = replace(test, classes=("c", "a", "b"))
    found = split(patches(60), renamed, 0)
    assert np.array_equal(found.test.labels, np.array([2, 0, 1])[test.labels[found.test.rows]])
    with pytest.raises(UserError, match=r"patches 1 has class 'z', which patches 0 lacks"):
        split(patches(60), replace(test, classes=("a", "b", "z")), 0)


def test_images_without_a_label_are_in_neither_part():
    data, test = patches(90), patches(30, seed=1)
    bare, few = data.labels.copy(), test.labels.copy()
    bare[::2], few[:6] = UNLABELLED, UNLABELLED
    alone = split(replace(data, labels=bare), None, 0)
    assert sorted([*alone.train.rows, *alone.test.rows]) == list(range(1, 90, 2))
    assert np.array_equal(alone.train.labels, data.labels[alone.train.rows])
    found = split(replace(data, labels=bare), replace(test, labels=few), 0)
    assert sorted(found.test.rows) == list(range(6, 30))
    assert np.array_equal(found.test.labels, test.labels[found.test.rows])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (replace(patches(60), labels=None, classes=()), "has no labels: a probe needs them"),
        (patches(60, classes=1), "images of one class: a probe needs two or more"),
        (patches(20), r"4 labelled images to test on are too few for 3 classes"),
    ],
)
def test_what_cannot_be_learnt_from_is_one_clear_line(data, words):
    with pytest.raises(UserError, match=words):
        split(data, None, 0)


def test_more_than_there_are_is_refused():
    with pytest.raises(UserError, match="--train-n 90: there are only 80 such images"):
        split(patches(100), None, 0, 90)


def test_a_fraction_is_rounded_and_needs_two_labels_a_class():
    train = split(patches(100), None, 0).train  # 80 images
    assert count_labels_at(train, 0.1, 3) == 8
    assert count_labels_at(train, 1.0, 3) == 80
    assert count_labels_at(train, 0.07, 3) == 6
    assert count_labels_at(train, 0.06, 3) is None
