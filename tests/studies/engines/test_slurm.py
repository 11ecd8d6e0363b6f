"""Jobs that a fake Slurm accepts: what is refused, and what counts as an end."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ssgan.files.atomic import write_json
from ssgan.studies.engines import slurm
from ssgan.studies.engines.base import NoFreeSlotError
from ssgan.studies.engines.choose import Placement, choose_engine
from ssgan.studies.engines.slurm import SlurmEngine
from ssgan.studies.jobs import Job
from ssgan.types import UserError

pytest.importorskip("submitit")

SBATCH = 'cp "$1" submitted; echo Submitted batch job 7'


@dataclass(frozen=True, kw_only=True)
class Made(Job):
    """A job that is done when its file exists."""

    def is_done(self):
        return Path(self.label).exists()


def make_job(label="a"):
    return Made(label=label, words=("train", label), log=Path(f"{label}.log"))


@pytest.fixture(autouse=True)
def programs(tmp_path, monkeypatch):
    """Fake commands of Slurm; `squeue` prints the file `queue`."""
    folder = tmp_path / "programs"
    folder.mkdir()
    lines = {"sbatch": SBATCH, "squeue": "cat queue", "scancel": 'echo "$@" >> calls', "srun": ""}
    for name, line in lines.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr("ssgan.studies.engines.slurm_queue.ASK_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    Path("queue").touch()
    return folder


def make_engine(**changes):
    given = {"slots": 9, "threads": 3, "gpus": 0, "options": (), "folder": Path("out/slurm")}
    return SlurmEngine(**{**given, **changes})


def start(engine, *names):
    children = engine.start([make_job(name) for name in names])
    Path("queue").write_text("".join(f"{one.number}|RUNNING|node5\n" for one in children))
    return children


def end(number, code, final=True):
    (folder,) = Path("out/slurm").iterdir()
    write_json(folder / f"{number}.ending", {"code": code, "final": final})


def test_what_a_job_gets_is_said_to_sbatch():
    engine = make_engine(gpus=2, options=("partition=a100", "time=240"))
    start(engine, "a", "b")
    lines = Path("submitted").read_text().splitlines()
    for line in (
        "--cpus-per-task=3", "--gpus-per-node=2", "--partition=a100", "--time=240", "--requeue",
        "--array=0-1%2", f"--job-name={engine.queue.name}",
    ):  # fmt: skip
        assert f"#SBATCH {line}" in lines
    assert any("srun" in line and "--cpus-per-task=3" in line for line in lines)
    assert Path("b.log").read_text() == f"[slurm] job 7_1 of {engine.queue.name}\n"


def test_a_terminals_ctrl_c_ends_no_sbatch(programs):
    """It would leave a job of which nobody knows. The study sends signals itself, afterwards."""
    (programs / "sbatch").write_text(
        "#!/bin/bash\ngrep SigBlk /proc/self/status > mask\necho Submitted batch job 7\n"
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    start(make_engine(), "a")
    mask = int(Path("mask").read_text().split()[1], 16)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert mask & 1 << number - 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


def test_a_study_inside_a_job_passes_nothing_of_it_on(programs, monkeypatch):
    given = {"SLURM_JOB_ID": "3", "SLURM_NTASKS": "8", "SLURM_CONF": "here", "OTHER": "kept"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (programs / "sbatch").write_text("#!/bin/sh\nenv > env\necho Submitted batch job 7\n")
    start(make_engine(), "a")
    lines = Path("env").read_text().splitlines()
    assert {"SLURM_CONF=here", "OTHER=kept"} <= set(lines)
    assert not [line for line in lines if line.startswith(("SLURM_JOB_ID", "SLURM_NTASKS"))]
    assert os.environ["SLURM_NTASKS"] == "8"


def test_no_time_limit_is_given_unless_the_user_gives_one():
    """The partition has a default; that of submitit is five minutes."""
    start(make_engine(), "a")
    assert "--time" not in Path("submitted").read_text()


def test_a_command_ends_when_its_code_is_there_and_its_result_too():
    """A shared file system may show the code first."""
    (child,) = start(make_engine(), "a")
    assert (child.poll(), child.place()) == (None, "node5")
    end(1, 0)
    assert child.poll() is None
    Path("a").touch()
    assert child.poll() == 0


def test_an_end_without_a_result_counts_after_a_while(monkeypatch):
    (child,) = start(make_engine(), "a")
    end(1, 0)
    monkeypatch.setattr(slurm, "GRACE_SECONDS", 0.0)
    assert child.poll() == 0  # the scheduler says that this is a failure


def test_a_command_that_slurm_interrupted_has_not_ended_while_its_job_is_in_the_queue():
    (child,) = start(make_engine(), "a")
    end(1, 143, final=False)
    assert child.poll() is None
    Path("queue").write_text("")
    assert child.poll() == 143


def test_a_job_that_is_gone_was_killed_if_no_code_appears(monkeypatch):
    engine = make_engine()
    (child,) = start(engine, "a")
    (folder,) = Path("out/slurm").iterdir()
    (folder / "7_0_log.err").write_text("slurmstepd: error: Detected 1 oom-kill event\n")
    Path("queue").write_text("")
    assert child.poll() is None
    monkeypatch.setattr(slurm, "GRACE_SECONDS", 0.0)
    assert child.poll() == -signal.SIGKILL
    assert "[slurm] slurmstepd: error: Detected 1 oom-kill event" in Path("a.log").read_text()
    engine.close()
    assert folder.exists()  # Slurm's own log is in it


def test_a_signal_reaches_all_jobs_in_one_call_and_they_need_no_code():
    engine = make_engine()
    first, second = start(engine, "a", "b")
    for child in (first, second):
        child.send_signal(signal.SIGINT)
    assert first.poll() is None
    assert Path("calls").read_text().splitlines() == [
        "--state=PENDING 7_0 7_1", "--signal=USR2 7_0.0 7_1.0"
    ]  # fmt: skip
    (folder,) = Path("out/slurm").iterdir()
    assert (folder / "2.request").read_text() == "SIGINT"
    Path("queue").write_text("")
    assert (first.poll(), second.poll()) == (130, 130)
    engine.close()
    assert not Path("out/slurm").exists()


def test_jobs_of_a_killed_study_are_named():
    Path("queue").write_text("5_0|RUNNING|node5\n5_1|PENDING|\n")
    with pytest.raises(UserError) as caught:
        make_engine()
    name = str(caught.value).rpartition("--name=")[2]
    assert str(caught.value) == (
        "2 jobs of this study, which was killed, are still in Slurm's queue: wait for the end, or "
        f"cancel: scancel --name={name}"
    )
    Path("queue").write_text("")
    assert make_engine().queue.name == name
    assert make_engine(folder=Path("other/slurm")).queue.name != name


@pytest.mark.parametrize("name", ["sbatch", "squeue", "srun"])
def test_a_machine_without_slurm_is_refused_in_one_line(name, programs, monkeypatch):
    (programs / name).unlink()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(UserError, match=f"--on slurm needs {name}, which is not here"):
        choose_engine(Placement(on="slurm"), Path("out"))


def test_without_submitit_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UserError, match=r"pip install 'ssgan\[slurm\]'"):
        choose_engine(Placement(on="slurm"), Path("out"))


def test_what_sbatch_refuses_is_its_first_line_alone(programs, capfd):
    (programs / "sbatch").write_text(
        "#!/bin/sh\necho 'sbatch: error: no such partition' >&2\necho 'sbatch: more' >&2\nexit 1\n"
    )
    with pytest.raises(UserError, match=r"^sbatch: no such partition$"):
        make_engine().start([make_job()])
    assert capfd.readouterr() == ("", "")


def test_nothing_is_submitted_where_a_log_cannot_be_written():
    Path("b.log").symlink_to("elsewhere")
    with pytest.raises(OSError, match=r"b\.log"):
        start(make_engine(), "a", "b")
    assert not Path("submitted").exists()


def refuse(programs, words="sbatch: error: Socket timed out on send/recv operation"):
    (programs / "sbatch").write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")


def accept(programs, number):
    (programs / "sbatch").write_text(
        f'#!/bin/sh\ncp "$1" submitted; echo Submitted batch job {number}\n'
    )


def test_a_refusal_is_for_now_once_a_command_was_accepted_and_half_is_tried_next(programs):
    """A limit on submitted jobs refuses a whole array, of which a part may fit."""
    engine = make_engine()
    start(engine, "a")
    refuse(programs, "sbatch: error: QOSMaxSubmitJobPerUserLimit")
    jobs = [make_job(name) for name in "bcdef"]
    with pytest.raises(NoFreeSlotError, match=r"^sbatch: QOSMaxSubmitJobPerUserLimit$"):
        engine.start(jobs)
    accept(programs, 8)
    assert [one.number for one in engine.start(jobs)] == ["8_0", "8_1"]
    assert [one.number for one in engine.start(jobs)] == [f"8_{number}" for number in range(5)]


def test_an_array_that_slurm_accepted_after_a_timeout_leaves_before_the_next_attempt(
    programs, monkeypatch
):
    engine = make_engine()
    start(engine, "a", "b")
    refuse(programs)
    with pytest.raises(NoFreeSlotError):
        engine.start([make_job("c"), make_job("d")])
    squeue = (programs / "squeue").read_text()
    (programs / "squeue").write_text("#!/bin/sh\necho 'squeue: error: no controller' >&2\nexit 1\n")
    accept(programs, 9)
    Path("submitted").unlink()
    with pytest.raises(NoFreeSlotError, match=r"^squeue: no controller$"):
        engine.start([make_job("c")])
    assert not Path("submitted").exists()
    (programs / "squeue").write_text(squeue)
    queue = "7_0|RUNNING|node5\n7_1|PENDING|\n8_0|RUNNING|node5\n8_1|PENDING|\n"
    Path("queue").write_text(queue)
    assert [one.number for one in engine.start([make_job("c")])] == ["9"]
    assert Path("calls").read_text() == "8_0 8_1\n"
    Path("queue").write_text("7_0|RUNNING|node5\n9|PENDING|\n")
    refuse(programs)
    with pytest.raises(NoFreeSlotError):
        engine.start([make_job("d")])
    Path("queue").write_text("10|PENDING|\n")
    (programs / "scancel").write_text('#!/bin/sh\necho "$@" >> calls; : > queue\n')
    monkeypatch.setattr(slurm, "GRACE_SECONDS", 0.0)
    engine.close()
    assert Path("calls").read_text() == "8_0 8_1\n10\n"
