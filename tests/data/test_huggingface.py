"""Hub data sets through a stand-in for `datasets`: the same calls, no network."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ssgan.data.base import HeaderStats
from ssgan.data.dataset import MANIFEST
from ssgan.data.huggingface import Hub
from ssgan.data.prepare import prepare
from ssgan.types import UserError
from tests.data.pictures import encode, noise, preprocessing


class Image:
    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Value:
    pass


class Table:
    _fingerprint = "abc"

    def __init__(self, features: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.features, self.rows = features, rows

    def cast_column(self, name: str, kind: Image) -> "Table":
        return Table({**self.features, name: kind}, self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            return [row[key] for row in self.rows]
        encoded = [k for k, v in self.features.items() if isinstance(v, Image) and not v.decode]
        assert encoded, "the picture would be decoded by somebody else"
        return self.rows[key]


CALLS: list[dict[str, Any]] = []


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    rows = [
        {"img": {"bytes": encode(noise(k), "PNG"), "path": None}, "label": k % 2, "id": k}
        for k in range(6)
    ]
    table = Table({"id": Value(), "img": Image(), "label": ClassLabel(["even", "odd"])}, rows)
    fake = ModuleType("datasets")

    def load_dataset(id_: str, **settings: Any) -> Table:
        CALLS.append({"id": id_, **settings})
        if id_ == "no/such":
            raise RuntimeError("Dataset 'no/such'\n does not exist")
        return table

    fake.load_dataset, fake.Image = load_dataset, Image  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    yield table
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
    assert prepare(Hub("a/b"), preprocessing(), tmp_path).classes == ("\\u001b[2J", "b")


def test_a_source_without_a_revision_is_told_to_pin_one(table: Table) -> None:
    assert "add one" in Hub("a/b").open().warnings()[0]


def test_rows_without_an_image_and_broken_ones_are_rejected_by_number(
    table: Table, tmp_path: Path
) -> None:
    noise(9).save(tmp_path / "there.png")
    table.rows[1]["img"] = None
    table.rows[2]["img"] = {"bytes": b"broken", "path": None}
    table.rows[3]["img"] = {"bytes": None, "path": str(tmp_path / "there.png")}
    table.rows[4]["img"] = {"bytes": None, "path": str(tmp_path / "gone.png")}
    dataset = prepare(Hub("a/b"), preprocessing(), tmp_path / "cache")
    assert [name for name, _ in dataset.manifest["rejected"]] == ["row 1", "row 2", "row 4"]
    assert (dataset.images[1] == np.asarray(noise(9))).all()


def test_without_a_label_column_there_are_no_labels(table: Table) -> None:
    del table.features["label"]
    collection = Hub("a/b").open()
    assert collection.labels() is None
    assert collection.classes() == ()
    assert collection.header_stats() == HeaderStats(6, 32, False)


def test_a_missing_label_is_an_error_that_names_the_row(table: Table) -> None:
    table.rows[3]["label"] = -1
    with pytest.raises(UserError, match="row 3 has no label in column label"):
        Hub("a/b").open().labels()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Hub("a/b", image_column="pic"), "image_column 'pic' has another type; possible: img"),
        (Hub("a/b", label_column="id"), "label_column 'id' has another type; possible: label"),
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


def test_two_image_columns_need_a_choice(table: Table) -> None:
    table.features["mask"] = Image()
    with pytest.raises(UserError, match="set image_column to one of img, mask"):
        Hub("a/b").open()
    assert len(Hub("a/b", image_column="img").open()) == 6


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
