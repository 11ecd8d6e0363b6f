"""The Hub is reached by its library alone, at a server on this machine; no token is shown."""

import base64
import json
import logging
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlparse

import pytest

from ssgan.runs.hub import (
    Repository,
    _one_line,
    download_model,
    parse_repository,
    push_folder,
)
from ssgan.runs.model_file import load_model, save_model
from ssgan.types import UserError
from tests.export.small import build_model
from tests.training.harness import run_code

pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.slow
TOKEN = "hf_" + "s3cr3t" * 6
COMMIT = "ab" * 20


class Hub(BaseHTTPRequestHandler):
    """What of the Hub a download of one file and an upload of a folder need."""

    def __init__(self, files, requests, *arguments):
        self.files, self.requests = files, requests
        super().__init__(*arguments)

    def log_message(self, *_):
        """Stay silent."""

    def answer(self, code, body=b"", **headers):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlparse(self.path).path
        self.requests.append((self.command, path, self.headers.get("Authorization")))
        if path.startswith("/private/"):
            text = f"who are you, {self.headers.get('Authorization')}?"
            self.answer(401, text.encode(), X_Error_Message=text)
        elif "/resolve/" in path:
            self.send_file(path)
        elif path == "/api/repos/create":
            name = json.loads(body)["name"]
            self.answer(200, json.dumps({"url": f"{self.url}/me/{name}"}).encode())
        elif path.endswith("/preupload/main"):
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self.answer(200, json.dumps({"files": files}).encode())
        elif path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            facts = {
                "success": True,
                "commitUrl": f"{self.url}/me/mine/commit/{COMMIT}",
                "commitOid": COMMIT,
            }
            self.answer(200, json.dumps(facts).encode())
        else:
            self.answer(
                200, b'{"siblings": [], "id": "me/mine", "sha": "' + COMMIT.encode() + b'"}'
            )

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def send_file(self, path):
        _, _, rest = path.partition("/resolve/")
        revision, _, name = rest.partition("/")
        if revision not in ("main", "v1", COMMIT):
            self.answer(404, X_Error_Code="RevisionNotFound")
        elif not path.startswith("/me/mine/"):
            self.answer(404, X_Error_Code="RepoNotFound")
        elif name not in self.files:
            self.answer(404, X_Error_Code="EntryNotFound")
        else:
            self.answer(200, self.files[name], ETag='"abc"', X_Repo_Commit=COMMIT)


@pytest.fixture
def hub():
    """The files of the repository me/mine, the requests, and the address."""
    files, requests = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, files, requests)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield files, requests, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def call(address, folder, code, **others):
    """A process that has this hub, a token and a cache of its own; its output."""
    variables = {
        "HF_ENDPOINT": address,
        "HF_HOME": str(folder / "hf"),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
        **others,
    }
    done = run_code(code, (), folder, variables, late="huggingface_hub")
    assert TOKEN not in done.stdout + done.stderr
    return done


LOAD = "import ssgan; model = ssgan.load({!r}); print(model.step, model.sample(1).shape)"
LINES = """
import sys, ssgan
from ssgan.types import UserError
for source in {!r}:
    try:
        ssgan.load(source)
    except UserError as error:
        print(error)
"""
MISSING = {
    "me/other": "me/other on the Hub: no such repository, or it is private: `hf auth login`; "
    "nor is there such a path here",
    "me/mine@v9": "me/mine on the Hub: it has no such revision",
    "me/mine": "me/mine on the Hub: it holds no model.safetensors",
    "private/one": "private/one on the Hub: ",
}


def test_a_model_is_downloaded_once_at_its_revision(hub, tmp_path):
    files, requests, address = hub
    save_model(tmp_path / "m.safetensors", build_model())
    files["model.safetensors"] = (tmp_path / "m.safetensors").read_bytes()
    done = call(address, tmp_path, LOAD.format("me/mine@v1"))
    assert done.stdout == "7 (1, 32, 32, 3)\n", done.stderr
    paths = {path for _, path, _ in requests if not path.startswith("/api/")}
    assert paths == {"/me/mine/resolve/v1/model.safetensors"}
    done = call(address, tmp_path, LOAD.format("hub:me/mine@v1"), HF_HUB_OFFLINE="1")
    assert done.stdout == "7 (1, 32, 32, 3)\n", done.stderr  # from the cache


