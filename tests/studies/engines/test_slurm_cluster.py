"""Commands in the queue of a real Slurm, of two nodes on this machine; it is skipped without one.

The commands are replaced (`command.py`), and the real engine runs on the nodes.
"""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import ssgan
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.studies.engines import slurm, slurm_queue
from ssgan.studies.engines.local import LocalEngine
from ssgan.studies.engines.slurm import SlurmEngine
from ssgan.studies.jobs import FileJob
from ssgan.studies.scheduler import Scheduler
from ssgan.types import UserError
from tests.cli.test_main import TINY
from tests.studies.engines.cluster import ask, is_installed, run_cluster
from tests.studies.engines.command import write_command
from tests.training.harness import fork, wait
from tests.training.tiny import digest_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="needs slurmctld, slurmd and munged"),
]


@pytest.fixture(scope="module")
def conf():
    pytest.importorskip("submitit")
    temporary = tempfile.TemporaryDirectory(prefix="slurm", ignore_cleanup_errors=True)
    with temporary as folder, run_cluster(Path(folder)) as file:
        yield file


@pytest.fixture
def cluster(conf, tmp_path, monkeypatch):
    """The cluster as the study finds it, in whose environment the commands are replaced."""
    monkeypatch.setenv("SLURM_CONF", str(conf))
    monkeypatch.setenv("PYTHONPATH", str(write_command(tmp_path / "replaced")))
    monkeypatch.setenv("MINE", "is kept")
    monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.2)
    monkeypatch.setattr(slurm, "GRACE_SECONDS", 1.0)
    monkeypatch.chdir(tmp_path)
    return conf


def make_job(label, kind="good", verb="train", **changes):
    words, result = (verb, kind, f"results/{label}"), Path("results") / label
    result.parent.mkdir(exist_ok=True)
    return FileJob(label=label, words=words, log=Path(f"logs/{label}"), result=result, **changes)


def make_engine(threads=1, options=()):
    return SlurmEngine(100, threads, 0, options, Path("slurm"))


def run(engine, jobs, act=lambda status: None):
    for status in Scheduler(jobs, engine, pause=0.05).run():
        act(status)
    engine.close()
    return {one.job.label: one.code for one in status.finished}


def hasten(conf, seen):
    """Start jobs that were interrupted after two seconds, in place of two minutes."""
    for line in ask(conf, "squeue", "-h", "--states=PENDING", "--format=%A|%r").splitlines():
        if line.endswith("|BeginTime") and line not in seen:
            seen.append(line)
            ask(conf, "scontrol", "update", f"JobId={line.split('|')[0]}", "StartTime=now+2")


def test_of_twelve_commands_those_that_are_interrupted_go_on_and_those_that_fail_are_named(
    cluster, tmp_path, monkeypatch
):
    """One raises, one is killed; Slurm preempts one, requeues one, and ends one at its limit."""
    interrupted = [make_job(name, "slow") for name in ("preempted", "requeued", "limited")]
    jobs = [make_job("raises", "raise"), make_job("killed", "killed"), *interrupted]
    jobs[4:4] = [make_job(f"good {number}") for number in range(7)]  # the array's last is `limited`
    left, places, seen = {"preempted", "requeued", "limited"}, set(), []

    def interrupt(status):
        places.update(status.places.values())
        for job in interrupted:
            started = job.result.with_suffix(".started")
            if job.label not in left or not started.exists() or not started.read_text():
                continue
            number = started.read_text()
            if job.label == "preempted":
                node = ask(cluster, "squeue", "-h", f"--job={number}", "--format=%N").strip()
                where = ("--partition=first", "--cpus-per-task=4", f"--nodelist={node}")
                ask(cluster, "sbatch", *where, "--output=/dev/null", "--wrap=srun true")
            elif job.label == "requeued":
                ask(cluster, "scontrol", "requeue", number)
            else:
                ask(cluster, "scancel", "--signal=USR2", f"{number}.0")
            left.discard(job.label)
        hasten(cluster, seen)

    codes = run(make_engine(threads=2), jobs, interrupt)
    if codes["preempted"] == -signal.SIGTERM:  # Slurm took its node twice: the user runs it again
        codes |= run(make_engine(threads=2), interrupted[:1])
    failed = {"raises": 1, "killed": -9}
    assert codes == {job.label: failed.get(job.label, 0) for job in jobs}
    assert "ValueError: a bug" in jobs[0].log.read_text()
    for job in jobs:
        starts = job.log.read_text().count("$ ssgan ")
        # a job beside the preempted one may lose its place too
        assert starts >= (2 if job in interrupted else 1), job.label
    for job in interrupted:
        assert job.result.with_suffix(".saved").read_text() == "SIGTERM\n"
    assert places == {"waiting", "node1", "node2"}
    assert not Path("slurm").exists()
    monkeypatch.setattr("ssgan.studies.engines.local.num_cores", lambda: 64)
    here = [make_job(f"good {number}", "local") for number in range(7)]
    before = [job.result.read_bytes() for job in here]
    for job in here:
        job.result.unlink()
    assert set(run(LocalEngine(2, threads=2), here).values()) == {0}
    assert [job.result.read_bytes() for job in here] == before
    assert before[0].decode() == f'["train", "2", "is kept", "{tmp_path}"]'


