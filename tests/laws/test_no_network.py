"""No verb connects anywhere, and none starts a program but git, unless a user asks for a download.

Nor does a run's directory hold a secret of the environment.

A child process runs the verbs and records every attempt, by Python's audit events.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

SECRET = "hf_" + "s3cr3t" * 6

RECORD = """
import json, sys

NETWORK = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
           "socket.sendto", "urllib.Request", "http.client.connect", "ftplib.connect"}
PROGRAMS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"}
attempts = []


def record(event, arguments):
    if event in NETWORK:
        attempts.append(f"{event} {arguments[1:]}")
    if event in PROGRAMS:
        program = str(arguments[0])
        attempts.append(program.rpartition("/")[2])


sys.addaudithook(record)
"""

VERBS = """
from pathlib import Path
import torch
from ssgan.cli.doctor import self_test
from ssgan.cli.main import main
from tests.cli.test_main import TINY

torch.set_num_threads(1)
self_test._MOST_SECONDS = 600.0
run = str(Path(sys.argv[1]) / "run")
data = "scenes:num_images=120"
for words in (
    ["train", "scenes:ssgan", "--data", data, "--run", run, *TINY],
    ["sample", run],
    ["show", run],
    ["export", run],
    ["show", run, run],
    ["show", run, "--csv"],
    ["report", run],
    ["runs", sys.argv[1]],
    ["doctor"],
    ["evaluate", run, "--against", data, "--features", "random", "--n", "32", "--seeds", "1"],
    ["data", "prepare", data],
    ["probe", run, "--data", data],
    ["features", run, "--data", data, "--out", str(Path(sys.argv[1]) / "features.npz")],
    ["study", "table1", "--dry-run", "--data", data],
):
    code = main(words)
    assert code == 0, (words, code)
"""

REPORT = "\nprint(json.dumps(attempts))\n"


def attempts(script: str, folder: Path) -> list[str]:
    """What the child tried to reach or to start."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RECORD + script + REPORT, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "SSGAN_CACHE": str(folder / "cache"),
            "HF_TOKEN": SECRET,
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_no_verb_connects_starts_a_program_but_git_or_stores_a_secret(tmp_path: Path) -> None:
    assert set(attempts(VERBS, tmp_path)) <= {"git"}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 20
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def test_an_attempt_would_be_seen(tmp_path: Path) -> None:
    planted = """
import socket, subprocess
try:
    socket.create_connection(("127.0.0.1", 9), 0.1)
except OSError:
    pass
subprocess.run(["true"])
"""
    found = attempts(planted, tmp_path)
    assert any(attempt.startswith("socket.connect") for attempt in found)
    assert "true" in found
