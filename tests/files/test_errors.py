"""What the system refuses is said in words of the file, the reason and the way out."""

import errno
import os
import resource
from pathlib import Path

import pytest

from ssgan.cli.main import main
from ssgan.files.atomic import DiskFull
from ssgan.files.errors import translate_file_errors
from ssgan.types import UserError

REASONS = {
    errno.EROFS: "Read-only file system: give a directory on another disk",
    errno.ENAMETOOLONG: "File name too long: most systems allow 255 bytes in a name",
    errno.EMFILE: "Too many open files: this process may open no more (ulimit -n)",
    errno.ENFILE: "Too many open files in system: the whole system has too many open",
    errno.EACCES: "Permission denied",
}


@pytest.mark.parametrize("number", REASONS)
def test_each_reason_has_its_own_words(number, tmp_path):
    path = tmp_path / "log.jsonl"
    with pytest.raises(UserError) as refusal, translate_file_errors(tmp_path):
        raise OSError(number, os.strerror(number), str(path))
    assert str(refusal.value).startswith(f"{path} cannot be written or read: {REASONS[number]}")


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk full: "), (errno.EDQUOT, "quota used up: "), (errno.EFBIG, "file too ")],
)
def test_a_full_disk_a_quota_and_a_limit_are_told_apart(number, words, tmp_path):
    with pytest.raises(DiskFull, match=f"^{words}"), translate_file_errors(tmp_path):
        raise OSError(number, os.strerror(number), str(tmp_path / "log.jsonl"))


def test_a_name_that_is_too_long_is_one_line(tmp_path, capsys):
    for command in (["train", "scenes:gan", "--run"], ["show"], ["sample"]):
        assert main([*command, str(tmp_path / ("n" * 300))]) == 2
        error = capsys.readouterr().err.strip()
        assert "File name too long" in error
        assert len(error.splitlines()) == 1


def open_endlessly(held):
    with translate_file_errors(Path(os.devnull)):
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))


def test_too_many_open_files_are_said():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        with pytest.raises(UserError, match=r"ulimit -n"):
            open_endlessly(held)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
