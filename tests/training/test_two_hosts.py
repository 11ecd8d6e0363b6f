"""Two hosts, played by two network namespaces of this machine, and one of them is lost.

Each has its own address, name and cache; they share the folder of the run, as over NFS.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from ssgan.cli.main import LOST, main
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from tests.training.test_ranks import CLOSE, lines
from tests.training.tiny import rows_of

FIRST, SECOND = ADDRESSES = {"host-a": "10.77.0.1", "host-b": "10.77.0.2"}
STEPS, SAVED = 8, 2  # of the run, and between its checkpoints
RATE = "1e-5"  # Adam multiplies rounding errors by it: they stay far below CLOSE
WORDS = [
    *("train", "scenes:ssgan", "--data", "scenes:num_images=64", "--batch_size", "16"),
    *("--generator.width", "0.03125", "--discriminator.width", "0.0625"),
    *("--generator_optimizer.learning_rate", RATE, "--discriminator_optimizer.learning_rate", RATE),
    *("--precision", "float64", "--total_steps", str(STEPS), "--no-report"),
    *("--output.log_every", "1", "--output.checkpoint_every", str(SAVED)),
    *("--evaluate.every", "0", "--output.tensorboard", "false", "--output.sample_every", "0"),
]
TORCHRUN = [
    *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"),
    *("--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[FIRST]}:29400"),
    *("--max-restarts", "2", "-m", "--", "ssgan"),
]
AS_A_HOST = 'hostname "$1" && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'


class Hosts:
    """Two hosts that are connected by a cable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spaces = {host: f"ssgan-{host}-{os.getpid()}" for host in ADDRESSES}
        names = {"localhost": "127.0.0.1", **ADDRESSES}
        (folder / "hosts").write_text("".join(f"{names[name]} {name}\n" for name in names))

    def connect(self) -> None:
        for space in self.spaces.values():
            self.ip("netns", "add", space)
        ends = [f"{host}{os.getpid()}" for host in ADDRESSES]  # at most 15 characters
        peer = ("type", "veth", "peer", "name", ends[1], "netns", self.spaces[SECOND])
        self.ip("link", "add", ends[0], "netns", self.spaces[FIRST], *peer)
        for (host, space), end in zip(self.spaces.items(), ends, strict=True):
            self.ip("-n", space, "address", "add", f"{ADDRESSES[host]}/24", "dev", end)
            for device in (end, "lo"):
                self.ip("-n", space, "link", "set", device, "up")

    @staticmethod
    def ip(*words: str, check: bool = True) -> str:
        ended = subprocess.run(["ip", *words], check=check, capture_output=True, text=True)
        return ended.stdout

    def start(self, host: str, *words: str) -> subprocess.Popen:
        """The command there; what it prints is appended to a file of the host's name."""
        inside = ["ip", "netns", "exec", self.spaces[host], "unshare", "--uts", "--mount"]
        shell = ["sh", "-c", AS_A_HOST, "sh", host, str(self.folder / "hosts")]
        env = {
            **os.environ,
            "SSGAN_CACHE": str(self.folder / host),
            "OMP_NUM_THREADS": "1",
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        }
        with (self.folder / f"{host}.txt").open("a") as printed:
            command = [*inside, *shell, *TORCHRUN, *words]
            return subprocess.Popen(command, env=env, stdout=printed, stderr=printed)

    def said(self, host: str) -> str:
        return (self.folder / f"{host}.txt").read_text()

    def lose(self, host: str) -> None:
        """Kill every process there."""
        for process in self.ip("netns", "pids", self.spaces[host], check=False).split():
            with suppress(ProcessLookupError):  # it has ended with its parent
                os.kill(int(process), signal.SIGKILL)

    def await_(self, condition: Callable[[], bool], *commands: subprocess.Popen) -> None:
        """Until the condition holds; an error when a command ends before."""
        last = time.monotonic() + 240
        while not condition():
            if time.monotonic() > last or any(command.poll() is not None for command in commands):
                pytest.fail("".join(map(self.said, ADDRESSES)))
            time.sleep(0.01)

    def remove(self) -> None:
        for host, space in self.spaces.items():
            self.lose(host)
            self.ip("netns", "delete", space, check=False)


@pytest.fixture
def hosts(tmp_path):
    if sys.platform != "linux" or os.geteuid() or not all(map(shutil.which, ("ip", "unshare"))):
        pytest.skip("network namespaces need root, ip and unshare")
    found = Hosts(tmp_path)
    try:
        found.connect()
        yield found
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    finally:
        found.remove()


def state_of(root):
    saved, _ = checkpoint.load_newest(RunDirectory(root))
    return saved


@pytest.mark.slow
@pytest.mark.long
def test_a_run_on_two_hosts_survives_the_loss_of_one_and_equals_one_process(hosts, tmp_path):
    """The host that is left reports the loss, waits for the other, and both continue."""
    assert main([*WORDS, "--run", str(tmp_path / "alone")]) == 0
    words = [*WORDS, "--run", str(tmp_path / "run")]
    log = RunDirectory(tmp_path / "run").log

    first, second = (hosts.start(host, *words) for host in ADDRESSES)
    hosts.await_(lambda: lines(log) > SAVED, first, second)
    hosts.lose(SECOND)
    assert second.wait() == -signal.SIGKILL
    hosts.await_(lambda: f"exitcode: {LOST}" in hosts.said(FIRST), first)
    assert state_of(tmp_path / "run").step < STEPS
    assert "rank 0: rank 1 has ended or does not answer (after step " in hosts.said(FIRST)

    second = hosts.start(SECOND, *words)
    assert (first.wait(240), second.wait(240)) == (0, 0), hosts.said(FIRST) + hosts.said(SECOND)
    assert "continuing from step " in hosts.said(FIRST)
    assert [row["step"] for row in rows_of(log)] == list(range(1, STEPS + 1))
    alone, found = state_of(tmp_path / "alone"), state_of(tmp_path / "run")
    assert alone.step == found.step == STEPS
    for name, tensors in alone.tensors.items():
        torch.testing.assert_close(found.tensors[name], tensors, rtol=0, atol=CLOSE)
