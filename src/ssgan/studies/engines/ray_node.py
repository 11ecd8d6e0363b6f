"""What a node of a Ray cluster does for one command: it starts it, and passes signals on.

An actor holds the CPUs and GPUs of the command, which is a child process of it. Ray makes the actor
again, maybe on another node, when its node or worker is lost; then a run continues from its
checkpoint. An actor ends with the study's process; its command, at the latest, at that moment.
"""

import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from ssgan.studies.engines.process import Process, start_command

STOPPED = 143  # exit code of a command that was ended before its start, or with its node
_SAVE_SECONDS = 600.0  # until a command on a lost worker has saved


class NodeActor:
    """The actor: one command on a node. Ray runs its methods in threads, some at a time."""

    def __init__(
        self,
        words: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        folder: Path,
        lock: Path | None,
    ) -> None:
        self._words, self._log, self._environment = words, log, environment
        self._folder, self._lock = folder, lock
        self._guard = threading.Lock()
        self._process: Process | None = None
        self._stopped = threading.Event()

    def find_host(self) -> str:
        """The name of the node."""
        return socket.gethostname()

    def run(self) -> int:
        """Start the command and wait for its end; its exit code, or minus the signal."""
        os.chdir(self._folder)
        if import_module("ray").get_runtime_context().was_current_actor_reconstructed:
            self._await_saving()
        with self._guard:
            if self._stopped.is_set():
                return STOPPED
            self._process = start_command(self._words, self._log, self._environment)
        return self._process.wait()

    def _await_saving(self) -> None:
        """Until the command of the lost worker, which may still save, has left its directory."""
        from ssgan.files.locks import find_holder  # which loads torch

        end = time.monotonic() + _SAVE_SECONDS
        while self._lock is not None and time.monotonic() < end and find_holder(self._lock):
            if self._stopped.wait(0.2):
                return

    def stop(self) -> None:
        """Send SIGTERM, as Ray blocks SIGINT in what it starts; without a command, none starts."""
        with self._guard:
            self._stopped.set()
            if self._process is not None:
                self._process.terminate()
