"""Parquet files of a data set are read where they lie, to the same pixels as a download."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest

from ssgan.data.huggingface import Hub
from ssgan.data.prepare import prepare
from ssgan.data.sources import parse_source
from ssgan.types import UNLABELLED, UserError
from tests.data.hub import ClassLabel, Image, Value
from tests.data.pictures import encode, noise, preprocessing

pytest.importorskip("huggingface_hub")
arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

COMMIT = "ab" * 20
FILES = [70, 30, 50]  # rows of each file
ROWS = sum(FILES)
BROKEN = 33
KEPT = [row for row in range(ROWS) if row != BROKEN]
FEATURES = {"image": Image(), "label": ClassLabel(["a", "b", "c"]), "caption": Value("string")}


class Features(dict[str, Any]):
    """Of the stand-in for `datasets`: a table that knows one layout."""

    def to_dict(self) -> dict[str, str]:
        return dict.fromkeys(self, "")

    @staticmethod
    def from_dict(stored: dict[str, str]) -> "Features":
        return Features({name: FEATURES[name] for name in stored})

    from_arrow_schema = staticmethod(lambda schema: Features.from_dict(dict.fromkeys(schema.names)))


class Server(BaseHTTPRequestHandler):
    """What of the hub HfFileSystem reads: a commit, sizes, and ranges of files."""

    protocol_version = "HTTP/1.1"

    def __init__(self, folder: Path, requests: list[str], failing: list[str], *given: Any) -> None:
        self.folder, self.requests, self.failing = folder, requests, failing
        super().__init__(*given)

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        path = urlparse(self.path).path
        self.requests.append(path)
        name = path.partition("/resolve/")[2].partition("/")[2]
        if any(name.endswith(end) for end in self.failing):
            self.answer(403, b"")
        elif name:
            data = (self.folder / Path(name).name).read_bytes()
            first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
            self.answer(206, data[first : last + 1])
        elif "/tree/" in path:
            files = [
                {"type": "file", "oid": "c" * 40, "size": file.stat().st_size, "path": file.name}
                for file in sorted(self.folder.iterdir())
            ]
            self.answer(200, json.dumps(files).encode())
        else:
            self.answer(200, json.dumps({"id": "me/mine", "sha": COMMIT, "siblings": []}).encode())

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three Parquet files with row groups of 20; a picture is broken, a label is missing."""
    folder, first = tmp_path_factory.mktemp("set"), 0
    kind = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    for number, rows in enumerate(FILES):
        columns: dict[str, list[Any]] = {"image": [], "label": [], "caption": []}
        for row in range(first, first + rows):
            data = b"broken" if row == BROKEN else encode(noise(row, 8, 8), "PNG")
            columns["image"].append({"bytes": data, "path": None})
            columns["label"].append(-1 if row == 40 else row % 3)
            columns["caption"].append(f"picture {row}")
        first += rows
        arrays = [arrow.array(columns["image"], kind), columns["label"], columns["caption"]]
        table = arrow.table(dict(zip(columns, arrays, strict=True)))
        parquet.write_table(table, folder / f"{number}.parquet", row_group_size=20)
    return folder


@pytest.fixture
def streamed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimpleNamespace]:
    """The files behind `hub:me/mine`, the requests, and the ends of names that are refused."""
    import huggingface_hub

    requests: list[str] = []
    failing: list[str] = []
    fake, builder = ModuleType("datasets"), SimpleNamespace(info=SimpleNamespace(features=None))

    def load_dataset_builder(id_: str, revision: str | None) -> SimpleNamespace:
        where = f"hf://datasets/me/mine@{COMMIT}" if id_ == "me/mine" else str(folder)
        files = [f"{where}/{number}.parquet" for number in range(len(FILES))]
        splits = {"train": files, "csv": [f"{where}/a.csv"]}
        return SimpleNamespace(config=SimpleNamespace(data_files=splits), info=builder.info)

    fake.load_dataset_builder, fake.Features = load_dataset_builder, Features  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    handler = partial(Server, folder, requests, failing)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        system = partial(huggingface_hub.HfFileSystem, endpoint=address, token=False)
        monkeypatch.setattr(huggingface_hub, "HfFileSystem", system)
        yield SimpleNamespace(requests=requests, failing=failing)
        server.shutdown()


