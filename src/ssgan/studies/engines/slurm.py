"""Commands as jobs in the queue of a Slurm cluster, whose machines share the files of this one.

Jobs that are ready at the same time become one array. Each writes how it ended to a file, and a job
that has left the queue without one was killed.
"""

import hashlib
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssgan.files.atomic import write_atomic
from ssgan.files.links import open_unlinked, refuse_links
from ssgan.studies.engines.base import NoFreeSlotError
from ssgan.studies.engines.slurm_node import CommandEnding, NodeCommand
from ssgan.studies.engines.slurm_queue import Queue, first_line, parse_options
from ssgan.studies.jobs import Job
from ssgan.training.signals import EXIT_CODES
from ssgan.types import UserError

if TYPE_CHECKING:
    from submitit import SlurmExecutor

GRACE_SECONDS = 60.0  # in which a file of another machine appears here
_MOST = 1000  # jobs of an array, by Slurm's default
_SAVING_SECONDS = 120  # before the time limit; within, a command saves
_SIGKILL = 9
_TAIL = 5  # lines of Slurm's own log


class SlurmChild:
    """A command in a job of Slurm."""

    def __init__(self, engine: "SlurmEngine", job: Job, command: NodeCommand, number: str) -> None:
        self.job, self.number = job, number  # as squeue prints it: 12 or 12_3
        self._engine, self._command = engine, command
        self._code: int | None = None
        self._place = "waiting"
        self._since: float | None = None  # monotonic clock; when a file was first missed
        self._signal: int | None = None  # that the study has sent

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None before its end."""
        if self._code is None:
            self._engine.deliver()
            self._code = self._find_code()
        return self._code

    def _find_code(self) -> int | None:
        ending = CommandEnding.read(self._command.ending)
        if ending is None or not (ending.final or self._signal):
            jobs = self._engine.queue.read()
            if jobs is None or self.number in jobs:
                self._since = None
                return None
            ending = ending or CommandEnding.read(self._command.ending)  # written in the meantime
        if ending is None and self._signal:
            return EXIT_CODES[signal.Signals(self._signal)]
        if ending is None:
            if self._is_early():
                return None
            self._engine.report_loss(self)
            return -_SIGKILL
        if ending.code == 0 and not self.job.is_done() and self._is_early():
            return None
        return ending.code

    def _is_early(self) -> bool:
        """Whether a missing file may still appear."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since < GRACE_SECONDS

    def send_signal(self, number: int) -> None:
        """Send a signal at the next poll; a command that waits leaves the queue."""
        self._signal = number
        self._engine.request(self)

    def name_signal(self) -> None:
        """Write the name of the signal to the file that the node reads."""
        assert self._signal is not None
        write_atomic(self._command.request, signal.Signals(self._signal).name.encode("ascii"))

    def place(self) -> str:
        """The node that it runs on; "waiting" before its start."""
        jobs = self._engine.queue.read()
        if jobs is not None and self.number in jobs:
            self._place = jobs[self.number].place
        return self._place