@pytest.mark.long
def test_a_run_that_slurm_interrupts_ends_at_the_bits_of_one_here(cluster, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(ssgan.__file__).parents[1]))
    monkeypatch.setattr("ssgan.studies.engines.local.num_cores", lambda: 64)
    at, seen = TINY.index("--total_steps") + 1, []
    settings = [*TINY[:at], "20", *TINY[at + 1 :], "--evaluate.every", "0"]

    def plan(place):
        words = ("train", "scenes:ssgan", "--data", "scenes:num_images=40", "--run", place)
        result = RunDirectory(Path(place)).checkpoint(20)
        return FileJob(
            label=place, words=(*words, *settings), log=Path(place + ".log"), result=result
        )

    def interrupt(status):
        log = RunDirectory(Path("away")).log
        if not seen and log.exists() and len(log.read_text().splitlines()) > 2:
            seen.append("interrupted")
            number = ask(cluster, "squeue", "-h", "--format=%i").strip()
            ask(cluster, "scancel", "--signal=USR2", f"{number}.0")
        hasten(cluster, seen)

    away, here = plan("away"), plan("here")
    assert run(make_engine(), [away], interrupt) == {"away": 0}
    assert run(LocalEngine(1, threads=1), [here]) == {"here": 0}
    saved = [checkpoint.load_newest(RunDirectory(Path(place)))[0] for place in ("away", "here")]
    assert [one.step for one in saved] == [20, 20]
    assert digest_of(saved[0]) == digest_of(saved[1])
    assert "INFO     continuing from step" in away.log.read_text()


def test_ctrl_c_saves_what_runs_and_takes_the_rest_out_of_the_queue(cluster):
    jobs = [make_job(f"job {number}", "slow", processes=2) for number in range(4)]

    def press(status):
        begun = [job for job in jobs if job.result.with_suffix(".started").exists()]
        if len(begun) == 2 and len(status.running) == 4:
            os.kill(os.getpid(), signal.SIGINT)

    assert set(run(make_engine(threads=4), jobs, press).values()) == {130}
    saved = [job for job in jobs if job.result.with_suffix(".saved").exists()]
    assert len(saved) == 2
    assert {job.result.with_suffix(".saved").read_text() for job in saved} == {"SIGINT\n"}
    assert ask(cluster, "squeue", "-h") == ""
    for job in jobs:
        job.result.with_suffix(".saved").touch()
    assert set(run(make_engine(threads=4), jobs).values()) == {0}
    assert '"2"' in jobs[0].result.read_text()  # four threads of two processes


def test_a_job_that_someone_cancels_has_failed_and_slurm_says_why(cluster):
    stopped, waiting = make_job("stopped", "slow"), make_job("waiting", "slow")
    jobs, done = [stopped, waiting], []

    def cancel(status):
        if stopped.result.with_suffix(".started").exists() and not done:
            done.append(stopped.result.with_suffix(".started").read_text())
            ask(cluster, "scancel", "--state=PENDING", f"--user={os.getuid()}")
            ask(cluster, "scancel", done[0])

    codes = run(make_engine(threads=4, options=["nodelist=node1"]), jobs, cancel)
    assert codes["stopped"] in (143, -signal.SIGTERM)  # it may not have begun to handle signals
    assert codes["waiting"] == -9
    assert "left the queue without an exit code" in waiting.log.read_text()
    assert list(Path("slurm").glob("*/*.err"))  # kept


def test_the_jobs_of_a_killed_study_are_not_started_twice(cluster):
    job = make_job("a", "slow")
    study = fork(lambda: len(list(Scheduler([job], make_engine(), pause=0.05).run())))
    while not job.result.with_suffix(".started").exists():
        time.sleep(0.05)
    os.kill(study, signal.SIGKILL)
    assert wait(study) == -signal.SIGKILL
    with pytest.raises(UserError, match="1 job of this study, which was killed") as caught:
        make_engine()
    command = str(caught.value).rpartition("cancel: ")[2]
    subprocess.run(command.split(), check=True)
    while ask(cluster, "squeue", "-h"):
        time.sleep(0.05)
    assert job.result.with_suffix(".saved").read_text() == "SIGTERM\n"
    assert run(make_engine(), [job]) == {"a": 0}


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("partition=nowhere", "sbatch: invalid partition specified: nowhere"),
        ("colour=red", "unrecognized option '--colour=red'"),
        ("time=never", "sbatch: Invalid --time specification"),
    ],
)
def test_an_option_that_sbatch_refuses_is_one_line(option, words, cluster, capfd):
    engine = make_engine(options=[option])
    with pytest.raises(UserError) as caught:
        run(engine, [make_job("a")])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
