"""A process finds its rank under srun and mpirun, and in no other place."""

import json
import os
import socket
from contextlib import redirect_stderr, redirect_stdout

import pytest
import torch

from ssgan.cli import train
from ssgan.cli.launching.launchers import find_rank, first_host
from ssgan.cli.launching.processes import choose_count
from ssgan.cli.main import main
from ssgan.cli.parser import UsageError
from ssgan.files.run_directory import RunDirectory
from tests.training.harness import fork, wait
from tests.training.test_ranks import SMALL
from tests.training.tiny import rows_of

BATCH = {  # of a script under sbatch --nodes 2 --ntasks 4, before its first srun
    "SLURM_JOB_ID": "70012",
    "SLURM_JOB_NODELIST": "n[1-2]",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "0",
    "SLURM_LOCALID": "0",
}
STEP = {  # of the last task of that srun
    **BATCH,
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "n[1-2]",
}
FOUND = {
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "n1",
    "MASTER_PORT": "25012",
}
MPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}


def test_a_task_of_srun_is_a_rank():
    assert find_rank(STEP) == FOUND


def test_all_tasks_meet_at_one_place_and_another_step_at_another():
    first = find_rank({**STEP, "SLURM_PROCID": "0", "SLURM_LOCALID": "0"})
    assert (first["RANK"], first["LOCAL_RANK"]) == ("0", "0")
    assert {key: FOUND[key] for key in ("MASTER_ADDR", "MASTER_PORT")}.items() <= first.items()
    assert find_rank({**STEP, "SLURM_STEP_ID": "1"})["MASTER_PORT"] == "25013"
    later = find_rank({**STEP, "SLURM_JOB_ID": "4000000000"})["MASTER_PORT"]
    assert 15000 <= int(later) < 30000  # ports that the system gives to nobody else


def test_a_step_on_some_nodes_of_the_job_meets_at_its_own_first():
    assert find_rank({**STEP, "SLURM_STEP_NODELIST": "n2"})["MASTER_ADDR"] == "n2"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        (BATCH, "a batch script, which has a PROCID too"),
        ({**STEP, "SLURM_STEP_NUM_TASKS": "1"}, "a single command of a job of four"),
        ({**STEP, "SLURM_STEP_ID": str(0xFFFFFFFA)}, "the shell of salloc"),
        ({**STEP, "RANK": "0"}, "a process that torchrun started under srun"),
        ({**STEP, "WORLD_SIZE": "1"}, "a process that another launcher counts"),
        ({**MPI, "OMPI_COMM_WORLD_SIZE": "1"}, "mpirun of one process"),
        ({"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1"}, "an allocation"),
        ({}, "a terminal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_other_process_is_taken_for_a_rank(changes, where):
    assert find_rank(changes) == {}


def test_what_the_user_has_set_counts():
    """LOCAL_RANK=0 where each task sees its own device alone, or another place to meet."""
    found = find_rank({**STEP, "LOCAL_RANK": "0", "MASTER_ADDR": "ib-n1", "MASTER_PORT": "7"})
    assert found == {"RANK": "3", "WORLD_SIZE": "4"}


def test_a_process_of_mpirun_is_a_rank_even_where_srun_started_its_daemon():
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "15000"}
    expected = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", **place}
    assert find_rank(MPI) == find_rank({**STEP, **MPI}) == expected
    apart = {**MPI, "OMPI_COMM_WORLD_LOCAL_SIZE": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "0"}
    with pytest.raises(UsageError, match="mpirun -x MASTER_ADDR=HOST"):
        find_rank(apart)
    assert "MASTER_ADDR" not in find_rank({**apart, "MASTER_ADDR": "n1"})


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("n1", "n1"),
        ("n1,n2", "n1"),
        ("gpu[003-007,9],login1", "gpu003"),
        ("gpu[7,9-12]", "gpu7"),
        ("rack[0-1]node[2-3],x", "rack0node2"),
        ("a[1-2].site,b", "a1.site"),
    ],
)
def test_the_first_host_of_a_list_is_found(nodes, first):
    assert first_host(nodes) == first


def test_a_number_of_processes_beside_srun_is_refused(monkeypatch, capsys):
    for name, value in STEP.items():
        monkeypatch.setenv(name, value)
    assert main(["train", "scenes:ssgan", "--processes", "4", "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ssgan: --processes 4 within a job of 4 tasks: each task is a process")


@pytest.mark.slow
def test_two_tasks_of_srun_train_one_run(tmp_path):
    """In two processes, by the variables of Slurm alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    step = {**STEP, "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost"}
    words = ["train", "scenes:ssgan", *SMALL, "--total_steps", "2", "--run", str(tmp_path / "run")]

    def be_task(number):
        place = {"SLURM_PROCID": str(number), "SLURM_LOCALID": str(number)}
        os.environ.update({**step, **place, "MASTER_PORT": str(port)})
        said = (tmp_path / f"{number}.txt").open("w")
        with said, redirect_stdout(said), redirect_stderr(said):
            return main([*words, "--no-report"])

    children = [fork(lambda number=number: be_task(number)) for number in range(2)]
    said = [tmp_path / f"{number}.txt" for number in range(2)]
    assert [wait(child) for child in children] == [0, 0], [one.read_text() for one in said]
    layout = RunDirectory(tmp_path / "run")
    assert json.loads(layout.environment.read_text())["processes"] == 2
    assert [row["step"] for row in rows_of(layout.log)] == [1, 2]
    assert "done" in said[0].read_text()
    assert said[1].read_text() == ""


def test_as_many_processes_are_started_as_there_are_accelerators(monkeypatch):
    assert choose_count("auto") == (1, "1 process: the run uses no accelerator")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 8)
    assert choose_count("auto") == (8, "8 processes: one for each accelerator")
    assert choose_count("cuda")[0] == 8
    assert choose_count("cuda:1") == (1, "1 process: cuda:1 is one device")
    assert choose_count("cpu")[0] == 1


def test_the_command_says_what_auto_is(monkeypatch, capsys):
    monkeypatch.setattr(train, "_dry_run", lambda config, directory, count, collection: count - 1)
    words = ["train", "scenes:ssgan", "--processes", "auto", "--dry-run"]
    said = "--processes auto is 1 process: the run uses no accelerator"
    assert main(words) == 0
    assert capsys.readouterr().out == f"{said}\n"
    assert main([*words, "--restarts", "2"]) == 0
    assert capsys.readouterr().out == f"{said}; --restarts and --numa have no effect\n"
