"""What can happen to a run of `ssgan train`: a process that is hurt, or files while it rests.

A fault is a function of the run and of a seeded generator that says whether it landed: whether it
found the run with something to do, or changed what the run then had to read. Linux only.
"""

import hashlib
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image

import ssgan.cli.train  # here, so that forked commands find it imported
from ssgan.cli.main import main
from ssgan.files.atomic import TEMPORARY
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from tests.training.harness import fork, wait, wait_for

PATIENCE = 600  # seconds, after which a command that has not ended is ended
ADVANCE = 12  # most lines of the log between two faults
_AT_START = 1 / 3  # share of faults that come before the first step
_PAGE = 4096
_TRAILER = 38  # bytes after a checkpoint's payload: six of a name, and the sha256

Fault = Callable[["SoakedRun", random.Random], bool]


class SoakedRun:
    """A run in its directory, and the one command that starts and continues it."""

    start_seconds = step_seconds = 1.0  # measured on the undisturbed run

    def __init__(self, root: Path, images: Path, settings: list[str], steps: int, forked: bool):
        self.layout, self.images, self.steps, self.forked = (
            RunDirectory(root),
            images,
            steps,
            forked,
        )
        self.command = ["train", "--data", f"folder:{images}", "--run", str(root)]
        self.command += ["--cache", f"{root}-cache", "--total_steps", str(steps), *settings]
        self.child: int | None = None
        self.commands = 0  # how often it was started
        self.said = ""  # by the last command, to stderr
        self._errors = -1

    def start(self) -> int:
        """The process of the command, which is started unless it lives."""
        if self.child is None:
            self._errors, write = os.pipe()  # no file: a limit on those would silence it
            self.child = fork(lambda: self._work(write))
            os.close(write)
            self.commands += 1
        return self.child

    def _work(self, errors: int) -> int:
        signal.alarm(PATIENCE)
        os.dup2(errors, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not self.forked:
            self._become_the_command()
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", 1, closefd=False)  # noqa: SIM115
        sys.dont_write_bytecode = True
        return main(self.command)

    def _become_the_command(self) -> None:
        """Of this source, and without bytecode: a limit on files would cut that short for all."""
        source = {"PYTHONPATH": str(Path(ssgan.__file__).parents[1])}
        added = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", **source}
        words = [sys.executable, "-m", "ssgan", *self.command]
        os.execve(sys.executable, words, {**os.environ, **added})

    def end(self, *codes: int) -> int:
        """Wait for the process; its exit code as a shell tells it.

        It must be one of `codes`, or 0 where the run is at its last step.
        """
        code = self._ended()
        expected = code in codes or (code == 0 and self.done)
        assert expected, f"ended with {code}, not {codes}: {self.said}"
        assert "Traceback" not in self.said or "KeyboardInterrupt" in self.said, self.said
        return code

    def _ended(self) -> int:
        assert self.child is not None
        with open(self._errors, errors="replace") as pipe:
            self.said = pipe.read()
        code, self.child = wait(self.child), None
        return code if code >= 0 else 128 - code

    def abandon(self) -> None:
        """Kill the process, if one lives."""
        if self.child is not None:
            os.kill(self.child, signal.SIGKILL)
            self._ended()

    @property
    def done(self) -> bool:
        """Whether the run is at its last step."""
        return self.layout.checkpoint(self.steps).exists()

    def whole(self) -> list[Path]:
        """The checkpoints that match their sha256, newest first."""
        found = []
        for path in self.layout.checkpoint_files():
            with suppress(checkpoint.Damaged):
                checkpoint.read_verified(path)
                found.append(path)
        return found

    def at_an_instant(self, draw: random.Random) -> int:
        """The living process at a drawn instant: before its first step, or some lines later."""
        child = self.start()
        lines, pause = lines_of(self.layout.log) + draw.randint(1, ADVANCE), self.step_seconds
        if draw.random() < _AT_START:
            lines, pause = 0, self.start_seconds
        wait_for(child, self.layout.log, min(lines, self.steps - 1))
        time.sleep(draw.uniform(0, pause))
        return child

    def rest(self, draw: random.Random) -> None:
        """Kill the process at a drawn instant, so that nobody writes."""
        os.kill(self.at_an_instant(draw), signal.SIGKILL)
        self.end(137)


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def signalled(number: signal.Signals, *codes: int) -> Fault:
    """The signal at a drawn instant, which ends the command with one of these codes."""

    def fault(run: SoakedRun, draw: random.Random) -> bool:
        os.kill(run.at_an_instant(draw), number)
        run.end(*codes)
        return not run.done

    return fault


def stopped(run: SoakedRun, draw: random.Random) -> bool:
    """The process is stopped for a moment and goes on; the next fault meets it alive."""
    child = run.at_an_instant(draw)
    os.kill(child, signal.SIGSTOP)
    time.sleep(draw.uniform(0.05, 0.5))
    found = os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
    os.kill(child, signal.SIGCONT)
    return found is not None


def disk_full(run: SoakedRun, draw: random.Random) -> bool:
    """From a drawn instant on no file may grow beyond a limit that a log, or a save, will reach."""
    child, saved = run.at_an_instant(draw), run.layout.checkpoint_files()
    a_save = draw.randrange(max(map(size_of, saved), default=_PAGE))
    limit = draw.choice((a_save, size_of(run.layout.log) + draw.randrange(500)))
    with suppress(ProcessLookupError):
        resource.prlimit(child, resource.RLIMIT_FSIZE, (limit, limit))
    full = run.end(74) == 74
    assert not full or "(ulimit -f)" in run.said, run.said
    return full


def damaged(damage: Callable[[bytes, random.Random], bytes]) -> Fault:
    """The newest checkpoint has other bytes; only where an older one can take its place."""

    def fault(run: SoakedRun, draw: random.Random) -> bool:
        run.rest(draw)
        whole = run.whole()
        if len(whole) < 2:
            return False
        before = whole[0].read_bytes()
        whole[0].write_bytes(damage(before, draw))
        return whole[0].read_bytes() != before

    return fault


def cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def flipped(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]


def zero_page(data: bytes, draw: random.Random) -> bytes:
    first = draw.randrange(0, len(data), _PAGE)
    zeros = bytes(len(data[first : first + _PAGE]))
    return data[:first] + zeros + data[first + len(zeros) :]


def stray_file(run: SoakedRun, draw: random.Random) -> bool:
    """A temporary file as a killed save leaves it, in one of the folders where files are saved."""
    run.rest(draw)
    names = ("", "checkpoints", "best", "kept", "healthy", "samples", "evaluation")
    folders = [path for name in names if (path := run.layout.root / name).is_dir()]
    if not folders:  # killed before there was a directory
        return False
    folder = draw.choice(folders)
    (folder / TEMPORARY.format(f"{draw.getrandbits(64):016x}")).write_bytes(draw.randbytes(_PAGE))
    return True


def torn_line(run: SoakedRun, draw: random.Random) -> bool:
    """The log, or the measures, end in a part of a line, as a kill within a write leaves it."""
    run.rest(draw)
    path = draw.choice((run.layout.log, run.layout.metrics))
    if not lines_of(path):
        return False
    line = path.read_bytes().splitlines()[-1]
    with path.open("ab") as file:
        file.write(line[: draw.randrange(1, len(line))])
    return True


def added_image(run: SoakedRun, draw: random.Random) -> bool:
    """With one image more in its folder a run that has been saved is refused, until it has gone."""
    run.rest(draw)
    if not run.whole():
        return False
    extra = run.images / "one-more.png"
    Image.new("RGB", (32, 32), (draw.randrange(256), 0, 0)).save(extra)
    run.start()
    code = run.end(2)
    extra.unlink()
    assert "was trained on other images" in run.said, run.said
    return code == 2


FAULTS: dict[str, Fault] = {
    "SIGKILL": signalled(signal.SIGKILL, 137),
    "SIGTERM": signalled(signal.SIGTERM, 143),
    "SIGINT": signalled(signal.SIGINT, 130),
    "SIGUSR1": signalled(signal.SIGUSR1, 0, 138),  # the latter in Python's own first moments
    "SIGSTOP, SIGCONT": stopped,
    "disk full": disk_full,
    "checkpoint cut": damaged(cut),
    "checkpoint, a bit flipped": damaged(flipped),
    "checkpoint, a page of zeros": damaged(zero_page),
    "stray temporary file": stray_file,
    "last line torn": torn_line,
    "image added, then removed": added_image,
}


def _resealed(data: bytes, draw: random.Random) -> bytes:
    """A damaged payload with the sha256 of the damage: as if nobody looked at that."""
    payload, name = data[:-_TRAILER], data[-_TRAILER:-32]
    middle = len(payload) // 2  # among the tensors
    payload = payload[:middle] + bytes([payload[middle] ^ 16]) + payload[middle + 1 :]
    return payload + name + hashlib.sha256(payload).digest()


def _lost_line(run: SoakedRun, draw: random.Random) -> bool:
    """A line of a saved step goes."""
    run.rest(draw)
    if not run.whole():
        return False
    lines = run.layout.log.read_bytes().splitlines(keepends=True)
    run.layout.log.write_bytes(b"".join(lines[1:]))
    return True


# What no run can mend: a soak that does not fail with one of these sees nothing.
PLANTS: dict[str, Fault] = {"checkpoint": damaged(_resealed), "line": _lost_line}