class SlurmEngine:
    """Submits commands with `sbatch`, each with `threads` CPU threads and `gpus` GPUs.

    `options` are KEY=VALUE of sbatch. The engine's files are in a new folder of `folder`, which no
    earlier process can have filled: nodes load what is in it. Raises UserError without submitit,
    without Slurm, and while jobs of a killed study are in the queue.
    """

    def __init__(
        self, slots: int, threads: int, gpus: int, options: Sequence[str], folder: Path
    ) -> None:
        self.slots, self.threads = slots, threads
        self._gpus, self._options = gpus, parse_options(options)
        _require_slurm()
        self._base = Path(os.path.abspath(folder))
        refuse_links(self._base.parent, self._base)
        self.queue = Queue(_name_jobs(self._base))
        if left := len(self.queue.require()):
            raise UserError(
                f"{left} job{'s' if left > 1 else ''} of this study, which was killed, "
                f"{'are' if left > 1 else 'is'} still in Slurm's queue: wait for the end, or "
                f"cancel: scancel --name={self.queue.name}"
            )
        self._folder = self._base / secrets.token_hex(4)
        self._folder.mkdir(mode=0o700, parents=True)
        self._executor = self._make_executor()
        self._count = 0
        self._numbers: set[str] = set()  # of all jobs that sbatch has named
        self._refused = 0  # commands of the array that sbatch has just refused
        self._requests: list[SlurmChild] = []
        self._losses = 0

    def _make_executor(self) -> "SlurmExecutor":
        from submitit import SlurmExecutor

        executor = SlurmExecutor(self._folder)
        executor.update_parameters(
            job_name=self.queue.name,
            time=None,  # that of the partition
            wckey=None,
            cpus_per_task=self.threads,
            gpus_per_node=self._gpus or None,
            array_parallelism=_MOST,
            srun_args=[f"--cpus-per-task={self.threads}"],  # which srun does not take from sbatch
            additional_parameters={
                "requeue": True,
                "signal": f"USR2@{_SAVING_SECONDS}",
                **self._options,
            },
        )
        return executor

    def start(self, jobs: Sequence[Job]) -> Sequence[SlurmChild]:
        """Submit the first thousand commands at most, as one array; half of it after a refusal.

        Raises NoFreeSlotError when sbatch refuses, and another UserError when it has accepted
        nothing before.
        """
        if self._refused:
            self._remove_strays()
        jobs = jobs[: max(1, self._refused // 2) if self._refused else _MOST]
        commands = [self._make_command(job) for job in jobs]
        for job in jobs:
            _append(job.log, ())  # a log that cannot be written is an error before, not after
        numbers = self._submit(commands)
        self.queue.forget()
        children = []
        for job, command, number in zip(jobs, commands, numbers, strict=False):
            _append(job.log, [f"job {number} of {self.queue.name}"])
            children.append(SlurmChild(self, job, command, number))
        return children

    def _make_command(self, job: Job) -> NodeCommand:
        self._count += 1
        return NodeCommand(
            job.words,
            Path(os.path.abspath(job.log)),
            max(1, self.threads // job.processes),
            Path.cwd(),
            self._folder / f"{self._count}.ending",
            self._folder / f"{self._count}.request",
        )

    def _submit(self, commands: Sequence[NodeCommand]) -> list[str]:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        printed = StringIO()
        try:
            with _signals_held(), _outside_of_jobs(), redirect_stderr(printed):
                found: list[Any] = self._executor.submit_array(commands)
        except (FailedJobError, FailedSubmissionError) as error:
            self._refused = len(commands)
            words = f"sbatch: {first_line(printed.getvalue() or str(error))}"
            raise (NoFreeSlotError if self._numbers else UserError)(words) from None
        numbers = [str(one.job_id) for one in found]
        self._numbers.update(numbers)
        self._refused = 0
        return numbers

    def _remove_strays(self) -> None:
        """Take out jobs that Slurm accepted although sbatch failed, as after a timeout.

        None of them runs a command: submitit names a command's file after the answer of sbatch.
        """
        try:
            strays = self.queue.require().keys() - self._numbers
        except UserError as error:
            raise NoFreeSlotError(str(error)) from None
        if strays:
            self.queue.remove(sorted(strays))

    def request(self, child: SlurmChild) -> None:
        """Note that a child gets a signal; this is safe in a handler of signals."""
        self._requests.append(child)

    def deliver(self) -> None:
        """Send all signals that were noted."""
        if self._requests:
            children, self._requests = self._requests, []
            for one in children:
                one.name_signal()
            self.queue.cancel([one.number for one in children])

    def report_loss(self, child: SlurmChild) -> None:
        """Append to the command's log what Slurm has written about a job that was killed."""
        self._losses += 1
        lines = [f"job {child.number} left the queue without an exit code"]
        for path in sorted(self._folder.glob(f"{child.number}_*_log.err")):
            lines += [f"{path}:", *path.read_text(errors="replace").splitlines()[-_TAIL:]]
        _append(child.job.log, lines)

    def close(self) -> None:
        """Wait until the jobs have left the queue, then remove the engine's files.

        They stay where a job was killed: Slurm's own logs are among them.
        """
        if self._refused:
            with suppress(NoFreeSlotError):
                self._remove_strays()
        deadline = time.monotonic() + GRACE_SECONDS
        while self.queue.read() != {} and time.monotonic() < deadline:
            time.sleep(0.5)
            self.queue.forget()
        if not self._losses:
            shutil.rmtree(self._folder, ignore_errors=True)
            if not any(self._base.iterdir()):
                self._base.rmdir()


def _append(log: Path, lines: Sequence[str]) -> None:
    """Append what Slurm has to say to the log of a command."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8", opener=open_unlinked) as file:
        file.writelines(f"[slurm] {line}\n" for line in lines)


def _require_slurm() -> None:
    """Raise UserError without submitit, or on a machine that is none of a cluster."""
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise UserError(
            "--on slurm needs submitit, which is not installed: pip install 'ssgan[slurm]'"
        ) from None
    missing = [name for name in ("sbatch", "squeue", "scancel", "srun") if not shutil.which(name)]
    if missing:
        raise UserError(
            f"--on slurm needs {missing[0]}, which is not here: start it on a machine that "
            "submits jobs to Slurm"
        )


def _name_jobs(folder: Path) -> str:
    """The name of all jobs of the study in a folder."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()
    return f"ssgan-{digest[:8]}"


@contextmanager
def _signals_held() -> Iterator[None]:
    """Within, the terminal's Ctrl-C ends no sbatch; this process gets it afterwards."""
    if sys.platform == "win32":
        yield
        return
    held = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)  # sbatch inherits this
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Within, the variables are missing of a job in which the study itself may run."""
    from submitit.helpers import clean_env

    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    configuration = os.environ.get("SLURM_CONF")
    with clean_env():
        if configuration is not None:
            os.environ["SLURM_CONF"] = configuration
        yield
