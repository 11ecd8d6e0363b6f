"""Commands on the nodes of a Ray cluster, or of a Ray that this process starts on this machine.

Every command has an actor (`ray_node`), which waits until a node has its CPUs and GPUs. All actors
end with the process that made them, and so do their commands.
"""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ssgan.files.links import open_unlinked
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.cpu import num_cores
from ssgan.studies.engines.base import Child
from ssgan.studies.engines.ray_node import STOPPED, NodeActor
from ssgan.studies.jobs import AbstractRunJob, Job
from ssgan.types import UserError

RETRIES = 3  # new actors after a lost node or worker
WAITING = "waiting"  # the place of a command that has not started
MOST_COMMANDS = 100  # at a time, unless --jobs is given
_LOST = 1  # exit code of a command whose node was lost too often
_CALLS = 3  # of an actor at a time: one waits for the command's end, one sends it signals
_CONNECT_SECONDS = 5.0
_PLACE_SECONDS = 15.0  # between questions for the place, which changes with a lost node
_ANSWER_SECONDS = 15.0  # until an actor that a signal does not reach is given up
_STORE_BYTES = 80 * 2**20  # of Ray's memory for objects, near the least; we store none
_PASSED_ON = ("PYTHONPATH", "SSGAN_")  # beginnings of the variables that a node's command gets
_AUTH_MODE = "RAY_AUTH_MODE"  # Ray reads it, for an address that is not "auto"
_OWN_RAY = {  # Ray's switches
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux too: it listens on loopback only
    "RAY_kill_child_processes_on_worker_exit": "0",  # a command saves when this process is killed
}


class _NodeChild:
    """A command as the study's process sees it.

    A signal is passed on by the next `poll`, because it may arrive within a call to Ray.
    """

    def __init__(self, ray: Any, actor: Any, log: Path) -> None:
        self._ray, self._actor, self._log = ray, actor, log
        self._end, self._host = actor.run.remote(), actor.find_host.remote()
        self._place, self._placed = WAITING, time.monotonic()
        self._signals = 0  # that wait for `poll`
        self._sent: Any = None  # the newest one on its way
        self._given_up = 0.0  # when the actor must have it; 0: no signal yet
        self._code: int | None = None

    def send_signal(self, number: int) -> None:
        """End the command with the next `poll`: it saves, as after SIGTERM, and has code 143."""
        self._signals += 1

    def poll(self) -> int | None:
        """The exit code, or minus the signal that ended the command; None before its end."""
        if self._code is None:
            try:
                self._code = self._find_code()
                if self._code is not None:
                    self._ray.kill(self._actor)  # frees the CPUs at once
            except self._ray.exceptions.RayError as error:  # the head has gone
                if self._code is None:
                    self._code = self._lose(error)
        return self._code

    def _find_code(self) -> int | None:
        self._pass_signals_on()
        if self._is_ready(self._end):
            return self._read_code()
        late = self._sent and time.monotonic() > self._given_up
        return STOPPED if late and not self._is_ready(self._sent) else None

    def place(self) -> str:
        """The node's name; "waiting" before the start."""
        now = time.monotonic()
        try:
            if self._host is None and now > self._placed + _PLACE_SECONDS:
                self._host = self._actor.find_host.remote()
            if self._host is not None and self._is_ready(self._host):
                host, self._host = self._host, None
                self._place, self._placed = str(self._ray.get(host)), now
        except self._ray.exceptions.RayError:  # `poll` finds out what happened
            self._place = WAITING
        return self._place

    def _is_ready(self, reference: Any) -> bool:
        return bool(self._ray.wait([reference], timeout=0)[0])

    def _pass_signals_on(self) -> None:
        count, self._signals = self._signals, 0
        for _ in range(count):
            if self.place() == WAITING:
                self._ray.kill(self._actor)  # it never starts
            else:
                self._sent = self._actor.stop.remote()
            self._given_up = time.monotonic() + _ANSWER_SECONDS

    def _read_code(self) -> int:
        try:
            return int(self._ray.get(self._end))
        except self._ray.exceptions.RayError as error:
            return self._lose(error)

    def _lose(self, error: Exception) -> int:
        """The exit code of a command of which Ray knows no end; its log says why."""
        if self._given_up:
            return STOPPED
        with open(self._log, "ab", opener=open_unlinked) as file:
            file.write(f"\nthe command has no end on Ray: {error}\n".encode("utf-8", "replace"))
        return _LOST


