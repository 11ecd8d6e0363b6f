"""Memory that runs out anywhere in a step costs that step, and nothing that is saved."""

import os
import subprocess
import sys

import pytest
import torch

from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.training import step
from tests.training.tiny import digest_of, rows_of

pytestmark = pytest.mark.slow

STEPS, AT = 5, 3  # the steps of a run; the one whose memory runs out
CALLS = 3  # backward passes a step: D's two updates and G's
SETTINGS = {
    "data": "scenes:num_images=40",
    "device": "cpu",
    "precision": "float32",
    "generator.width": "0.015625",
    "discriminator.width": "0.03125",
    "batch_size": "8",
    "discriminator_updates": "2",
    "total_steps": str(STEPS),
    "evaluate.every": "0",
    "output.log_every": "1",
    "output.checkpoint_every": "1",
    "output.sample_every": "0",
    "output.tensorboard": "false",
}
WIDE = {
    "generator.width": "0.25",
    "discriminator.width": "0.25",
    "batch_size": "256",
    "total_steps": "2",
}
ERRORS = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def command(root, cache, **changes):
    settings = {**SETTINGS, **changes}
    flags = [word for name, value in settings.items() for word in (f"--{name}", value)]
    return ["train", "scenes:ssgan", "--run", str(root), "--cache", str(cache), *flags]


@pytest.fixture(scope="module")
def digests(cache, tmp_path_factory):
    """The digest after every step of an undisturbed run."""
    root, found = tmp_path_factory.mktemp("undisturbed") / "run", {}
    for steps in range(1, STEPS + 1):
        assert main(command(root, cache, total_steps=str(steps))) == 0
        saved, _ = checkpoint.load_newest(RunDirectory(root))
        found[saved.step] = digest_of(saved)
    assert list(found) == list(range(1, STEPS + 1))
    return found


def fail_at(patch, call, error, after):
    """Raise in that backward pass, from 0, before its gradients are there or after."""
    real, passed = torch.autograd.backward, []

    def backward(*arguments, **named):
        passed.append(None)
        if len(passed) - 1 != call:
            return real(*arguments, **named)
        if after:
            real(*arguments, **named)
        raise error

    patch.setattr(step.torch.autograd, "backward", backward)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("update", range(CALLS))
def test_the_setting_is_named_no_half_update_is_saved_and_the_end_is_the_same(
    update, error, after, cache, digests, tmp_path, monkeypatch, capsys
):
    words = command(tmp_path / "run", cache)
    with monkeypatch.context() as patch:
        fail_at(patch, CALLS * (AT - 1) + update, error, after)
        assert main(words) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("ssgan: not enough memory for this; ")
    assert "--activation_checkpointing true" in said
    assert "--accumulation N" in said
    layout = RunDirectory(tmp_path / "run")
    saved, passed_over = checkpoint.load_newest(layout)
    assert (saved.step, passed_over) == (AT - 1, [])
    assert digest_of(saved) == digests[AT - 1]
    assert [row["step"] for row in rows_of(layout.log)] == list(range(1, AT))
    assert main(words) == 0
    saved, _ = checkpoint.load_newest(layout)
    assert digest_of(saved) == digests[STEPS]


LIMITED = """
import resource, sys
from pathlib import Path
import ssgan.cli.train
import torch._dynamo  # an import without memory may be a SystemError of Python
from ssgan.cli.main import main
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(sys.argv[2:]))
"""


def in_memory(extra, words):
    """What a command that may take `extra` bytes more than Python has ends with, and says.

    With one thread: OpenMP ends a process where it cannot start another.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED, str(extra), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.skipif(
    sys.platform != "linux" or torch.accelerator.is_available(),
    reason="the address space is measured in /proc, of a child without an accelerator",
)
def test_an_address_space_that_ends_is_said_in_a_line(cache, tmp_path):
    """For real, at whatever allocation is the first too many."""
    for megabytes in (20, 200):
        root = tmp_path / f"in-{megabytes}"
        code, last = in_memory(megabytes * 2**20, command(root, cache, **WIDE))
        assert code == 2, last
        assert last.startswith("ssgan: not enough memory for this; "), last
        assert not list(root.rglob("*.ckpt"))
