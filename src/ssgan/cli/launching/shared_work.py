"""A verb whose work several processes share, each on its own device."""

from collections.abc import Callable, Sequence

from ssgan.cli.launching.launchers import join_launcher
from ssgan.cli.launching.processes import run_in_processes
from ssgan.training.ranks.distributed import is_launched, join_ranks
from ssgan.types import UserError

_TIMEOUT = 86_400  # seconds: rank 0 may wait for another process that does the same


def run_shared(
    argv: Sequence[str],
    processes: int,
    device: str,
    check: Callable[[], object],
    work: Callable[[], object],
) -> int:
    """Do the work: alone, as a rank of a launcher, or as so many processes `ssgan argv`.

    `check` runs before they start. It raises UserError for what no process could do, so that the
    message appears once.
    Returns the exit code.
    """
    join_launcher(processes)
    if processes > 1 and ":" in device:
        raise UserError(
            f"--device {device} is one device for {processes} processes: without the number each "
            "process takes its own"
        )
    if processes > 1 and not is_launched():
        check()
        return run_in_processes(argv, processes, restarts=0)
    with join_ranks(_TIMEOUT, device):
        work()
    return 0
