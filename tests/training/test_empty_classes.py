"""Classes without images: a run has none, unless an earlier version counted them."""

from dataclasses import replace

import pytest

from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.runs.checkpoint import find_state
from ssgan.runs.sampling import used_classes
from ssgan.training.run import run
from tests.data.pictures import write_images
from tests.training.tiny import tiny, to_the_end

ALL = ("a", "b", "none", "z")  # class "none" has one file, which is broken


@pytest.fixture
def photos(tmp_path):
    for k, name in enumerate(("a", "b", "z")):
        write_images(tmp_path / "photos" / name, range(10 * k, 10 * k + 8))
    (tmp_path / "photos" / "none").mkdir()
    (tmp_path / "photos" / "none" / "x.png").write_bytes(b"broken")
    return Folder(str(tmp_path / "photos"))


def config_of(photos, steps):
    config = tiny("conditional", total_steps=steps)
    return replace(config, data=replace(config.data, source=photos))


def test_a_new_run_has_the_classes_with_usable_images(photos, tmp_path):
    """The broken file is found after the networks were checked against four classes."""
    list(run(config_of(photos, 2), tmp_path / "run", cache=tmp_path / "cache"))
    saved = find_state(tmp_path / "run").checkpoint
    assert saved.classes == ("a", "b", "z")
    assert used_classes(saved) == [0, 1, 2]


def test_a_run_that_counts_an_empty_class_continues_and_samples_the_others(photos, tmp_path):
    preprocessing = config_of(photos, 2).data.preprocessing
    dataset = prepare(photos, preprocessing, tmp_path / "cache")
    to_the_end(config_of(photos, 2), tmp_path / "run", dataset.with_classes(ALL))
    list(run(config_of(photos, 4), tmp_path / "run", cache=tmp_path / "cache"))
    saved = find_state(tmp_path / "run").checkpoint
    assert (saved.step, saved.classes) == (4, ALL)
    assert used_classes(saved) == [0, 1, 3]
