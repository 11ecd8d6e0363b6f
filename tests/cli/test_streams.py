"""Lines for people end nothing: a reader who has gone, a full disk, a name that is no text."""

import errno
import os
import subprocess
import sys

import pytest

from ssgan.cli import progress
from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from ssgan.types import UserError
from tests.cli.test_main import TINY

READING = ["--version", "--help", "show --help", "train --help", "study"]


@pytest.fixture
def gone():
    """A file whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as file:
        yield file


@pytest.fixture
def full():
    """A file on a full disk."""
    with open("/dev/full", "w", buffering=1) as file:
        yield file


def put(monkeypatch, out=None, err=None):
    for name, file in (("stdout", out), ("stderr", err)):
        if file is not None:
            monkeypatch.setattr(sys, name, file)


def training(root):
    return ["train", "scenes:gan", "--data", "scenes:num_images=40", "--run", str(root), *TINY]


@pytest.mark.parametrize("lost", ["gone", "full"])
def test_a_run_goes_on_to_its_end_when_nobody_can_read_its_lines(
    lost, tmp_path, monkeypatch, gone, full
):
    """A line a step, which would be the first to fail long before the end."""
    monkeypatch.setattr(progress, "_PLAIN_SECONDS", 0.0)
    put(monkeypatch, gone, gone if lost == "gone" else full)
    words = training(tmp_path / "run")
    assert main([*words, "--output.checkpoint_every", "100"]) == 0
    assert RunDirectory(tmp_path / "run").checkpoint(2).exists()


def test_a_refusal_keeps_its_code_when_nobody_can_read_it(monkeypatch, gone, full):
    put(monkeypatch, err=gone)
    assert main(["tain"]) == 2
    put(monkeypatch, err=full)
    assert main(["train"]) == 2


@pytest.mark.parametrize("words", READING)
def test_a_reader_who_had_read_enough_is_no_failure(words, monkeypatch, gone):
    put(monkeypatch, out=gone)
    assert main(words.split()) == 0


@pytest.mark.parametrize("words", READING)
def test_a_full_disk_behind_the_output_is_said_of_the_output(words, monkeypatch, capsys, full):
    put(monkeypatch, out=full)
    assert main(words.split()) == 74
    assert capsys.readouterr().err == (
        "ssgan: standard output cannot be written: No space left on device; all else is done\n"
    )


def test_at_its_end_the_process_has_nothing_left_that_could_fail(full):
    """Python itself writes what is buffered when it ends, and says so when it cannot."""
    words = [sys.executable, "-m", "ssgan", "--version"]
    ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE)
    assert ended.returncode == 74
    assert ended.stderr.count(b"\n") == 1
    assert ended.stderr.startswith(b"ssgan: standard output cannot be written")


def test_a_broken_pipe_elsewhere_is_no_success(monkeypatch, capsys):
    def fails(argv):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr("ssgan.cli.show.main", fails)
    assert main(["show", "run"]) == 2
    assert "Broken pipe" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_written_so_that_it_can_be_read(tmp_path, monkeypatch):
    """To a stdout that takes nothing but UTF-8."""
    root = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    with open(tmp_path / "out", "w", encoding="utf-8", errors="strict") as out:
        put(monkeypatch, out=out)
        assert main(training(root)) == 0
        assert main(["show", root, "--curves", f"{root}/curves.png"]) == 0
        assert main(["sample", root, "--n", "2"]) == 0
        against = [
            "--against",
            "scenes:num_images=40",
            "--features",
            "random",
            "--n",
            "20",
            "--seeds",
            "1",
        ]
        assert main(["evaluate", root, *against, "--metrics", "fd"]) == 0
    said = (tmp_path / "out").read_text(encoding="utf-8")
    assert f"run directory: {tmp_path}/caf\\xe9\n" in said
    assert "\\udce9" not in said
    for what in ("samples", "curves", "checkpoint", "written to"):
        assert any(what in line and "caf\\xe9" in line for line in said.splitlines()), what


def test_no_name_from_a_file_can_move_the_cursor_or_hide_text(tmp_path, monkeypatch):
    monkeypatch.setattr("ssgan.cli.show.main", lambda given: print("a\tb\x1b[2J\r\u202ec\né") or 0)
    with open(tmp_path / "out", "w", encoding="utf-8") as out:
        put(monkeypatch, out=out)
        assert main(["show", "run"]) == 0
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a\tb\\u001b[2J\\u000d\\u202ec\né\n"


def test_a_refusal_is_one_line_without_control_characters(monkeypatch, capsys):
    def fails(given):
        raise UserError("no class 'a\nb\x1b[2J'")

    monkeypatch.setattr("ssgan.cli.show.main", fails)
    assert main(["show", "run"]) == 2
    assert capsys.readouterr().err == "ssgan: no class 'a\\u000ab\\u001b[2J'\n"


WITHOUT_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
EVERY_VERB = """
import sys
from ssgan.cli.main import main
from tests.cli.test_main import TINY

run, images = sys.argv[1], "scenes:num_images=40"
commands = [
    ["train", "scenes:ssgan", "--data", images, "--run", run, *TINY],
    ["train", run, "--total_steps", "3"],
    ["show", run, "--curves", run + "/" + sys.argv[2] + ".png"],
    ["sample", run, "--n", "2", "--gif"],
    ["evaluate", run, "--against", images, "--features", "random", "--n", "8", "--seeds", "1"],
    ["features", run, "--data", images, "--out", run + "/" + sys.argv[2] + ".npz"],
    ["probe", run, "--data", "scenes:num_images=120", "--pooling", "mean", "--fractions", "1"],
]
sys.stderr.write(f"codes {[main(words) for words in commands]}")
"""


def without_utf8(code, *words):
    """What a child process writes that can encode only ASCII."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(os.fsencode, words)],
        env={**os.environ, **WITHOUT_UTF8},
        capture_output=True,
        check=False,
    )


def test_names_keep_their_bytes_and_other_characters_are_escaped_where_there_is_only_ascii():
    code = (
        "import sys; from ssgan.cli.streams import tolerate_lost_output\n"
        "with tolerate_lost_output(): print(sys.argv[1], chr(228), sys.argv[1])"
    )
    done = without_utf8(code, "Läufe")
    assert done.stdout.decode("utf-8") == "Läufe \\xe4 Läufe\n", done.stderr.decode()


@pytest.mark.slow
def test_every_verb_takes_any_name_where_there_is_only_ascii(tmp_path, monkeypatch):
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "Zwischenspeicher-ä"))
    done = without_utf8(EVERY_VERB, str(tmp_path / "Läufe-日本"), "ö")
    assert b"codes [0, 0, 0, 0, 0, 0, 0]" in done.stderr, done.stderr.decode(errors="replace")
    table = (tmp_path / "Läufe-日本" / "probe" / "probe.txt").read_text(encoding="utf-8")
    assert "Läufe-日本" in table
    assert (tmp_path / "Läufe-日本" / "ö.npz").exists()