def test_rows_come_in_order_with_their_labels_and_leave_no_file(
    streamed: SimpleNamespace, tmp_path: Path
) -> None:
    source = parse_source("hub:me/mine?stream")
    dataset = prepare(source, preprocessing(8), tmp_path / "cache", workers=2)
    expected = np.stack([np.asarray(noise(row, 8, 8)) for row in KEPT])
    assert (np.asarray(dataset.images) == expected).all()
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [UNLABELLED if row == 40 else row % 3 for row in KEPT]
    assert dataset.classes == ("a", "b", "c")
    ((name, why),) = dataset.manifest["rejected"]
    assert name == f"row {BROKEN}"
    assert why.startswith("not an image of a known format")
    assert dataset.manifest["source"] == source.name() == "hub:me/mine?stream"
    files = sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert [name for name in files if not name.startswith(("hub-me-mine", "index-"))] == [
        "hashes.json",
        "images.npy",
        "labels.npy",
        "manifest.json",
    ]


def test_a_folder_gives_the_content_of_the_hub_and_each_crop_of_it(
    streamed: SimpleNamespace, folder: Path, tmp_path: Path
) -> None:
    for crops in ("", "crops:2:"):
        hashes = {
            prepare(
                parse_source(f"{crops}hub:{place}?stream"),
                preprocessing(8),
                tmp_path / "c",
                workers=workers,
            ).content_hash
            for place, workers in (("me/mine", 1), ("me/mine", 3), (folder, 2))
        }
        assert len(hashes) == 1


def test_any_row_can_be_read_after_any_other(streamed: SimpleNamespace, folder: Path) -> None:
    collection = Hub(str(folder), stream=True).open()
    for row in (75, 13, 14, ROWS - 1, 0, 1, 70):
        assert collection.read_bytes(row) == encode(noise(row, 8, 8), "PNG")


def test_the_index_is_read_once(streamed: SimpleNamespace) -> None:
    first = Hub("me/mine", revision=COMMIT, stream=True).open()
    assert len(streamed.requests) > 3
    streamed.requests.clear()
    again = Hub("me/mine", revision=COMMIT, stream=True).open()
    assert streamed.requests == []
    assert again.labels() == first.labels()
    assert again.fingerprint() == first.fingerprint()


def test_a_lost_connection_is_no_broken_picture_and_the_same_command_continues(
    streamed: SimpleNamespace, tmp_path: Path
) -> None:
    source = Hub("me/mine", revision=COMMIT, stream=True)
    collection = source.open()
    streamed.failing.append("1.parquet")
    with pytest.raises(
        UserError, match=r"row \d+ cannot be read: .*the same command continues"
    ) as it:
        prepare(source, preprocessing(8), tmp_path / "cache", workers=1, collection=collection)
    assert "\n" not in str(it.value)
    streamed.failing.clear()
    streamed.requests.clear()
    dataset = prepare(source, preprocessing(8), tmp_path / "cache", workers=1)
    assert not [path for path in streamed.requests if path.endswith("/0.parquet")]  # it was done
    assert len(dataset) == len(KEPT)
    reference = prepare(source, preprocessing(8), tmp_path / "reference")
    assert dataset.content_hash == reference.content_hash


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("hub:me/mine#test?stream", "no split test to stream; it has train, csv"),
        ("hub:me/mine#csv?stream", "a.csv is no Parquet file, and only those are streamed"),
        ("hub:me/mine?stream&label=captoin", "no column 'captoin'; did you mean caption?"),
    ],
)
def test_what_cannot_be_streamed_is_one_line(
    streamed: SimpleNamespace, source: str, words: str
) -> None:
    with pytest.raises(UserError) as it:
        parse_source(source).open()
    assert words in str(it.value)
    assert "\n" not in str(it.value)
