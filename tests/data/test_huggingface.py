"""Hub data sets through a stand-in for `datasets`: the same calls, no network."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ssgan.data.base import HeaderStats
from ssgan.data.dataset import MANIFEST
from ssgan.data.hub.columns import read_labels
from ssgan.data.huggingface import Hub
from ssgan.data.prepare import prepare
from ssgan.data.sources import parse_source
from ssgan.types import UNLABELLED, UserError
from tests.data.hub import ClassLabel, Image, Table, Value, install
from tests.data.pictures import encode, noise, preprocessing

CALLS: list[dict[str, Any]] = []


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    yield install(monkeypatch, CALLS)
    CALLS.clear()


def test_images_and_labels_come_from_the_columns_of_their_kind(
    table: Table, tmp_path: Path
) -> None:
    dataset = prepare(Hub("a/b", revision="v1", split="test"), preprocessing(), tmp_path)
    assert CALLS == [{"id": "a/b", "revision": "v1", "split": "test"}]
    assert dataset.classes == ("even", "odd")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert (dataset.images[4] == np.asarray(noise(4))).all()
    assert dataset.manifest["source"] == "hub:a/b@v1#test"
    assert dataset.manifest["warnings"] == []


def test_class_names_hold_no_control_characters(table: Table, tmp_path: Path) -> None:
    """Neither those of the hub, nor those in a cache that somebody else has written."""
    table.features["label"] = ClassLabel(["\x1b[31mred\n", "\u202egnp \\ é"])
    expected = ("\\u001b[31mred\\u000a", "\\u202egnp \\ é")
    assert Hub("a/b").open().classes() == expected
    assert prepare(Hub("a/b"), preprocessing(), tmp_path).classes == expected
    (path,) = tmp_path.glob(f"*/{MANIFEST}")
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"classes": ["\x1b[2J", "b"]}))
    path.with_name("hashes.json").unlink()  # as in a folder of an earlier version
    assert prepare(Hub("a/b"), preprocessing(), tmp_path).classes == ("\\u001b[2J", "b")


def test_rows_that_cannot_be_read_are_not_called_damaged(table: Table) -> None:
    for row in table.rows:
        row["img"] = {"bytes": None, "path": None}
    with pytest.raises(UserError, match="first: row 0: cannot be read: no image in this row"):
        Hub("a/b").open().header_stats()


def test_class_names_that_are_shown_alike_stay_two(table: Table) -> None:
    table.features["label"] = ClassLabel(["\x1b", "\\u001b"])
    assert Hub("a/b").open().classes() == ("\\u001b", "\\\\u001b")


def test_a_source_without_a_revision_is_told_to_pin_one(table: Table) -> None:
    assert "add one" in Hub("a/b").open().warnings()[0]


def test_rows_without_an_image_and_broken_ones_are_rejected_by_number(
    table: Table, tmp_path: Path
) -> None:
    noise(9).save(tmp_path / "there.png")
    table.rows[1]["img"] = None
    table.rows[2]["img"] = {"bytes": b"broken", "path": None}
    table.rows[3]["img"] = {"bytes": None, "path": "there.png"}
    table.rows[4]["img"] = {"bytes": None, "path": "gone.png"}
    dataset = prepare(Hub(str(tmp_path)), preprocessing(), tmp_path / "cache")
    assert [name for name, _ in dataset.manifest["rejected"]] == ["row 1", "row 2", "row 4"]
    assert (dataset.images[1] == np.asarray(noise(9))).all()


@pytest.mark.parametrize("local", [True, False])
def test_a_row_cannot_name_a_file_outside_the_set(
    table: Table, tmp_path: Path, local: bool
) -> None:
    """Nothing else on the machine becomes an image, fills memory or waits."""
    place, elsewhere = tmp_path / "set", tmp_path / "elsewhere.png"
    place.mkdir()
    noise(9).save(elsewhere)
    (place / "link.png").symlink_to(elsewhere)
    os.mkfifo(place / "pipe.png")
    outside = [str(elsewhere), "../elsewhere.png", "/dev/zero", "link.png"]
    for row, path in enumerate([*outside, "pipe.png"]):
        table.rows[row]["img"] = {"bytes": None, "path": path}
    source = Hub(str(place)) if local else Hub("a/b", revision="v1")
    rejected = prepare(source, preprocessing(), tmp_path / "cache").manifest["rejected"]
    assert [name for name, _ in rejected] == [f"row {k}" for k in range(5)]
    for path, (_, why) in zip(outside[:3], rejected, strict=False):
        assert why == f"cannot be read: the row names {path}, which is outside the data set"
    if local:
        assert "outside the data set" in rejected[3][1]
        assert rejected[4][1] == "cannot be read: pipe.png is not a regular file"


def test_a_file_in_the_folder_may_be_named_by_its_whole_path(table: Table, tmp_path: Path) -> None:
    noise(9).save(tmp_path / "there.png")
    table.rows[3]["img"] = {"bytes": None, "path": str(tmp_path / "there.png")}
    dataset = prepare(Hub(str(tmp_path)), preprocessing(), tmp_path / "cache")
    assert (dataset.images[3] == np.asarray(noise(9))).all()


@pytest.mark.parametrize("place", ["bytes", "file"])
def test_a_picture_is_bounded_before_it_is_decoded(
    table: Table, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise(9).save(tmp_path / "large.png")
    for module in ("huggingface", "preprocessing"):
        monkeypatch.setattr(f"ssgan.data.{module}.MAX_FILE_BYTES", 3500)
    large = encode(noise(9, 64, 64), "PNG")
    table.rows[3]["img"] = {"bytes": large, "path": None}
    if place == "file":
        noise(9, 64, 64).save(tmp_path / "large.png")
        table.rows[3]["img"] = {"bytes": None, "path": "large.png"}
    rejected = prepare(Hub(str(tmp_path)), preprocessing(), tmp_path / "c").manifest["rejected"]
    assert [name for name, _ in rejected] == ["row 3"]
    assert "larger than 3,500 bytes" in rejected[0][1]


def test_without_a_label_column_there_are_no_labels(table: Table) -> None:
    del table.features["label"]
    collection = Hub("a/b").open()
    assert collection.labels() is None
    assert collection.classes() == ()
    assert collection.header_stats() == HeaderStats(6, 32, False)


@pytest.mark.parametrize("missing", [-1, None])
def test_without_any_label_the_images_are_unlabelled(
    table: Table, tmp_path: Path, missing: int | None
) -> None:
    for row in table.rows:
        row["label"] = missing
    collection = Hub("a/b", revision="v1").open()
    assert collection.labels() is None
    assert collection.classes() == collection.used_classes() == ()
    dataset = prepare(Hub("a/b", revision="v1"), preprocessing(), tmp_path)
    assert dataset.labels is None
    words = "no row has a label in column label: the images are unlabelled"
    assert dataset.manifest["warnings"] == dataset.manifest["reading_warnings"] == [words]


def test_rows_without_a_label_are_counted_and_said_once(table: Table, tmp_path: Path) -> None:
    table.rows[0]["label"], table.rows[5]["label"] = None, -1
    dataset = prepare(Hub("a/b", revision="v1"), preprocessing(), tmp_path)
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [UNLABELLED, 1, 0, 1, 0, UNLABELLED]
    assert dataset.manifest["class_counts"] == [2, 2]
    assert dataset.num_unlabelled == Hub("a/b").open().num_unlabelled() == 2
    assert dataset.manifest["warnings"] == ["2 of 6 rows have no label in column label"]


def test_two_class_columns_are_no_labels_until_one_is_chosen(table: Table, tmp_path: Path) -> None:
    table.features["coarse"] = ClassLabel(["low", "high"])
    for row in table.rows:
        row["coarse"] = row["id"] // 3
    dataset = prepare(Hub("a/b", revision="v1"), preprocessing(), tmp_path)
    assert dataset.labels is None
    (note,) = dataset.manifest["warnings"]
    assert "'hub:a/b@v1?label=label' or 'hub:a/b@v1?label=coarse'" in note
    assert "'hub:a/b@v1?label=coarse'" in Hub("a/b", revision="v1").label_advice()
    for column, labels in (("label", [0, 1, 0, 1, 0, 1]), ("coarse", [0, 0, 0, 1, 1, 1])):
        source = parse_source(f"hub:a/b@v1?label={column}")
        assert source.open().labels() == labels
        assert source.open().classes() == tuple(table.features[column].names)


def test_strings_and_integers_are_classes_where_the_user_says_so(table: Table) -> None:
    table.features = {"img": Image(), "kind": Value("string"), "number": Value("int64")}
    for row, kind in zip(table.rows, ["ox", "cat", None, "ox", "", "cat"], strict=True):
        row["kind"] = kind
        row["number"] = {"ox": 70, "cat": 3}.get(kind or "", -1)
    collection = Hub("a/b").open()
    assert collection.labels() is None
    assert collection.label_warnings() == ()
    advice = collection.label_advice()
    assert "kind (string), number (int64)" in advice
    assert "'hub:a/b?label=kind'" in advice
    strings = Hub("a/b", label_column="kind").open()
    assert strings.classes() == ("cat", "ox")
    assert strings.labels() == [1, 0, UNLABELLED, 1, UNLABELLED, 0]
    integers = Hub("a/b", label_column="number").open()
    assert integers.classes() == ("3", "70")
    assert integers.labels() == strings.labels()


def test_a_column_in_which_every_row_differs_holds_no_classes() -> None:
    values = [f"caption {k}" for k in range(300)]
    with pytest.raises(UserError, match="300 different values in 300 rows: these are no classes"):
        read_labels("hub:a/b: column text", Value("string"), values)
    assert len(read_labels("hub:a/b: column text", Value("string"), values[:50]).names) == 50


def test_a_class_number_without_a_name_is_refused(table: Table) -> None:
    table.rows[4]["label"] = 2
    with pytest.raises(UserError, match="row 4 has class number 2, and there are only 2 names"):
        Hub("a/b").open()  # before anything is decoded


def test_class_names_never_print_control_characters(table: Table) -> None:
    table.features["label"] = ClassLabel(["\x1b[31mred", "a\\b"])
    assert Hub("a/b").open().classes() == ("\\u001b[31mred", "a\\b")


def test_names_of_classes_without_images_are_left_out_with_one_line(
    table: Table, tmp_path: Path
) -> None:
    table.features["label"] = ClassLabel([f"n{k}" for k in range(1000)])
    for row in table.rows:
        row["label"] = (7, 999)[row["id"] % 2]
    source = Hub("a/b", revision="v1")
    assert source.open().used_classes() == ("n7", "n999")
    dataset = prepare(source, preprocessing(), tmp_path)
    assert dataset.classes == ("n7", "n999")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert dataset.manifest["class_counts"] == [3, 3]
    words = "998 of 1,000 classes have no usable image and are left out: n0, ..."
    assert dataset.manifest["warnings"] == [words]


def test_the_hash_of_the_content_is_that_of_the_labels_as_stored(
    table: Table, tmp_path: Path
) -> None:
    """A run of an earlier version, which counted empty classes, continues."""
    table.features["label"] = ClassLabel(["a", "b", "c", "d"])
    for row in table.rows:
        row["label"] = (1, 3)[row["id"] % 2]
    dataset = prepare(Hub("a/b", revision="v1"), preprocessing(), tmp_path)
    stored = np.array([1, 3] * 3, "<i8")
    digest = hashlib.sha256(np.asarray(dataset.images).tobytes() + stored.tobytes())
    assert dataset.content_hash == digest.hexdigest()
    again = dataset.with_classes(["a", "b", "c", "d"])
    assert again.labels is not None
    assert again.labels.tolist() == stored.tolist()
    assert again.manifest["class_counts"] == [0, 3, 0, 3]
    assert dataset.with_classes(["x", "y"]) is dataset


def test_the_line_of_an_earlier_version_on_each_empty_class_becomes_one(
    table: Table, tmp_path: Path
) -> None:
    table.features["label"] = ClassLabel(["even", "odd", "c", "d"])
    source = Hub("a/b", revision="v1")
    folder = prepare(source, preprocessing(), tmp_path).images.path.parent
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["warnings"] = [f"class {c} has 0 usable images; the median is 0" for c in "cd"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "hashes.json").unlink()
    words = "2 of 4 classes have no usable image and are left out: c, ..."
    assert prepare(source, preprocessing(), tmp_path).manifest["warnings"] == [words]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Hub("a/b", image_column="pic"), "no column 'pic'; possible: img"),
        (Hub("a/b", image_column="id"), "column 'id' holds no images; possible: img"),
        (Hub("a/b", label_column="img"), "column 'img' holds no classes; possible: label, id"),
        (Hub("a/b", label_column="lable"), "no column 'lable'; did you mean label?"),
        (Hub("a/broken"), "cannot be loaded: generating failed: column names differ"),
        (Hub("a/far"), "(OfflineModeIsEnabled); unset HF_HUB_OFFLINE to reach the hub"),
        (Hub("/no/such/place"), "hub:/no/such/place: there is no folder at /no/such/place"),
        (Hub("no/such"), "hub:no/such: cannot be loaded: Dataset 'no/such' does not exist"),
    ],
)
def test_what_does_not_fit_is_one_line_with_what_would(
    table: Table, source: Hub, words: str
) -> None:
    with pytest.raises(UserError) as it:
        source.open()
    assert words in str(it.value)
    assert "\n" not in str(it.value)


def test_two_image_columns_need_a_choice(table: Table, tmp_path: Path) -> None:
    table.features["mask"] = Image()
    for row in table.rows:
        row["mask"] = {"bytes": encode(noise(50 + row["id"]), "PNG"), "path": None}
    with pytest.raises(UserError) as it:
        Hub("a/b").open()
    assert "give 'hub:a/b?image=img' or 'hub:a/b?image=mask'" in str(it.value)
    dataset = prepare(parse_source("hub:a/b?image=mask"), preprocessing(), tmp_path)
    assert (dataset.images[0] == np.asarray(noise(50))).all()


def test_no_image_column_and_no_rows_are_said(table: Table) -> None:
    table.rows.clear()
    with pytest.raises(UserError, match="the split is empty"):
        Hub("a/b").open()
    del table.features["img"]
    with pytest.raises(UserError, match="no column of images among id, label"):
        Hub("a/b").open()


def test_without_the_library_the_error_has_the_install_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'ssgan\[hub\]'"):
        Hub("a/b").open()


def test_a_broken_library_is_not_taken_for_a_missing_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(name: str) -> None:
        raise ImportError("libarrow.so is missing")

    monkeypatch.setattr("ssgan.data.huggingface.importlib.import_module", fail)
    with pytest.raises(UserError, match=r"cannot be imported: libarrow.so is missing"):
        Hub("a/b").open()


def test_the_fingerprint_of_before_is_kept(table: Table) -> None:
    """Prepared images of earlier versions are found again."""
    source = Hub("a/b", revision="v1")
    state = ["abc", source, "img", "label"]
    expected = hashlib.sha256(f"{state} 6".encode()).hexdigest()
    assert source.open().fingerprint() == expected
    assert repr(source) == (
        "Hub(id='a/b', revision='v1', split='train', image_column=None, label_column=None)"
    )
