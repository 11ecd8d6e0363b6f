"""Exported features are those of a direct forward pass, with labels and names beside."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from ssgan.data.base import AbstractSource
from ssgan.data.prepare import prepare
from ssgan.evaluation.probe import export
from ssgan.evaluation.probe.export import check_target, export_features, list_item_names
from ssgan.evaluation.probe.maps import Layer
from ssgan.types import UNLABELLED, UserError
from tests.data.numbered import KEPT, Numbers
from tests.data.pictures import preprocessing
from tests.evaluation.probed import finished_run, patches, subject_of

DATA = patches(130)
NAMES = [f"image {k}" for k in range(130)]
BOTH = [Layer(0, "grid2"), Layer(3, "grid2")]


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return subject_of(finished_run(tmp_path_factory.mktemp("exports") / "mine"))


def direct(subject, layer):
    """One image at a time."""
    rows = [subject.features(DATA.images[k : k + 1], [layer])[0] for k in range(len(DATA))]
    return np.concatenate(rows)


def test_npy_holds_the_rows_and_what_belongs_to_them_lies_beside(subject, tmp_path):
    target = tmp_path / "x.npy"
    export_features(subject, DATA, NAMES, BOTH[1:], target)
    found = np.load(target)
    assert found.dtype == np.float32
    assert np.allclose(found, direct(subject, BOTH[1]), atol=1e-5)
    assert np.array_equal(np.load(tmp_path / "x.labels.npy"), DATA.labels)
    facts = json.loads((tmp_path / "x.json").read_text())
    assert facts["names"] == NAMES
    assert facts["discriminator_sha256"] == subject.sha256
    assert facts["content_hash"] == DATA.content_hash
    layer = {"block": 3, "pooling": "grid2", "map": [4, 8, 8], "features": 16}
    assert facts["layers"] == [layer]
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "x.labels.npy", "x.json"}


def test_npz_holds_several_blocks_and_all_else(subject, tmp_path):
    export_features(subject, DATA, NAMES, BOTH, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        for layer in BOTH:
            found = archive[f"block_{layer.block}"]
            assert np.allclose(found, direct(subject, layer), atol=1e-5)
        assert np.array_equal(archive["labels"], DATA.labels)
        assert archive["classes"].tolist() == ["a", "b", "c"]
        assert archive["names"].tolist() == NAMES
        assert json.loads(str(archive["protocol"]))["step"] == 2
    assert zipfile.ZipFile(tmp_path / "x.npz").testzip() is None


def test_parquet_holds_a_row_an_image(subject, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(export, "_GROUP_ROWS", 50)
    export_features(subject, DATA, NAMES, BOTH, tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column_names == ["name", "label", "class", "block_0", "block_3"]
    assert table["name"].to_pylist() == NAMES
    assert table["label"].to_pylist() == DATA.labels.tolist()
    assert table["class"].to_pylist() == [DATA.classes[k] for k in DATA.labels]
    for layer in BOTH:
        found = np.array(table[f"block_{layer.block}"].to_pylist(), np.float32)
        assert np.allclose(found, direct(subject, layer), atol=1e-5)
    assert json.loads(table.schema.metadata[b"ssgan"])["images"] == 130


@pytest.mark.parametrize("ending", ["npy", "npz", "parquet"])
def test_images_without_labels_are_exported_too(subject, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    bare = replace(DATA, labels=None, classes=())
    export_features(subject, bare, NAMES, BOTH[1:], tmp_path / f"x.{ending}")
    assert (tmp_path / f"x.{ending}").exists()
    assert not (tmp_path / "x.labels.npy").exists()


def test_an_image_without_a_label_has_no_class(subject, tmp_path):
    labels = DATA.labels.copy()
    labels[::3] = UNLABELLED
    data = replace(DATA, labels=labels)
    export_features(subject, data, NAMES, BOTH[1:], tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["labels"], labels)
    parquet = pytest.importorskip("pyarrow.parquet")
    export_features(subject, data, NAMES, BOTH[1:], tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet").to_pydict()
    assert table["label"][:4] == [None, 1, 2, None]
    assert table["class"][:4] == [None, "b", "c", None]


def test_an_interrupted_export_leaves_no_file_and_is_continued(subject, tmp_path, monkeypatch):
    monkeypatch.setattr("ssgan.evaluation.probe.feature_store._SAVED_BATCHES", 1)
    target = tmp_path / "x.npy"

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_features(subject, DATA, NAMES, BOTH[1:], target, stop)
    assert not target.exists()
    seen = []
    export_features(subject, DATA, NAMES, BOTH[1:], target, lambda done, total: seen.append(done))
    assert seen == [128, 130]
    export_features(subject, DATA, NAMES, BOTH[1:], tmp_path / "whole.npy")
    assert target.read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_names_are_those_of_the_images_that_could_be_used(tmp_path):
    source: AbstractSource = Numbers()
    dataset = prepare(source, preprocessing(4), tmp_path)
    assert list_item_names(source, dataset) == [f"item {number}" for number in KEPT]


@pytest.mark.parametrize(
    ("name", "layers", "words"),
    [
        ("x.csv", 1, "its ending must be .npy, .npz, .parquet"),
        ("x", 1, "its ending must be"),
        ("x.npy", 2, ".npy holds one block"),
    ],
)
def test_a_target_that_cannot_be_is_one_clear_line(tmp_path, name, layers, words):
    with pytest.raises(UserError, match=words):
        check_target(tmp_path / name, layers)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(export.importlib, "import_module", absent)
    with pytest.raises(UserError, match=r"ssgan\[parquet\]"):
        check_target(tmp_path / "x.parquet", 1)
