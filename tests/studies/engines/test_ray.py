"""Commands on a real Ray: a head and two nodes, as processes of this machine.

The commands are those of a small stand-in for `ssgan`, because importing torch in each takes
seconds.
"""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from ssgan.studies.engines import ray as engine_of_ray
from ssgan.studies.engines.choose import Placement, choose_engine
from ssgan.studies.engines.local import LocalEngine
from ssgan.studies.engines.ray import _OWN_RAY, RayEngine, count_fitting
from ssgan.studies.jobs import AbstractRunJob
from ssgan.studies.scheduler import Scheduler
from ssgan.types import UserError

STAND_IN = """
import json, os, signal, sys, time
from pathlib import Path

verb, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)


def save(number, frame):
    time.sleep(int(sys.argv[3]))  # the second one is ready by then
    (folder / "saved").write_text("state")
    sys.exit(143)


if verb == "compute":
    import numpy as np

    noise = np.random.default_rng(int(sys.argv[3])).normal(size=(300, 300)).astype("float32")
    (folder / "result").write_bytes((noise @ noise).tobytes())
    (folder / "threads").write_text(os.environ["OMP_NUM_THREADS"])
elif verb == "raise":
    raise ValueError("the command's own error")
elif verb == "die":
    os.kill(os.getpid(), signal.SIGKILL)
elif (folder / "started").exists():
    import filelock

    with filelock.FileLock(folder / ".lock", timeout=0):  # the first one must have ended
        (folder / "result").write_text((folder / "saved").read_text() + " continued")
else:
    import ctypes

    import filelock

    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # as ssgan does: it ends with its parent
    with filelock.FileLock(folder / ".lock"):
        (folder / ".lock.owner").write_text(json.dumps({"host": "here", "process": os.getpid()}))
        signal.signal(signal.SIGTERM, save)
        (folder / "part").write_text(str(os.getppid()))
        (folder / "part").rename(folder / "started")
        time.sleep(600)
"""


@dataclass(frozen=True, kw_only=True)
class StandIn(AbstractRunJob):
    """A command of the stand-in; done when its result is there."""

    def is_done(self):
        return (self.root / "result").exists()

    def check_directory(self):
        pass


def command(verb, root, *words):
    return StandIn(
        label=root.name,
        words=(verb, str(root), *map(str, words)),
        log=root.with_suffix(".log"),
        root=root,
    )


@pytest.fixture(scope="module")
def address():
    pytest.importorskip("ray")
    if sys.platform != "linux":
        pytest.skip("Linux ends a command with its parent")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=2, num_gpus=0)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def engine(address, tmp_path, monkeypatch):
    """Commands of one thread on the cluster, run by the stand-in."""
    found = RayEngine(None, 1, 0, address)
    use_stand_in(tmp_path, monkeypatch)
    yield found
    found.close()


def use_stand_in(folder, monkeypatch):
    (folder / "ssgan").mkdir()
    (folder / "ssgan" / "__init__.py").touch()
    (folder / "ssgan" / "__main__.py").write_text(STAND_IN)
    monkeypatch.chdir(folder)


def run(jobs, engine, see=lambda status: None):
    """The last status, after `see` had every one."""
    for status in Scheduler(jobs, engine, pause=0.05).run():
        see(status)
    return status


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, pytest.param(12, marks=pytest.mark.long)])
def test_commands_run_fail_and_survive_a_lost_worker(engine, tmp_path, count):
    """The results are, to the bit, those of this machine."""
    assert engine.slots == 4
    roots = {where: [Path(where) / f"run-{n}" for n in range(count)] for where in ("ray", "local")}
    lost = command("continue", Path("ray/lost"), 5)
    jobs = [
        lost,
        *(command("compute", root, n) for n, root in enumerate(roots["ray"])),
        command("raise", Path("ray/bad")),
        command("die", Path("ray/killed")),
    ]
    killed, places = [], set()

    def kill_worker(status):
        places.update(status.places.values())
        if not killed and (lost.root / "started").exists():
            killed.append(int((lost.root / "started").read_text()))
            os.kill(killed[0], signal.SIGKILL)

    last = run(jobs, engine, kill_worker)
    codes = {one.job.label: one.code for one in last.finished}
    assert codes == {
        "lost": 0, "bad": 1, "killed": -signal.SIGKILL, **{f"run-{n}": 0 for n in range(count)},
    }  # fmt: skip
    assert len(killed) == 1
    assert (lost.root / "result").read_text() == "state continued"
    assert "the command's own error" in (tmp_path / "ray" / "bad.log").read_text()
    assert places == {"waiting", os.uname().nodename}
    locally = [command("compute", root, n) for n, root in enumerate(roots["local"])]
    assert run(locally, LocalEngine(2, threads=1)).exit_code == 0
    for here, there in zip(roots["local"], roots["ray"], strict=True):
        assert (here / "result").read_bytes() == (there / "result").read_bytes()
        assert (there / "threads").read_text() == "1"


