"""The engine that the words of `--on` name."""

from dataclasses import dataclass
from pathlib import Path

from ssgan.ops.cpu import num_cores
from ssgan.studies.engines.base import Engine
from ssgan.studies.engines.local import LocalEngine, refuse_too_few_devices
from ssgan.types import UserError

CLUSTER_SLOTS = 100  # commands that a cluster gets at a time, unless --jobs is given
CLUSTER_THREADS = 4  # CPU threads of each, unless --threads is given


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where commands run, and with how much, as the words of a study or a search say it."""

    on: str = "local"  # local, slurm, ray or ray:ADDRESS
    jobs: int | None = None  # commands at a time
    threads: int | None = None  # CPU threads of every command
    gpus: int = 0  # of every command, on a cluster
    processes: int = 1  # of every training run
    slurm: tuple[str, ...] = ()  # options of sbatch, as KEY=VALUE

    @property
    def is_cluster(self) -> bool:
        """Whether commands run on an engine other than this machine's own."""
        return self.on != "local"

    @property
    def slots(self) -> int | None:
        """Commands at a time; None where the nodes of a Ray cluster decide."""
        default = {"local": 1, "slurm": CLUSTER_SLOTS}.get(self.on)
        return self.jobs or default

    def __post_init__(self) -> None:
        """Raise UserError for words that do not fit each other."""
        kind = self.on.split(":", 1)[0]
        if kind not in ("local", "slurm", "ray") or (kind != "ray" and ":" in self.on):
            raise UserError(f"no engine {self.on!r} (--on); there are local, slurm, ray[:ADDRESS]")
        if self.slurm and kind != "slurm":
            raise UserError(f"--slurm {self.slurm[0]} needs --on slurm")
        if self.gpus and kind == "local":
            raise UserError(
                "--gpus needs --on slurm or --on ray; here the GPUs are divided among --jobs"
            )


def choose_engine(placement: Placement, out: Path) -> Engine:
    """The engine; its own files go to a folder of `out`, which all machines share.

    Raises UserError when the engine is not installed, does not answer, or cannot give so much.
    """
    slots, threads = placement.slots, placement.threads or CLUSTER_THREADS
    if placement.on == "slurm":
        assert slots is not None
        from ssgan.studies.engines.slurm import SlurmEngine

        return SlurmEngine(slots, threads, placement.gpus, placement.slurm, out / "slurm")
    if placement.is_cluster:
        from ssgan.studies.engines.ray import RayEngine

        address = placement.on.partition(":")[2]
        threads = threads if placement.threads or address else min(threads, num_cores())
        return RayEngine(slots, threads, placement.gpus, address)
    assert slots is not None
    refuse_too_few_devices(slots, placement.processes)
    return LocalEngine(slots, placement.threads)
