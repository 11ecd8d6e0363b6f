"""Features on disk are whole or continued, and never those of something else."""

import json

import numpy as np
import pytest
import torch

from ssgan.evaluation.probe import feature_store
from ssgan.evaluation.probe.maps import Layer
from ssgan.files.atomic import DiskFull
from ssgan.types import UserError
from tests.evaluation.probed import finished_run, patches, subject_of

LAYERS = [Layer(0, "grid4"), Layer(3, "mean")]
ROWS = np.arange(150)[::-1].copy()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("store") / "run")


@pytest.fixture(scope="module")
def subject(root):
    return subject_of(root)


@pytest.fixture
def data():
    return patches(150)


def bytes_of(folder):
    return [feature_store.feature_path(folder, layer).read_bytes() for layer in LAYERS]


def test_rows_stand_in_the_order_asked_for(subject, data, tmp_path):
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f")
    for layer in LAYERS:
        found = feature_store.load_features(tmp_path / "f", layer)
        assert found.dtype == np.float32
        assert found.shape == (150, feature_store.feature_width(subject, layer))
        expected = subject.features(data.images[ROWS[70:75]], [layer])[0]
        assert np.allclose(found[70:75], expected, atol=1e-5)


@pytest.mark.parametrize("after", [1, 2])
def test_what_was_interrupted_is_continued_with_the_same_bytes(
    subject, data, tmp_path, after, monkeypatch
):
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "whole")
    monkeypatch.setattr(feature_store, "_SAVED_BATCHES", 1)

    def stop(done, total):
        if done == after * feature_store.BATCH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f", stop)
    for layer in LAYERS:  # a torn batch
        with feature_store.feature_path(tmp_path / "f", layer).open("ab") as file:
            file.write(b"torn")
    seen = []
    feature_store.fill_store(
        subject, data, ROWS, LAYERS, tmp_path / "f", lambda k, _: seen.append(k)
    )
    assert seen[0] == min(150, (after + 1) * feature_store.BATCH)
    assert bytes_of(tmp_path / "f") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize("wanted", [LAYERS, LAYERS[1:], LAYERS[::-1]])
def test_a_whole_folder_is_not_read_again(subject, data, tmp_path, monkeypatch, wanted):
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f")
    before = bytes_of(tmp_path / "f")
    monkeypatch.setattr(type(subject), "features", None)
    feature_store.fill_store(subject, data, ROWS, wanted, tmp_path / "f")
    assert bytes_of(tmp_path / "f") == before


def test_a_further_layer_is_read(subject, data, tmp_path):
    feature_store.fill_store(subject, data, ROWS, LAYERS[:1], tmp_path / "f")
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f")
    assert feature_store.load_features(tmp_path / "f", LAYERS[1]).shape == (150, 4)


def test_features_of_something_else_are_begun_anew(root, subject, data, tmp_path):
    feature_store.fill_store(subject_of(root, "0"), data, ROWS, LAYERS, tmp_path / "f")
    before = bytes_of(tmp_path / "f")
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f")
    assert bytes_of(tmp_path / "f") != before
    feature_store.fill_store(subject, data, ROWS[:50], LAYERS, tmp_path / "f")
    assert feature_store.load_features(tmp_path / "f", LAYERS[0]).shape[0] == 50
    (tmp_path / "f" / "progress.json").write_text("{")
    feature_store.fill_store(subject, data, ROWS[:50], LAYERS, tmp_path / "f")
    assert json.loads((tmp_path / "f" / "progress.json").read_text())["done"] == 50


def test_nan_is_one_clear_line_that_names_block_and_image(root, data, tmp_path):
    broken = subject_of(root)
    with torch.no_grad():
        broken.discriminator.blocks[3].conv2.bias[0] = torch.nan
    with pytest.raises(UserError, match=r"block 3 of D \(run, step 2\) returns NaN or infinity"):
        feature_store.fill_store(broken, data, ROWS, LAYERS, tmp_path / "f")


def test_a_disk_without_room_is_seen_before_anything_is_read(subject, data, tmp_path, monkeypatch):
    monkeypatch.setattr(feature_store, "free_bytes", lambda folder: 1000)
    with pytest.raises(DiskFull, match="but only 1,000 are free"):
        feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f")
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("damage", ["flipped", "cut", "linked", "no digests"])
def test_damaged_rows_of_an_interrupted_call_are_computed_again(
    subject, data, tmp_path, damage, monkeypatch
):
    """They were trusted by their number alone; a shorter file was continued with zeros."""
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "whole")
    monkeypatch.setattr(feature_store, "_SAVED_BATCHES", 1)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f", stop)
    path = feature_store.feature_path(tmp_path / "f", LAYERS[0])
    marker = tmp_path / "f" / "progress.json"
    content = bytearray(path.read_bytes())
    outside = tmp_path / "outside"
    if damage == "flipped":
        content[200] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[:300])
    elif damage == "linked":
        path.rename(outside)
        path.symlink_to(outside)
    else:  # of an earlier version
        facts = json.loads(marker.read_text())
        facts.pop("sha256", None)
        marker.write_text(json.dumps(facts))
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path / "f")
    assert bytes_of(tmp_path / "f") == bytes_of(tmp_path / "whole")
    assert damage != "linked" or outside.read_bytes() == content


def test_some_rows_are_read_alone_and_a_cut_file_is_a_message(subject, data, tmp_path):
    feature_store.fill_store(subject, data, ROWS, LAYERS, tmp_path)
    whole = feature_store.load_features(tmp_path, LAYERS[0])
    some = feature_store.load_features(tmp_path, LAYERS[0], slice(140, 999))
    assert np.array_equal(some, whole[140:])
    path = feature_store.feature_path(tmp_path, LAYERS[0])
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="is cut short"):
        feature_store.load_features(tmp_path, LAYERS[0])
