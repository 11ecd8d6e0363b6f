"""The tasks by step, and settings out of range."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ssgan.data.folder import Folder
from ssgan.evaluation.splits import LabelledImages, Split
from ssgan.studies.forgetting.settings import ForgettingSettings, check_classes, check_images
from ssgan.types import UserError
from tests.studies.tasks import corners, numbered, tiny

TWO_CLASSES = tiny(iterations_per_task=3, cycles=2, measure_every=2)


def test_the_tasks_of_two_classes_and_two_cycles_written_out():
    assert TWO_CLASSES.total_steps(2) == 12
    found = [tuple(TWO_CLASSES.task(step, 2)) for step in range(12)]
    first = [(0, 1, 0, 0)] * 3 + [(1, 1, 1, 3)] * 3
    second = [(2, 2, 0, 6)] * 3 + [(3, 2, 1, 9)] * 3
    assert found == first + second


def test_the_tasks_measured_after_every_iteration_written_out():
    """Every second one; at a switch the old task, then the new one; at the end only the old."""
    measured = {
        step: [t.number for t in TWO_CLASSES.tasks_measured_at(step, 2)] for step in range(13)
    }
    assert measured == {
        0: [0], 1: [], 2: [0], 3: [0, 1], 4: [1], 5: [], 6: [1, 2],
        7: [], 8: [2], 9: [2, 3], 10: [3], 11: [], 12: [3],
    }  # fmt: skip


def test_the_defaults_are_the_published_schedule():
    published = ForgettingSettings(source=TWO_CLASSES.source)
    assert published.total_steps(10) == 20_000
    switches = [s for s in range(20_001) if len(published.tasks_measured_at(s, 10)) == 2]
    assert switches == list(range(1000, 20_000, 1000))
    assert published.task(1999, 10).label == 1
    assert published.task(12_000, 10) == (12, 2, 2, 12_000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"iterations_per_task": 0}, "iterations_per_task must be at least 1, not 0"),
        ({"cycles": 0}, "cycles must be at least 1"),
        ({"measure_every": 0}, "measure_every must be at least 1"),
        ({"test_images": 0}, "test_images must be at least 1"),
        ({"rotation": -1.0}, "rotation must be a finite number, 0 or more, not -1.0"),
        ({"rotation": float("nan")}, "rotation must be a finite number"),
        ({"batch_size": 7}, "batch_size must be an even number, 2 or more, not 7"),
        ({"batch_size": 0}, "batch_size must be an even number"),
        ({"batch_size": 2**31}, "batch_size must be at most 2,147,483,647, not 2147483648"),
        ({"cycles": 10**30}, "cycles must be at most 1,000, not 10000"),
        ({"batch_size": 2}, "rotated_fraction 0.25 of batch_size 2 rotates 0 images"),
        ({"rotated_fraction": 1.5}, "rotated_fraction must be above 0 and at most 1, not 1.5"),
        ({"rotated_fraction": math.nan}, "rotated_fraction must be above 0 and at most 1, not nan"),
        ({"rotated_fraction": -1.0, "rotation": 0.0}, "rotated_fraction must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(changes, words):
    with pytest.raises(UserError, match=words.replace("(", r"\(")):
        tiny(**changes)


def test_without_the_rotation_loss_two_images_are_a_batch():
    assert tiny(rotation=0.0, batch_size=2).batch_size == 2


def test_there_must_be_a_class_and_a_rest():
    here = Folder("here")
    check_classes(here, ("a", "b"))
    with pytest.raises(UserError, match="here has no labels"):
        check_classes(here, ())
    with pytest.raises(UserError, match="here has one class, 'a'"):
        check_classes(here, ("a",))


def test_every_class_must_have_images_on_both_sides():
    parts = corners()
    check_images(parts)
    none = parts.test.labels != 1
    test = LabelledImages(parts.test.dataset, parts.test.rows[none], parts.test.labels[none])
    with pytest.raises(UserError, match="patches 1 has no image of class 'b' to test on"):
        check_images(parts._replace(test=test))
    data = replace(numbered(), classes=(*"abcz",))
    part = LabelledImages(data, np.arange(60), data.labels)
    with pytest.raises(UserError, match="numbered has no image of class 'z' to train on"):
        check_images(Split(part, part, data.classes, ""))
