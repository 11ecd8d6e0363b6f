"""`ssgan web`: what it refuses in one line, and the address that it prints."""

import socket
import sys

import pytest

from ssgan.cli.main import main
from ssgan.cli.web import serve


@pytest.fixture(autouse=True)
def _no_lasting_change(monkeypatch):
    monkeypatch.setattr(serve, "lower_priority", lambda by: None)
    monkeypatch.setenv("SSGAN_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["absent"], "absent is no folder: give the folder that holds your runs"),
        (["--host", "0.0.0.0"], "serves the page to other machines: give --token random too"),
        (["--token", "short"], "--token must have 16 to 128 letters"),
        (["--port", "70000"], "--port must be at most 65,535"),
        (["--host", "203.0.113.9", "--token", "random", "--port", "0"], "cannot be served"),
    ],
)
def test_what_cannot_be_served_is_one_line(words, said, tmp_path, monkeypatch, capsys):
    pytest.importorskip("fastapi", reason="the page needs the extra [web]")
    monkeypatch.chdir(tmp_path)
    assert main(["web", *words]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_a_missing_library_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["web"]) == 2
    assert "pip install 'ssgan[web]'" in capsys.readouterr().err


def test_the_address_is_printed_with_a_token_and_ctrl_c_ends_the_page(
    tmp_path, monkeypatch, capsys
):
    uvicorn = pytest.importorskip("uvicorn", reason="the page needs the extra [web]")
    served = []

    def interrupt(self, sockets):
        served.extend(one.getsockname() for one in sockets)
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", interrupt)
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["web", "--port", str(port)]) == 2
    assert main(["web", "--port", "0"]) == 0
    out = capsys.readouterr().out
    (host, port), *_ = served
    assert host == "127.0.0.1"
    assert f"http://127.0.0.1:{port}/" in out
    assert len(out.split("/")[3]) >= 32
