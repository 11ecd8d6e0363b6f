"""A command of a study as a child process of this one, on whichever machine that is."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ssgan.files.links import open_unlinked
from ssgan.training.signals import PARENT


class Process(subprocess.Popen[bytes]):
    """A command that runs here."""

    def place(self) -> str:
        """This machine."""
        return ""


def start_command(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start `ssgan WORDS`, which appends to the log; `environment` is laid over this process's.

    On Linux it saves and ends when this process dies.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab", opener=open_unlinked) as file:
        line = f"$ {shlex.join(('ssgan', *words))}\n"
        file.write(line.encode("utf-8", "surrogateescape"))
        file.flush()
        return Process(
            [sys.executable, "-m", "ssgan", *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, PARENT: str(os.getpid())},
            start_new_session=True,  # else it gets Ctrl-C twice: from the terminal, from us
        )