def test_what_is_not_there_is_one_line_each(hub, tmp_path):
    _, _, address = hub
    done = call(address, tmp_path, LINES.format(list(MISSING)))
    lines = done.stdout.splitlines()
    for line, words in zip(lines, MISSING.values(), strict=True):
        assert line.startswith(words)


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "SSGAN_OFFLINE"])
def test_offline_it_is_one_line(name, tmp_path):
    done = call("http://127.0.0.1:9", tmp_path, LINES.format(["me/mine"]), **{name: "1"})
    (line,) = done.stdout.splitlines()
    assert "me/mine" in line
    assert name in line


PUSH = """
from pathlib import Path
from ssgan.runs.hub import push_folder
from ssgan.types import UserError
try:
    print(push_folder(Path({!r}), ["model.safetensors", "README.md"], "me/mine"))
except UserError as error:
    print(error)
"""


def test_the_files_of_the_export_are_uploaded_and_no_others(hub, tmp_path):
    files, requests, address = hub
    folder = tmp_path / "out"
    folder.mkdir()
    save_model(folder / "model.safetensors", build_model())
    for name in ("README.md", "notes.txt", ".lock"):
        (folder / name).write_text(f"this is {name}")
    done = call(address, tmp_path, PUSH.format(str(folder)))
    assert done.stdout == f"{address}/me/mine\n", done.stderr
    assert sorted(files) == ["README.md", "model.safetensors"]
    assert files["README.md"] == b"this is README.md"
    (tmp_path / "back.safetensors").write_bytes(files["model.safetensors"])
    assert load_model(tmp_path / "back.safetensors").step == 7
    assert {token for _, _, token in requests} <= {f"Bearer {TOKEN}", None}


def test_a_model_pushes_itself(hub, tmp_path):
    files, _, address = hub
    save_model(tmp_path / "m.safetensors", build_model())
    code = (
        f"import ssgan; model = ssgan.load({str(tmp_path / 'm.safetensors')!r}); "
        "model.push_to_hub('me/mine'); again = ssgan.Model.from_pretrained('me/mine'); "
        "print((again.sample(2) == model.sample(2)).all())"
    )
    done = call(address, tmp_path, code)
    assert done.stdout == "True\n", done.stderr
    assert list(files) == ["model.safetensors"]


def test_a_refused_upload_is_one_line_without_the_token(hub, tmp_path):
    _, _, address = hub
    done = call(f"{address}/private", tmp_path, PUSH.format(str(tmp_path)))
    (line,) = done.stdout.splitlines()
    assert line.startswith("me/mine on the Hub: ")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("me/mine", Repository("me/mine")),
        ("me/mine@v1.0", Repository("me/mine", "v1.0")),
        ("hub:here/mine", Repository("here/mine")),
        ("here/mine", None),
        ("me", None),
        ("me/mine/more", None),
        ("../mine", None),
        ("/me/mine", None),
    ],
)
def test_names_differ_from_paths(source, found, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_repository(source) == found


def test_a_missing_library_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"huggingface_hub: pip install 'ssgan\[hub\]'"):
        download_model(Repository("me/mine"))
    with pytest.raises(UserError, match=r"huggingface_hub: pip install 'ssgan\[hub\]'"):
        push_folder(tmp_path, [], "me/mine")
    with pytest.raises(UserError, match="must be OWNER/NAME"):
        push_folder(tmp_path, [], "mine")
    with pytest.raises(UserError, match="must be like hub:OWNER/NAME"):
        parse_repository("hub:mine")


QUIET = """
import logging
from ssgan.runs.hub import _library, _one_line
library = _library("me/mine")
with _one_line("me/mine"):
    library.hf_hub_download
    print(logging.getLogger("huggingface_hub.utils._http").isEnabledFor(logging.WARNING))
"""


def test_they_are_left_out_of_the_first_download_too(tmp_path):
    """The library is imported piece by piece, and one of them sets the level of its logger."""
    done = call("http://127.0.0.1:9", tmp_path, QUIET)
    assert done.stdout == "False\n", done.stderr


def test_lines_of_the_library_about_retries_are_left_out():
    logger = logging.getLogger("huggingface_hub.utils._http")

    def read():
        with _one_line("me/mine"):
            raise ConnectionError(str(logger.isEnabledFor(logging.WARNING)))

    said = logger.isEnabledFor(logging.WARNING)
    with pytest.raises(UserError, match="me/mine on the Hub: ConnectionError: False"):
        read()
    assert logger.isEnabledFor(logging.WARNING) == said
