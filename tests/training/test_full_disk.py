"""The real command on a disk that is full: exit code 74, one line, and the last save stands."""

import contextlib
import ctypes
import os
import re
import resource
import sys

import pytest
import torch

from ssgan.cli.main import main
from ssgan.files.atomic import TEMPORARY
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from tests.training.harness import fork, wait
from tests.training.tiny import digest_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux" or torch.accelerator.is_available(),
        reason="a limit on files, or a small disk, of a forked child",
    ),
]

SETTINGS = [
    *("--data", "scenes:num_images=40", "--device", "cpu", "--precision", "float32"),
    *(
        "--generator.width",
        "0.015625",
        "--discriminator.width",
        "0.0625",
        "--batch_size",
        "8",
        "--evaluate.every",
        "0",
    ),
    *("--output.log_every", "1", "--output.checkpoint_every", "1", "--output.sample_every", "0"),
    *("--output.tensorboard", "false"),
]
LIMIT, DISK = 200_000, 800_000  # bytes: of a file, and of a disk
NEWNS, NEWUSER = 0x20000, 0x10000000  # of Linux's unshare


def command(root, cache, steps):
    """A run whose checkpoints take 0.3 MB."""
    words = ["train", "scenes:ssgan", "--run", str(root), "--cache", str(cache), *SETTINGS]
    return [*words, "--total_steps", str(steps)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def expected(root, cache):
    assert main(command(root, cache, 3)) == 0
    return digest_of(checkpoint.load_newest(RunDirectory(root))[0])


def test_a_limit_of_200_kb_ends_with_74_and_the_bytes_needed(cache, tmp_path):
    wanted = expected(tmp_path / "whole", cache)
    layout, said = RunDirectory(tmp_path / "run"), tmp_path / "said"
    assert main(command(layout.root, cache, 1)) == 0
    size = layout.checkpoint(1).stat().st_size
    assert size > LIMIT

    def limited():
        with said.open("w") as sys.stderr:
            resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
            return main(command(layout.root, cache, 3))

    assert wait(fork(limited)) == 74
    last = said.read_text().splitlines()[-1]
    assert last == (
        f"ssgan: file too large: {layout.checkpoint(2)} needs {size:,} bytes, and a file may have "
        f"{LIMIT:,} here (ulimit -f)"
    )
    assert not list(layout.root.rglob(TEMPORARY.format("*")))
    assert checkpoint.load_newest(layout)[0].step == 1
    assert main(command(layout.root, cache, 3)) == 0
    assert digest_of(checkpoint.load_newest(layout)[0]) == wanted


def mount_small(folder):
    """Mount a disk of 0.8 MB in this process alone; False where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEWNS) and libc.unshare(NEWNS | NEWUSER):
        return False
    libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None)  # MS_REC, MS_PRIVATE: unseen outside
    size = f"size={DISK}".encode()
    return libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, size) == 0


def test_a_small_disk_ends_with_74_and_the_bytes_needed_and_free(cache, tmp_path):
    """It holds two checkpoints of 0.3 MB and no third beside them."""
    disk, said = tmp_path / "disk", tmp_path / "said"
    disk.mkdir()
    layout = RunDirectory(disk / "run")
    wanted = expected(tmp_path / "whole", cache)

    def small():
        if not mount_small(disk):
            return 200
        with said.open("w") as file, contextlib.redirect_stderr(file):
            assert main(command(layout.root, cache, 3)) == 74
        assert not list(layout.root.rglob(TEMPORARY.format("*")))
        assert checkpoint.load_newest(layout)[0].step == 2
        layout.checkpoint(1).unlink()  # room for one more
        assert main(command(layout.root, cache, 3)) == 0
        assert digest_of(checkpoint.load_newest(layout)[0]) == wanted
        return 0

    code = wait(fork(small))
    if code == 200:
        pytest.skip("nobody may mount a disk here")
    assert code == 0
    last = said.read_text().splitlines()[-1]
    full = rf"ssgan: disk full: {layout.checkpoint(3)} needs ([\d,]+) bytes, but only ([\d,]+) are"
    needed, free = re.match(full, last).groups()
    assert int(needed.replace(",", "")) > int(free.replace(",", "")) >= 0