@pytest.mark.slow
def test_ctrl_c_saves_what_runs_and_what_waits_never_starts(address, tmp_path, monkeypatch):
    engine = RayEngine(3, 2, 0, address)  # two fit
    use_stand_in(tmp_path, monkeypatch)
    jobs = [command("continue", Path(name), 0) for name in "abc"]
    pressed = []

    def press(status):
        started = [job for job in jobs if (job.root / "started").exists()]
        if len(started) == 2 and not pressed:
            pressed.append(sorted(status.places[job] for job in status.running))
            os.kill(os.getpid(), signal.SIGINT)

    last = run(jobs, engine, press)
    engine.close()
    assert pressed == [sorted(["waiting", *[os.uname().nodename] * 2])]
    assert last.exit_code == 130
    assert sorted(one.code for one in last.finished) == [143] * 3
    assert sorted((job.root / "saved").exists() for job in jobs) == [False, True, True]
    assert sorted(job.root.exists() for job in jobs) == [False, True, True]


@pytest.mark.slow
def test_a_command_that_no_node_can_hold_is_refused_in_one_line(address):
    with pytest.raises(UserError, match=r"3 threads and 0 GPUs fits no node .* \(0 CPUs and 0 GPU"):
        RayEngine(None, 3, 0, address)
    with pytest.raises(UserError, match=r"2 threads and 1 GPUs fits no node"):
        RayEngine(None, 2, 1, address)
    from ray import is_initialized

    assert not is_initialized()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nonsense", "ray://127.0.0.1:9", "host:port"])
def test_an_address_without_a_cluster_is_one_line(address, tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(UserError) as caught:
        choose_engine(Placement(on=f"ray:{address}"), tmp_path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"no Ray cluster at '{address}' (--on ray:{address}): ")


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in _OWN_RAY:
        monkeypatch.setenv(name, "0")  # as it will be: undone after this test
    with pytest.raises(UserError, match=r"pip install 'ssgan\[ray\]'"):
        choose_engine(Placement(on="ray"), tmp_path)


def test_as_many_commands_run_as_fit_the_nodes_that_are_alive():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 9.0, "GPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 4.0}},
        {"Alive": False, "Resources": {"CPU": 64.0}},
    ]
    assert count_fitting(nodes, 4, 0) == 3
    assert count_fitting(nodes, 2, 1) == 2
    with pytest.raises(UserError, match="5 threads and 3 GPUs fits no node"):
        count_fitting(nodes, 5, 3)


class GoneError(Exception):
    """What Ray raises once its head has gone."""


class FakeRay:
    """A Ray of one node, whose head goes away when `gone` is set."""

    exceptions = SimpleNamespace(RayError=GoneError)

    def __init__(self):
        self.gone = False

    def answer(self, *words, **options):
        if self.gone:
            raise GoneError("System error: no head\nmore")
        return self

    init = kill = get = remote = answer
    run = find_host = stop = property(answer)

    def options(self, **given):
        return self

    def wait(self, references, timeout):
        self.answer()
        return [], references

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": 2.0}}]

    def shutdown(self):
        pass


@pytest.fixture
def fake(monkeypatch, tmp_path):
    found = FakeRay()
    monkeypatch.setattr(engine_of_ray, "import_module", lambda name: found)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(found, "remote", lambda *given: found.answer(), raising=False)
    monkeypatch.chdir(tmp_path)
    return found


@pytest.mark.parametrize("count", [0, 1])
def test_commands_are_lost_with_the_head_of_ray_and_the_study_ends_in_one_line(fake, count):
    """Those that have a signal on its way were stopped."""
    found = RayEngine(1, 1, 0, "auto")
    (child,) = found.start([command("compute", Path("a"))])
    assert (child.poll(), child.place()) == (None, "waiting")
    fake.gone = True
    for _ in range(count):
        child.send_signal(signal.SIGTERM)
    assert child.place() == "waiting"
    assert child.poll() == 1
    assert child.poll() == 1
    assert Path("a.log").read_text().count("no end on Ray: System error: no head") == 1
    with pytest.raises(UserError, match=r"^Ray starts no command any more: System error: no head$"):
        found.start([command("compute", Path("b"))])
