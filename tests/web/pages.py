"""A page over a folder of runs, served in a thread, and requests that a browser would not send."""

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the page needs the extra [web]")
pytest.importorskip("uvicorn", reason="the page needs the extra [web]")

from ssgan.files.run_directory import RunDirectory
from ssgan.web.app import build_app, build_site
from ssgan.web.security import Access
from ssgan.web.server import build_server, open_socket
from tests.evaluation.saved import save_run

TOKEN = "a-token-of-our-own"
EVIL = "<img src=x onerror=alert(1)>"
CANARY = "the canary sings"
PNG = b"\x89PNG\r\n\x1a\n"


def write_logs(root: Path, steps: int = 4) -> None:
    """A log, an evaluation and an event, as a run writes them."""
    layout = RunDirectory(root)
    lines = [
        {"step": step, "images_seen": 8 * step, "seconds": 1.0, "D/adversarial": 2.0 - 0.1 * step,
         "G/adversarial": 0.5, "D/rotation_accuracy": 0.25 + 0.1 * step}
        for step in range(1, steps + 1)
    ]  # fmt: skip
    layout.log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    layout.metrics.write_text('{"step": 2, "name": "FD-random", "value": 3.5}\n')
    layout.events.write_text('{"step": 2, "verdict": "healthy", "evidence": ["it learns"]}\n')


def write_runs(folder: Path) -> Path:
    """Three runs, one of them without a checkpoint, and a file that no page may show."""
    for name, method in (("first", "ssgan"), (EVIL, "ssgan"), ("labelled", "conditional")):
        save_run(folder / "runs" / name, method)
        write_logs(folder / "runs" / name)
    (folder / "secret.txt").write_text(CANARY)
    return folder / "runs"


@contextmanager
def serve(root: Path, host: str = "127.0.0.1"):
    """Serve a folder; yields the port."""
    listening = open_socket(host, 0)
    site = build_site(root)
    server = build_server(build_app(site), Access(host, TOKEN), site.live.close)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        site.stop()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 10)


def read_all(link: socket.socket) -> bytes:
    """Everything until the server closes or cuts the connection."""
    found = b""
    with suppress(ConnectionError, TimeoutError):
        while part := link.recv(65536):
            found += part
    return found


def talk(port: int, request: bytes) -> bytes:
    """The whole answer to raw bytes."""
    with connect(port) as link:
        with suppress(ConnectionError):  # refused before all was sent
            link.sendall(request)
        return read_all(link)


def ask(port: int, path: str, method: str = "GET", body: bytes = b"", **headers: str | None):
    """Status, headers and body of a request; a header that is None is left out."""
    host = f"127.0.0.1:{port}"
    sent: dict[str, str | None] = {"host": host, "connection": "close"}
    if method == "POST":
        sent |= {"origin": f"http://{host}", "content-type": "application/json"}
        sent["content-length"] = str(len(body))
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in sent.items() if value is not None]
    answer = talk(port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    head, _, content = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    found = dict(line.lower().split(": ", 1) for line in rest)
    return int(first.split()[1]), found, content


def get_json(port: int, path: str):
    status, _, content = ask(port, f"/{TOKEN}/api/{path}")
    return status, json.loads(content)


def post_json(port: int, path: str, content: object):
    status, _, answer = ask(port, f"/{TOKEN}/api/{path}", "POST", json.dumps(content).encode())
    return status, json.loads(answer)


def wait_for_job(port: int, job: dict) -> dict:
    while job["state"] in ("waiting", "running"):
        time.sleep(0.02)
        _, job = get_json(port, f"jobs/{job['id']}")
    return job


def read_rows(port: int) -> dict[str, dict]:
    """The rows of the first event, by name."""
    with connect(port) as link:
        head = f"GET /{TOKEN}/api/events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n"
        link.sendall(head.encode())
        found = b""
        while b"\n\n" not in found.partition(b"event: runs")[2]:
            found += link.recv(65536)
    data = found.partition(b"event: runs\n")[2].partition(b"data: ")[2].partition(b"\n\n")[0]
    text = b"".join(line for line in data.split(b"\r\n") if not _is_size(line))
    return {row["name"]: row for row in json.loads(text)["changed"]}


def _is_size(line: bytes) -> bool:
    """Whether a line is the size of a chunk."""
    return len(line) < 6 and all(byte in b"0123456789abcdef" for byte in line)
