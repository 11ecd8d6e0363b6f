"""Who may speak to the page, and how much: raw requests over a socket."""

import os
import resource
import socket
import sys
import time
from pathlib import Path

import pytest

from ssgan.types import UserError
from ssgan.web import security, server
from ssgan.web.security import Access, choose_access
from tests.web.pages import CANARY, PNG, TOKEN, ask, connect, read_all, serve, talk

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def resident() -> int:
    """Bytes of memory of this process, in which the server runs."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@linux
def test_the_page_is_served_to_this_machine_alone(port):
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
    assert f"0100007F:{port:04X}" in listening
    assert f"00000000:{port:04X}" not in listening
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), 5)


@linux
def test_other_addresses_need_a_host_and_a_token(folder):
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.com"):
        with pytest.raises(UserError, match="give --token"):
            choose_access(host, None)
        assert choose_access(host, "random").token != choose_access(host, "random").token
    for weak in ("", "short", "with a space in it", "a/../../../../../b", "x" * 200):
        with pytest.raises(UserError, match="16 to 128"):
            choose_access("127.0.0.1", weak)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert len(choose_access(host, None).token) >= 32
    with (
        serve(folder, "0.0.0.0") as open_port,
        socket.create_connection(("127.0.0.2", open_port), 5) as link,
    ):
        link.sendall(f"GET / HTTP/1.1\r\nhost: 127.0.0.2:{open_port}\r\n\r\n".encode())
        assert link.recv(100).startswith(b"HTTP/1.1 403 ")


def test_no_path_is_served_without_the_token(port):
    for path in ("/", "/api/events", f"/{TOKEN}", f"/{TOKEN}x/", f"/x{TOKEN}/", f"/api/{TOKEN}/",
                 "/docs", "/openapi.json", "/static/app.js", f"/?token={TOKEN}"):  # fmt: skip
        assert ask(port, path)[0] == 403, path
    assert ask(port, f"/{TOKEN}/")[0] == 200
    for path in ("docs", "redoc", "openapi.json"):  # the pages of FastAPI load from elsewhere
        assert ask(port, f"/{TOKEN}/{path}")[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1.evil.example"},
        {"host": None},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "http://localhost:{port}"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_host_or_site_gets_403_and_no_header_that_lets_it_read(port, method, headers):
    known = {name: value and value.format(port=port) for name, value in headers.items()}
    path = f"/{TOKEN}/api/model" if method == "POST" else f"/{TOKEN}/"
    status, found, _ = ask(port, path, method, b"{}" if method == "POST" else b"", **known)
    assert status in ((403, 400) if known.get("host", "") is None else (403,))
    assert not [name for name in found if name.startswith("access-control")]


def test_a_post_needs_an_origin_and_no_form_can_send_one(port):
    path = f"/{TOKEN}/api/model"
    assert ask(port, path, "POST", b"{}", origin=None)[0] == 403
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None):
        assert ask(port, path, "POST", b"a=1", content_type=kind)[0] == 403, kind
    assert ask(port, path, "POST", b"{}")[0] == 422  # it got through, and lacks a run
    assert ask(port, path, "OPTIONS", origin="http://evil.example")[0] == 403
    assert ask(port, path, "DELETE")[0] == 405


def traversals():
    """40 ways to name a file outside."""
    ups = [
        "../",
        "..%2f",
        "%2e%2e/",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "....//",
        "..%252f",
        "..;/",
        "%c0%ae%c0%ae/",
    ]
    places = [
        "static/{}secret.txt",
        "api/runs/{}secret.txt/details",
        "{}secret.txt",
        "api/image/{}secret.txt/newest/0",
    ]
    return [place.format(4 * up) for place in places for up in ups]


def test_no_file_outside_the_runs_is_served(port, rows, folder):
    run = rows["first"]["id"]
    sheets = folder / "first" / "samples"
    sheets.mkdir(exist_ok=True)
    (sheets / "step-00000007.png").symlink_to(folder.parent / "secret.txt")
    paths = [*traversals(), f"api/runs/{run}/sheets/7", "static//etc/passwd", "static/%00"]
    paths += ["static/../app.py", f"api/runs/{run}/sheets/..%2f..%2fconfig.json", "static/app.py"]
    assert len(paths) >= 45
    for path in paths:
        status, _, content = ask(port, f"/{TOKEN}/{path}")
        assert status in (400, 403, 404, 422), path
        assert CANARY.encode() not in content
        assert b"root:" not in content
    (sheets / "step-00000007.png").unlink()
    (sheets / "step-00000008.png").write_bytes(PNG + b"rest")
    assert ask(port, f"/{TOKEN}/api/runs/{run}/sheets/8")[2] == PNG + b"rest"
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "step-00000005.png").write_bytes(PNG + CANARY.encode())
    (folder / "labelled" / "samples").symlink_to(outside)
    labelled = rows["labelled"]["id"]
    assert ask(port, f"/{TOKEN}/api/runs/{labelled}/sheets/5")[0] == 404
    (sheets / "step-00000009.png").write_text(CANARY)
    assert ask(port, f"/{TOKEN}/api/runs/{run}/sheets/9")[0] == 404
    for number in (8, 9):
        (sheets / f"step-{number:08d}.png").unlink()
    (folder / "labelled" / "samples").unlink()


def head_of(port: int, path: str, *lines: str) -> bytes:
    host = f"127.0.0.1:{port}"
    first = f"POST /{TOKEN}{path} HTTP/1.1"
    usual = [f"host: {host}", f"origin: http://{host}", "content-type: application/octet-stream"]
    return "\r\n".join([first, *usual, *lines, "", ""]).encode()


@linux
def test_bodies_and_heads_are_bounded_and_memory_stays(port):
    before = resident()
    gigabyte = head_of(port, security.UPLOAD_PATH, f"content-length: {10**9}")
    assert talk(port, gigabyte + b"x" * 10**6).startswith(b"HTTP/1.1 413 ")
    endless = head_of(port, security.UPLOAD_PATH, "transfer-encoding: chunked")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    assert talk(port, endless + 200 * chunk).startswith(b"HTTP/1.1 413 ")
    small = head_of(port, "/api/model", f"content-length: {2**17}")
    assert talk(port, small).startswith(b"HTTP/1.1 413 ")
    of_get = f"GET /{TOKEN}/ HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n"
    assert talk(port, of_get.encode()).startswith(b"HTTP/1.1 413 ")
    many = "".join(f"x-{number}: y\r\n" for number in range(10_000))
    heads = f"GET /{TOKEN}/ HTTP/1.1\r\nhost: 127.0.0.1\r\n{many}\r\n"
    assert talk(port, heads.encode())[:12] in (b"HTTP/1.1 431", b"HTTP/1.1 400")
    assert resident() - before < 50 * 2**20


def test_slow_clients_are_cut(folder, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(server, "WRITE_SECONDS", 0.2)
    monkeypatch.setattr(security, "BODY_SECONDS", 0.2)
    sheets = folder / "first" / "samples"
    sheets.mkdir(exist_ok=True)
    (sheets / "step-00000010.png").write_bytes(PNG + bytes(24 * 2**20))
    with serve(folder) as port:
        with connect(port) as link:
            link.sendall(b"GET / HTTP/1.1\r\nhost:")
            assert read_all(link).startswith(b"HTTP/1.1 408 ")
        with connect(port) as link:  # the second head of a connection
            path = f"/{TOKEN}/static/icon.svg"
            link.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
            time.sleep(0.05)
            link.sendall(b"GET ")
            assert b"HTTP/1.1 408 " in read_all(link)
        with connect(port) as link:
            link.sendall(head_of(port, security.UPLOAD_PATH, "content-length: 100") + b"x")
            assert read_all(link).startswith(b"HTTP/1.1 408 ")
        run = _only_run(port)
        with connect(port) as link:  # it asks for 24 MiB and takes none
            path = f"/{TOKEN}/api/runs/{run}/sheets/10"
            link.sendall(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
            time.sleep(1.0)
            assert len(read_all(link)) < 24 * 2**20
    (sheets / "step-00000010.png").unlink()


def _only_run(port: int) -> str:
    from tests.web.pages import read_rows

    return read_rows(port)["first"]["id"]


@linux
def test_two_hundred_connections_are_not_kept_and_the_page_still_answers(folder):
    with serve(folder) as port:
        before = resident()
        links = [connect(port) for _ in range(200)]
        time.sleep(0.3)
        for link in links:
            link.setblocking(False)
        refused = [link for link in links if _was_refused(link)]
        assert len(refused) >= 200 - server.MOST_CONNECTIONS
        for link in links:
            link.close()
        time.sleep(0.2)
        assert ask(port, f"/{TOKEN}/")[0] == 200
        assert resident() - before < 50 * 2**20


def _was_refused(link: socket.socket) -> bool:
    try:
        return link.recv(100).startswith(b"HTTP/1.1 503 ")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_an_open_page_neither_delays_the_end_nor_makes_it_loud(folder, capfd):
    with serve(folder) as port:
        link = connect(port)
        head = f"GET /{TOKEN}/api/events HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n"
        link.sendall(head.encode())
        while b"event: runs" not in link.recv(65536):
            pass
        start = time.monotonic()
    assert read_all(link).endswith(b"0\r\n\r\n")  # the response has an end
    link.close()
    assert time.monotonic() - start < 10  # pages.serve waits so long
    assert capfd.readouterr().err == ""


def test_a_second_upload_waits_outside(port):
    with connect(port) as first:
        first.sendall(head_of(port, security.UPLOAD_PATH, "content-length: 1000") + b"x")
        time.sleep(0.1)
        second = head_of(port, security.UPLOAD_PATH, "content-length: 10") + b"0123456789"
        assert talk(port, second).startswith(b"HTTP/1.1 429 ")


@pytest.mark.parametrize("path", ["", "static/app.js", "api/folder", "api/nothing", "static/none"])
def test_every_answer_forbids_foreign_scripts_and_guesses_of_its_type(port, path):
    _, headers, _ = ask(port, f"/{TOKEN}/{path}")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_the_token_is_in_no_log_and_in_no_answer(port, rows, capfd):
    requests = ["", "api/nothing", f"api/runs/{rows['first']['id']}/sheets/999"]
    answers = [ask(port, f"/{TOKEN}/{path}")[2] for path in requests]
    answers.append(ask(port, f"/{TOKEN}/", host="evil.example")[2])
    talk(port, f"GET /{TOKEN}/ HTTP/9.9\r\n\r\n".encode())
    assert not any(TOKEN.encode() in answer for answer in answers)
    printed = capfd.readouterr()
    assert TOKEN not in printed.out + printed.err


def test_hosts_of_an_open_address_are_numbers_or_its_own_name():
    everywhere, named = Access("0.0.0.0", TOKEN), Access("box.local", TOKEN)
    assert everywhere.allows_host("192.168.1.7")
    assert everywhere.allows_host("[fe80::1]")
    assert not everywhere.allows_host("evil.example")
    assert named.allows_host("box.local")
    assert not named.allows_host("192.168.1.7")
    assert not Access("127.0.0.1", TOKEN).allows_host("192.168.1.7")
    assert os.environ.get("SSGAN_OFFLINE") != "1"  # a page of a test changes no environment
