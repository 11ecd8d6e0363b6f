"""The rank of this process under launchers that do not set torchrun's variables: srun and mpirun.

PyTorch reads RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. Those that are set count.
"""

import os
import re
from collections.abc import Mapping

from ssgan.cli.parser import UsageError

_LAST_STEP = 0xFFFFFFF0 - 1  # above are Slurm's numbers of what no srun started, as a shell's
_FIRST_PORT, _NUM_PORTS = 15000, 15000  # below those that Linux gives to connections
_LOCAL = "127.0.0.1"


def find_rank(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are missing, where mpirun or srun started this process as one of several.

    Open MPI's come first: its mpirun starts daemons by srun. It names no place to meet, which on
    several machines must be set. Raises UsageError for one that is not.
    """
    if "RANK" in environ or "WORLD_SIZE" in environ:
        return {}
    found = _read_open_mpi(environ) or _read_slurm(environ)
    return {name: value for name, value in found.items() if name not in environ}


def join_launcher(processes: int | str) -> None:
    """Take the rank that srun or mpirun gave to this process, if one started it.

    Raises UsageError for a number of processes beside it, which would be another.
    """
    if not (found := find_rank(os.environ)):
        return
    if processes != 1:
        raise UsageError(
            f"--processes {processes} within a job of {found['WORLD_SIZE']} tasks: each task is a "
            "process of its own, so leave it out"
        )
    os.environ.update(found)


def _read_open_mpi(environ: Mapping[str, str]) -> dict[str, str]:
    names = {"RANK": "RANK", "WORLD_SIZE": "SIZE", "LOCAL_RANK": "LOCAL_RANK"}
    found = {ours: environ.get(f"OMPI_COMM_WORLD_{theirs}", "") for ours, theirs in names.items()}
    if not all(found.values()) or found["WORLD_SIZE"] == "1":
        return {}
    if found["WORLD_SIZE"] == environ.get("OMPI_COMM_WORLD_LOCAL_SIZE"):
        found["MASTER_ADDR"] = _LOCAL
    elif "MASTER_ADDR" not in environ:
        raise UsageError(
            "mpirun started processes on several machines: name the one of rank 0, with "
            "mpirun -x MASTER_ADDR=HOST"
        )
    return {**found, "MASTER_PORT": str(_FIRST_PORT)}


def _read_slurm(environ: Mapping[str, str]) -> dict[str, str]:
    """Only within a step of several tasks: a batch script has a SLURM_PROCID too."""
    step, count = environ.get("SLURM_STEP_ID", ""), environ.get("SLURM_STEP_NUM_TASKS", "1")
    if not step.isdecimal() or int(step) > _LAST_STEP or count == "1":
        return {}
    job, nodes = environ.get("SLURM_JOB_ID", "0"), environ.get("SLURM_STEP_NODELIST", _LOCAL)
    return {
        "RANK": environ["SLURM_PROCID"],
        "WORLD_SIZE": count,
        "LOCAL_RANK": environ["SLURM_LOCALID"],
        "MASTER_ADDR": first_host(nodes),
        "MASTER_PORT": str(_FIRST_PORT + (int(job) + int(step)) % _NUM_PORTS),
    }


def first_host(nodes: str) -> str:
    """The first of Slurm's list of nodes: gpu003 of "gpu[003-007,9],login1"."""
    first = re.match(r"(\[[^]]*\]|[^,\[])*", nodes)
    return re.sub(r"\[([^],-]*)[^]]*\]", r"\1", first[0] if first else nodes)
