"""A stand-in for the library `datasets`: the same calls, no network."""

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.data.pictures import encode, noise


class Image:
    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Value:
    def __init__(self, dtype: str = "int64") -> None:
        self.dtype = dtype


class Table:
    _fingerprint = "abc"

    def __init__(self, features: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.features, self.rows = features, rows

    def cast_column(self, name: str, kind: Image) -> "Table":
        return Table({**self.features, name: kind}, self.rows)

    def select_columns(self, names: list[str]) -> "Table":
        chosen = Table({name: self.features[name] for name in names}, self.rows)
        chosen._fingerprint = "another"
        return chosen

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int | str) -> Any:
        if isinstance(key, str):
            return [row[key] for row in self.rows]
        decoded = [k for k, v in self.features.items() if isinstance(v, Image) and v.decode]
        assert not decoded, "the picture would be decoded by somebody else"
        return {name: self.rows[key][name] for name in self.features}


def install(monkeypatch: pytest.MonkeyPatch, calls: list[dict[str, Any]]) -> Table:
    """Six pictures of two classes, which every id names; `calls` gets what was asked for."""
    rows = [
        {"img": {"bytes": encode(noise(k), "PNG"), "path": None}, "label": k % 2, "id": k}
        for k in range(6)
    ]
    table = Table({"id": Value(), "img": Image(), "label": ClassLabel(["even", "odd"])}, rows)
    fake = ModuleType("datasets")

    def load_dataset(id_: str, **settings: Any) -> Table:
        calls.append({"id": id_, **settings})
        if id_ == "no/such":
            raise RuntimeError("Dataset 'no/such'\n does not exist")
        if id_ == "a/broken":
            raise RuntimeError("generating failed") from ValueError("column names\n differ")
        if id_ == "a/far":
            raise ConnectionError("Couldn't reach 'a/far' on the Hub (OfflineModeIsEnabled)")
        return table

    fake.load_dataset, fake.Image = load_dataset, Image  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return table
