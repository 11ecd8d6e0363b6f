"""What every engine does: it starts commands, and tells how each one goes."""

from collections.abc import Sequence
from typing import Protocol

from ssgan.studies.jobs import Job
from ssgan.types import UserError


class Child(Protocol):
    """A command that an engine has started."""

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None before its end."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal; a command that has ended ignores it, one that waits never starts."""

    def place(self) -> str:
        """The name of the machine it runs on; "waiting" before its start, empty for this one."""


class NoFreeSlotError(UserError):
    """The engine refuses a command now, and may accept it later; the message says why."""


class Engine(Protocol):
    """Starts commands."""

    slots: int  # the most commands at a time
    threads: int  # CPU threads of each

    def start(self, jobs: Sequence[Job], /) -> Sequence[Child]:
        """Start the first command, or the first few; returns one child for each of these.

        What a command prints is appended to its job's log. Raises NoFreeSlotError when the engine
        refuses for now, or another UserError; then none of them has started.
        """

    def close(self) -> None:
        """Let go of what the engine holds. Every command has ended."""
