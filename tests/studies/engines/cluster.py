"""A Slurm cluster of two nodes with four CPUs each, on this machine and of this user alone."""

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVERS = ("munged", "slurmctld", "slurmd")
MUNGE = (("socket", "sock"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))
PLACES = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"  # where Debian has servers

# `first` preempts jobs of `main` after some seconds in which they may save
CONFIGURATION = """
ClusterName=tiny
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={ports[0]}
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=1,bf_interval=1
MpiDefault=none
SwitchType=switch/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
SlurmdParameters=config_overrides
NodeName=node1 NodeAddr=127.0.0.1 NodeHostname={host} Port={ports[1]} CPUs=4
NodeName=node2 NodeAddr=127.0.0.1 NodeHostname={host} Port={ports[2]} CPUs=4
PartitionName=main Nodes=ALL Default=YES State=UP PriorityTier=1 GraceTime=20
PartitionName=first Nodes=ALL State=UP PriorityTier=9
"""


def is_installed() -> bool:
    return all(shutil.which(name, path=PLACES) for name in (*SERVERS, "sbatch"))


def _choose_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def run_cluster(folder: Path) -> Iterator[Path]:
    """Start it in an empty folder; yields the file that SLURM_CONF must name."""
    host = socket.gethostname().partition(".")[0]
    words = {"host": host, "user": getpass.getuser(), "ports": _choose_ports(3), "folder": folder}
    file = folder / "slurm.conf"
    file.write_text(CONFIGURATION.format(**words))
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    own = [f"--{name}={folder}/munge.{short}" for name, short in MUNGE]
    try:
        _call("munged", "--force", "--num-threads=2", f"--key-file={key}", *own)
        for server in (["slurmctld"], ["slurmd", "-N", "node1"], ["slurmd", "-N", "node2"]):
            _call(*server, conf=file)
        nodes = ("sinfo", "--noheader", "--Node", "--partition=main", "--format=%T")
        while ask(file, *nodes).split() != ["idle"] * 2:
            time.sleep(0.05)
        yield file
    finally:
        _end_servers(folder, file)


def _call(*words: str, conf: Path | None = None) -> None:
    program = shutil.which(words[0], path=PLACES)
    assert program is not None
    extra = {} if conf is None else {"SLURM_CONF": str(conf)}
    done = subprocess.run(
        [program, *words[1:]], env={**os.environ, **extra}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def ask(conf: Path, *words: str) -> str:
    """What a command of Slurm prints."""
    env = {**os.environ, "SLURM_CONF": str(conf)}
    return subprocess.run(words, env=env, capture_output=True, text=True).stdout


def _end_servers(folder: Path, file: Path) -> None:
    """End the jobs first, then the servers, which remove the files with their numbers."""
    ask(file, "scancel", f"--user={getpass.getuser()}")
    deadline = time.monotonic() + 20
    while ask(file, "squeue", "--noheader") and time.monotonic() < deadline:
        time.sleep(0.05)
    numbers = list(folder.glob("*.pid"))
    for one in numbers:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(one.read_text()), signal.SIGTERM)
    while any(one.exists() for one in numbers) and time.monotonic() < deadline:
        time.sleep(0.05)