class RayEngine:
    """Runs commands on nodes with so many free CPUs (`threads`) and GPUs.

    Without `slots` as many at a time as fit the nodes of now. Without an address it is a Ray of
    this process's own.
    """

    def __init__(self, slots: int | None, threads: int, gpus: int, address: str) -> None:
        self.threads, self._gpus = threads, gpus
        self._ray = _import_ray(own=not address)
        _connect(self._ray, address)
        try:
            fits = count_fitting(self._ray.nodes(), threads, gpus)
        except UserError:
            self.close()
            raise
        self.slots = slots or min(MOST_COMMANDS, fits)
        self._actors = self._ray.remote(NodeActor)

    def start(self, jobs: Sequence[Job]) -> Sequence[Child]:
        """Start the first command, or let it wait for a node; UserError when Ray has gone."""
        job = jobs[0]
        lock = RunDirectory(job.root).lock if isinstance(job, AbstractRunJob) else None
        job.log.parent.mkdir(parents=True, exist_ok=True)
        actors = self._actors.options(
            num_cpus=self.threads,
            num_gpus=self._gpus,
            max_restarts=RETRIES,
            max_task_retries=RETRIES,
            max_concurrency=_CALLS,
        )
        given = (job.words, job.log, self._environment(job.processes), Path.cwd(), lock)
        try:
            return [_NodeChild(self._ray, actors.remote(*given), job.log)]
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().split("\n", 1)[0]
            raise UserError(f"Ray starts no command any more: {reason}") from None

    def _environment(self, processes: int) -> dict[str, str]:
        """What a node's command gets from this process's environment, and its threads."""
        own = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        threads = max(1, self.threads // processes)
        return {**own, "OMP_NUM_THREADS": str(threads)}

    def close(self) -> None:
        """Leave the cluster; a Ray of our own ends."""
        self._ray.shutdown()


def _import_ray(own: bool) -> Any:
    """The package Ray, without its reports of usage; `own` prepares for a Ray of our own."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if own:
        os.environ.update(_OWN_RAY)
    try:
        return import_module("ray")
    except ImportError:
        raise UserError("--on ray needs Ray: pip install 'ssgan[ray]'") from None


def _connect(ray: Any, address: str) -> None:
    """Start a Ray, or join the cluster at the address; raises UserError when there is none."""
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if not address:
        ray.init(
            address="local",
            num_cpus=num_cores(),
            include_dashboard=False,
            object_store_memory=_STORE_BYTES,
            **quiet,
        )
        return
    try:
        if address != "auto":
            _refuse_silent_address(address)
        ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n", 1)[0]
        if isinstance(error, ConnectionError) and error.errno is None and address != "auto":
            reason += f"; one with a token needs {_AUTH_MODE}=token"
        raise UserError(f"no Ray cluster at {address!r} (--on ray:{address}): {reason}") from None


def _refuse_silent_address(address: str) -> None:
    """Raise OSError or ValueError where nothing listens; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise ValueError("give HOST:PORT, or auto on a node of the cluster")
    with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS):
        pass


def count_fitting(nodes: Sequence[Mapping[str, Any]], threads: int, gpus: int) -> int:
    """How many commands fit the nodes at a time; raises UserError when none ever does."""
    alive = [one["Resources"] for one in nodes if one["Alive"]]
    sizes = [(int(one.get("CPU", 0)), int(one.get("GPU", 0))) for one in alive]
    fits = [min(cpu // threads, gpu // gpus if gpus else cpu) for cpu, gpu in sizes]
    if not sum(fits):
        words = ", ".join(f"{cpu} CPUs and {gpu} GPUs" for cpu, gpu in sorted(set(sizes)))
        raise UserError(
            f"a command of {threads} threads and {gpus} GPUs fits no node of the Ray cluster "
            f"({words or 'it has none'}): give --threads and --gpus that fit"
        )
    return sum(fits)
