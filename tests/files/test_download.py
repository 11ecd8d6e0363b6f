"""Only the right bytes land, from a local server that also sends wrong ones."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ssgan.files.download import fetch
from ssgan.types import UserError

CONTENT = os.urandom(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        getattr(self, self.path.strip("/"))()

    def log_message(self, *_: object) -> None:
        pass

    def send(self, body: bytes, length: int | None = None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def right(self) -> None:
        self.send(CONTENT, len(CONTENT))

    def without_length(self) -> None:
        self.send(CONTENT)

    def one_byte_off(self) -> None:
        self.send(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), len(CONTENT))

    def cut(self) -> None:
        self.send(CONTENT[:150_000], len(CONTENT))

    def cut_without_length(self) -> None:
        self.send(CONTENT[:150_000])

    def ten_gigabytes(self) -> None:
        self.send(b"", 10 * 2**30)

    def endless(self) -> None:
        self.send(CONTENT + CONTENT)

    def slow(self) -> None:
        self.send(CONTENT[:1], len(CONTENT))
        for byte in CONTENT[1:40]:
            time.sleep(0.02)
            self.wfile.write(bytes([byte]))

    def stuck(self) -> None:
        self.send(CONTENT[:1], len(CONTENT))
        time.sleep(0.6)

    def unsteady(self) -> None:
        """Breaks off twice, then sends everything."""
        self.server.requests += 1
        (self.cut, self.busy, self.right)[min(self.server.requests, 3) - 1]()

    def busy(self) -> None:
        self.send_error(503)

    def missing(self) -> None:
        self.server.requests += 1
        self.send_error(404)

    def long_header(self) -> None:
        self.send_response(200)
        self.send_header("X", "x" * 100_000)
        self.end_headers()

    def redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def to_right(self) -> None:
        self.redirect("/right")

    def to_file(self) -> None:
        self.redirect("file:///etc/hostname")

    def to_plain_http(self) -> None:
        self.redirect("http://example.org/file")

    def to_itself(self) -> None:
        self.redirect("/to_itself")


class Server(ThreadingHTTPServer):
    requests = 0  # that "unsteady" and "missing" have had

    def handle_error(self, *_: object) -> None:
        pass  # clients that hang up are what is tested


@pytest.fixture
def running() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def server(running: Server) -> str:
    return f"http://127.0.0.1:{running.server_address[1]}"


def get(url: str, path: Path, **settings: float) -> Path:
    limits: dict[str, Any] = {"timeout_seconds": 0.3, "total_seconds": 0.3, "retries": 0}
    return fetch(url, path, sha256=SHA256, max_bytes=len(CONTENT), **limits | settings)


@pytest.mark.parametrize("kind", ["right", "without_length", "to_right"])
def test_the_right_bytes_land_with_progress(server: str, tmp_path: Path, kind: str) -> None:
    seen: list[tuple[int, int]] = []
    path = tmp_path / "new" / "file"
    fetch(
        f"{server}/{kind}", path, sha256=SHA256, max_bytes=len(CONTENT),
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), 0 if kind == "without_length" else len(CONTENT))
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("one_byte_off", "sha256"),
        ("cut", "ended after 150,000 of 200,000"),
        ("cut_without_length", "sha256"),
        ("ten_gigabytes", "more than the 200,000"),
        ("endless", "more than the 200,000"),
        ("slow", "too slow"),
        ("stuck", "timed out"),
        ("missing", "Not Found"),
        ("long_header", "could not be downloaded"),
        ("to_file", "not allowed"),
        ("to_plain_http", "https only"),
        ("to_itself", "could not be downloaded"),
    ],
)
def test_nothing_else_lands_and_one_line_says_why(
    server: str, tmp_path: Path, kind: str, words: str
) -> None:
    with pytest.raises(UserError, match=words) as it:
        get(f"{server}/{kind}", tmp_path / "file")
    assert "\n" not in str(it.value)
    assert os.listdir(tmp_path) == []


def test_a_broken_connection_is_tried_again_and_a_refusal_is_not(
    running: Server, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("ssgan.files.download.time.sleep", pauses.append)
    path = tmp_path / "file"
    with pytest.raises(UserError, match="Service Unavailable"):
        get(f"{server}/unsteady", path, retries=1)
    running.requests = 0
    get(f"{server}/unsteady", path, retries=2)
    assert path.read_bytes() == CONTENT
    assert pauses == [1, 1, 2]
    path.unlink()
    running.requests = 0
    with pytest.raises(UserError, match="Not Found"):
        get(f"{server}/missing", path, retries=2)
    assert running.requests == 1


def test_a_proxy_is_never_used_for_this_machine(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get(f"{server}/right", tmp_path / "file").read_bytes() == CONTENT


def test_what_is_there_is_verified_and_not_downloaded_again(server: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    get(f"{server}/missing", path)
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(UserError, match="Not Found"):
        get(f"{server}/missing", path)
    get(f"{server}/right", path)
    assert path.read_bytes() == CONTENT


def test_offline_tells_where_to_put_the_file(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSGAN_OFFLINE", "1")
    path = tmp_path / "file"
    with pytest.raises(UserError, match=f"{path}.*{SHA256}"):
        get(f"{server}/right", path)
    path.write_bytes(CONTENT)
    assert get(f"{server}/right", path) == path


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "ftp://127.0.0.1/a", "file:///etc/hostname", "https:///a"]
)
def test_only_https_is_spoken_outside_this_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="https only"):
        get(url, tmp_path / "file")
