"""One process or many are one run; and when one of many fails, all end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ssgan.cli.launching import processes
from ssgan.cli.main import LOST, main
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.state import fresh_state
from ssgan.training import feed
from ssgan.training.feed import Feed, our_parts
from ssgan.training.ranks import distributed
from ssgan.training.ranks.distributed import join_ranks
from ssgan.training.run import run
from ssgan.training.validation import check_ranks
from ssgan.types import PeerLost, UserError
from tests.training import ranks
from tests.training.ranks import (
    CASES,
    LAST,
    MUTANTS,
    cases,
    final,
    shard_cases,
    together,
)
from tests.training.test_resume import Mine
from tests.training.tiny import digest_state, images, tiny

pytestmark = pytest.mark.slow

CLOSE = 1e-9  # of numbers up to 3, in float64: Adam divides rounding errors by small numbers


@pytest.fixture(scope="module")
def alone():
    """The state of every case at the end of one process's run."""
    return {name: final(config) for name, config in cases(2).items()}


@pytest.fixture(scope="module")
def at_the_end():
    """The state of a run in a directory, by one process in one go."""
    return final(CASES["ssgan"])


@pytest.mark.parametrize("count", [2, 3])
def test_many_ranks_are_one_process_in_every_number_and_equal_to_the_bit(count, alone, tmp_path):
    """Weights, averages, batch statistics, singular vectors, Adam's moments, after some steps."""
    found = together("same", tmp_path, count)
    assert [code for code, _ in found] == [0] * count, found
    for name in cases(count):
        expected = alone[name]
        states = [torch.load(tmp_path / f"{name}-{count}-{r}.pt") for r in range(count)]
        torch.testing.assert_close(states[0], expected, rtol=0, atol=CLOSE)
        assert all(torch.equal(states[0], state) for state in states), name


def test_sums_that_begin_during_backward_are_those_of_one_process(alone, tmp_path):
    """Every weight is a bucket here; the last one waits for the loss terms."""
    found = together("small buckets", tmp_path, 2)
    assert [code for code, _ in found] == [0, 0], found
    for number, (_, printed) in enumerate(found):
        least, most = map(float, printed.split()[:2])
        assert 0.9 < least <= most < 1
        state = torch.load(tmp_path / f"small-{number}.pt")
        torch.testing.assert_close(state, alone["two updates"], rtol=0, atol=CLOSE)


def test_that_comparison_sees_faults(alone, tmp_path):
    assert [code for code, _ in together("faults", tmp_path, 2)] == [0, 0]
    for name in MUTANTS:
        found = [torch.load(tmp_path / f"{name}-{number}.pt") for number in range(2)]
        apart = [(state - alone["ssgan"]).abs().max() for state in found]
        assert max(apart) > 1e4 * CLOSE, name


def test_batch_norm_over_ranks_is_that_of_the_whole_batch(tmp_path):
    for code, printed in together("norm", tmp_path, 2):
        assert code == 0, printed


def test_a_replaced_machine_meets_those_that_have_counted_a_restart(tmp_path):
    """torchrun counts on each machine by itself."""
    counts = {"variables": lambda number: {"TORCHELASTIC_RESTART_COUNT": str(1 - number)}}
    assert [code for code, _ in together("norm", tmp_path, 2, seconds=60, **counts)] == [0, 0]


def test_a_bad_number_on_one_rank_alone_is_refused_by_all_and_changes_nothing(tmp_path):
    for number, (code, printed) in enumerate(together("bad number", tmp_path, 2)):
        assert code == 0, printed
        for network in "DG":
            said = f"rank {number} refused at step 2: step 3: not a finite number: {network}/adv"
            assert said in printed
            assert f"{network}: nothing has changed" in printed


@pytest.mark.parametrize("ranks_", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_every_place_of_a_batch_is_some_ranks_once(ranks_, accumulation, monkeypatch):
    """And all ranks' a-th parts are the a-th part of one process, which batch norm sees."""
    config = tiny("gan", batch_size=120, accumulation=accumulation)
    parts = Feed(config, images(), torch.device("cpu"))._parts
    alone = [set(part.tolist()) for part in parts(1)]
    monkeypatch.setattr(feed, "num_ranks", lambda: ranks_)
    found, numbers = [], []
    for number in range(ranks_):
        monkeypatch.setattr(feed, "rank", lambda number=number: number)
        found.append([part.tolist() for part in parts(1)])
        numbers += our_parts(config)
    assert numbers == list(range(ranks_ * accumulation))
    for a in range(accumulation):
        places = [place for of_rank in found for place in of_rank[a]]
        assert len(places) == len(set(places))
        assert set(places) == alone[a]


def test_a_run_goes_on_with_another_number_of_processes(at_the_end, tmp_path):
    """Three steps by two ranks, then three by one, are six by one; one file, written by rank 0."""
    assert [code for code, _ in together("half", tmp_path, 2)] == [0, 0]
    layout = RunDirectory(tmp_path / "run")
    rows = [json.loads(line) for line in layout.log.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert json.loads(layout.environment.read_text())["processes"] == 2
    ranks.whole(tmp_path)
    saved, _ = checkpoint.load_newest(layout)
    ours = numbers_in(saved)
    torch.testing.assert_close(ours, at_the_end, rtol=0, atol=CLOSE)


def test_many_ranks_continue_from_what_rank_0_has(tmp_path):
    ranks.half(tmp_path)
    assert [code for code, _ in together("whole", tmp_path, 2)] == [0, 0]
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "case", ["rolled back", pytest.param("rolled back of shards", marks=pytest.mark.long)]
)
def test_a_bad_number_on_one_rank_takes_all_back_and_on_as_one_process(case, tmp_path):
    found = together(case, tmp_path, 2)
    assert [code for code, _ in found] == [0, 0], found
    ranks.rolled_back(tmp_path / "alone")
    states = []
    for root in (tmp_path, tmp_path / "alone"):
        saved, _ = checkpoint.load_newest(RunDirectory(root / "run"))
        assert (saved.step, saved.rollbacks) == (LAST, 1)
        states.append(numbers_in(saved))
    torch.testing.assert_close(*states, rtol=0, atol=CLOSE)


def test_ranks_that_drift_apart_by_a_bit_are_found_and_the_tensor_named(tmp_path):
    for code, printed in together("drift", tmp_path, 2):
        assert code == 0
        assert "after step 1 rank 1 holds another generator['" in printed


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("second frozen", "rank 0: rank 1 has ended"),
        ("first frozen", "rank 1: another rank has ended"),  # which keeps the list of who is there
    ],
)
def test_a_rank_that_does_not_answer_is_told_after_the_time_out(case, words, tmp_path):
    waiting = 0 if case == "second frozen" else 1
    ((code, printed),) = together(case, tmp_path, 2, awaited=[waiting])
    assert code == LOST
    assert f"{words} or does not answer (after step 3: " in printed
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path / "run"))
    assert saved.step == 3


@pytest.mark.parametrize(("case", "failed"), [("first fails", 0), ("second fails", 1)])
def test_an_error_of_one_rank_ends_all_and_is_the_one_that_is_told(case, failed, tmp_path):
    found = together(case, tmp_path, 2, seconds=240)  # below the time-out
    assert found[failed][0] == 2
    assert "this is the first error" in found[failed][1]
    code, printed = found[1 - failed]
    assert code == LOST
    who = "another rank" if failed == 0 else "rank 1"  # rank 0 keeps the list of who is there
    assert f"rank {1 - failed}: {who} has ended or does not answer" in printed


SAID = {
    "an image": "this is the first error",
    "every number": "not a finite number",
    "a save": "this is the first error",
    "a save without room": "disk full",
}


@pytest.mark.parametrize(
    ("fault", "failed"), [(f, n) for f in SAID for n in (0, 1) if n == 0 or "save" not in f]
)
def test_whatever_fails_on_one_rank_ends_all_before_the_time_out(fault, failed, tmp_path):
    """Rank 0 alone saves."""
    found = together(f"{fault} of rank {failed}", tmp_path, 2, seconds=240)
    assert SAID[fault] in found[failed][1]
    assert found[failed][0] not in (0, LOST)
    both = fault == "every number"  # its refusal is shared
    assert (found[1 - failed][0] == found[failed][0]) if both else (found[1 - failed][0] == LOST)
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path / "run"))
    assert saved.step == 2


def test_a_signal_to_one_rank_saves_and_ends_all_after_the_same_step(tmp_path):
    found = together("signalled", tmp_path, 2)
    assert [code for code, _ in found] == [143, 143]
    assert all("stopped by SIGTERM after step 3; the state is saved" in said for _, said in found)
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path / "run"))
    assert saved.step == 3


def test_a_run_that_has_collapsed_before_ends_all_at_once(tmp_path):
    found = together("collapsed", tmp_path, 2)
    assert [code for code, _ in found] == [0, 0]
    assert "stopped at step 0: the run is" in found[0][1]
    assert "stopped at step 0 by rank 0" in found[1][1]


def test_a_state_with_settings_of_somebody_else_s_classes_is_shared(tmp_path, monkeypatch):
    config = tiny(method=Mine(), total_steps=1)
    (report,) = run(config, tmp_path / "run", images())
    first, second = (fresh_state(config, 10, torch.device("cpu")) for _ in range(2))
    checkpoint.restore(first, checkpoint.load_checkpoint(report.checkpoint, (Mine.__module__,)))
    monkeypatch.setattr(distributed, "num_ranks", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    monkeypatch.setattr(
        distributed, "broadcast_from_first", lambda _: checkpoint.read_verified(report.checkpoint)
    )
    distributed.share_state(second, config)
    assert digest_state(first) == digest_state(second)


def test_there_is_a_back_end_for_what_is_on_the_cpu_beside_that_of_the_accelerator(monkeypatch):
    """Signals and digests are on the CPU, for which PyTorch by itself has none then."""
    assert distributed.choose_back_ends("auto") == "cpu:gloo"
    found = torch.device("cuda")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: found)
    assert distributed.choose_back_ends("auto") == "cpu:gloo,cuda:nccl"
    assert distributed.choose_back_ends("cpu") == "cpu:gloo"


def test_processes_need_devices_of_their_own_unless_they_compute_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "WORLD_SIZE": "2", "RANK": "1"}
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="process 1 of this machine has no device"), join_ranks():
        pass
    with pytest.raises(PeerLost, match="timed out"), join_ranks(1, "cpu"):
        pass


def test_ranks_with_other_settings_are_refused(tmp_path):
    for code, printed in together("other settings", tmp_path, 2):
        assert code == 2
        assert "rank 1 has other settings than rank 0" in printed


@pytest.mark.parametrize(
    ("changes", "count", "words"),
    [
        ({"batch_size": 8}, 3, "batch_size 8 cannot be cut into equal parts for 3 .*nearest: 9"),
        ({"batch_size": 8}, 4, "rotates 2 of batch_size 8 .*multiple of 4 for 4 processes"),
        ({"batch_size": 16, "accumulation": 2}, 4, "rotates 4 .* 4 processes times accumulation 2"),
        ({"batch_size": 16, "device": "cuda:0"}, 2, "device cuda:0 is one device for 2 processes"),
        ({"batch_size": 16, "compile": True}, 2, "compile works with one process"),
    ],
)
def test_what_cannot_be_cut_is_refused(changes, count, words):
    config = tiny(**changes)
    state = fresh_state(tiny(), 10, torch.device("cpu"))
    check_ranks(config, state, 1)
    with pytest.raises(UserError, match=words):
        check_ranks(config, state, count)


SMALL = [
    *("--data", "scenes:num_images=64", "--batch_size", "16"),
    *("--generator.width", "0.03125", "--discriminator.width", "0.0625"),
    *("--output.log_every", "1", "--output.checkpoint_every", "5"),
    *("--evaluate.every", "0", "--output.tensorboard", "false", "--output.sample_every", "0"),
]


def launch(root, *words, steps=15):
    command = [
        sys.executable,
        "-m",
        "ssgan",
        "train",
        "scenes:ssgan",
        *SMALL,
        "--total_steps",
        str(steps),
    ]
    return subprocess.Popen(
        [*command, "--processes", "2", "--run", str(root), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def children_of(parent):
    path = f"/proc/{parent}/task/{parent}/children"
    return [int(word) for word in Path(path).read_text().split()]


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="finds the ranks by /proc")
def test_the_command_survives_a_killed_rank_to_the_same_bits(tmp_path):
    """All end, are restarted, and continue from the newest checkpoint."""
    reference = launch(tmp_path / "whole")
    _, said = reference.communicate(timeout=400)
    assert reference.returncode == 0, said
    layout = RunDirectory(tmp_path / "run")

    killed = launch(layout.root, "--restarts", "1")
    while lines(layout.log) < 12:
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.01)
    os.kill(children_of(killed.pid)[-1], signal.SIGKILL)
    _, said = killed.communicate(timeout=400)
    assert killed.returncode == 0, said
    assert said.count("was ended by SIGKILL; all are restarted") == 1
    assert "continuing from step 10" in said
    assert "Traceback" not in said
    whole, _ = checkpoint.load_newest(RunDirectory(tmp_path / "whole"))
    found, _ = checkpoint.load_newest(layout)
    assert whole.step == found.step == 15
    for name, tensors in whole.tensors.items():
        torch.testing.assert_close(found.tensors[name], tensors, rtol=0, atol=0)


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="finds the ranks by /proc")
def test_a_frozen_process_is_named_by_the_command_with_the_step_and_ended(tmp_path):
    """Even rank 0, for the command keeps the list of who is there."""
    layout = RunDirectory(tmp_path / "run")
    command = launch(layout.root, "--timeout", "8", steps=100000)
    while lines(layout.log) < 3:
        assert command.poll() is None, command.stderr.read()
        time.sleep(0.01)
    children = sorted(children_of(command.pid))
    os.kill(children[0], signal.SIGSTOP)
    _, said = command.communicate(timeout=400)
    assert command.returncode == LOST
    assert "rank 1: rank 0 has ended or does not answer (after step " in said
    assert not any(os.path.exists(f"/proc/{child}") for child in children)


IGNORES_SIGTERM = "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"


@pytest.fixture
def together_as(monkeypatch):
    """Have the launcher start other commands, in turns; every start is counted."""
    starts, commands = [], []

    def start(command, env, start_new_session):
        rank, count = int(env["RANK"]), int(env["WORLD_SIZE"])
        starts.append(env)
        turn = (len(starts) - 1) // count
        return subprocess.Popen([sys.executable, "-c", commands[turn][rank]], env=env)

    monkeypatch.setattr(processes, "Popen", start)
    return starts, commands


def test_every_process_is_told_who_it_is_and_where_all_meet(together_as):
    starts, commands = together_as
    commands.append(["", ""])
    assert processes.run_in_processes(["train"], 2, 0) == 0
    assert [(env["RANK"], env["LOCAL_RANK"]) for env in starts] == [("0", "0"), ("1", "1")]
    assert {env["WORLD_SIZE"] for env in starts} == {"2"}
    assert len({(env["MASTER_ADDR"], env["MASTER_PORT"]) for env in starts}) == 1


STAYS = "import os; exit(os.sched_getaffinity(0) != {{{0}}})"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no cores to stay on here")
def test_every_process_stays_on_its_cores_and_has_a_thread_for_each(together_as, monkeypatch):
    starts, commands = together_as
    monkeypatch.delenv("OMP_NUM_THREADS")
    ours = os.sched_getaffinity(0)
    places = [frozenset({min(ours)}), frozenset({max(ours)})]
    commands.append([STAYS.format(min(ours)), STAYS.format(max(ours))])
    assert processes.run_in_processes(["train"], 2, 0, places) == 0
    assert {env["OMP_NUM_THREADS"] for env in starts} == {"1"}
    assert os.sched_getaffinity(0) == ours


LISTENS_HERE_ALONE = """
import os
port = f":{int(os.environ['MASTER_PORT']):04X}"
rows = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}")]
exit([row[1] for row in rows if row[1].endswith(port) and row[3] == "0A"] != ["0100007F" + port])
"""


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="sockets are listed in /proc")
def test_no_other_machine_can_reach_the_place_where_all_meet(together_as):
    together_as[1].append([LISTENS_HERE_ALONE, ""])
    assert processes.run_in_processes(["train"], 2, 0) == 0


def test_an_error_is_the_command_s_and_not_that_another_waited_in_vain():
    def ended(code):
        return SimpleNamespace(returncode=code, poll=lambda: code)

    assert processes._failed([ended(LOST), ended(2), ended(None)]) == 1
    assert processes._failed([ended(2), ended(LOST), ended(None)]) == 0
    assert processes._failed([ended(0), ended(None), ended(LOST)]) == 2
    assert processes._failed([ended(0), ended(None)]) is None


@pytest.mark.parametrize(("code", "which"), [(2, "_SECONDS_TO_END"), (LOST, "_SECONDS_IF_LOST")])
def test_whoever_does_not_end_after_another_is_ended_by_force(
    code, which, together_as, monkeypatch
):
    for name in ("_SECONDS_TO_END", "_SECONDS_IF_LOST"):
        monkeypatch.setattr(processes, name, 0.1 if name == which else 1000.0)
    together_as[1].append([IGNORES_SIGTERM, f"exit({code})"])
    assert processes.run_in_processes(["train"], 2, 0) == code


@pytest.mark.parametrize(("nohup", "heeded"), [(False, True), (True, False)])
def test_the_launcher_passes_on_signals_and_a_closed_terminal_but_under_nohup(
    nohup, heeded, together_as
):
    """A process that is not told ends by itself, with another code."""
    ask = "import os, signal, time; os.kill(os.getppid(), signal.SIGHUP); time.sleep(2); exit(75)"
    together_as[1].append([ask, "import signal; signal.pause()" if heeded else "exit(75)"])
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
    try:
        assert processes.run_in_processes(["train"], 2, 0) == (129 if heeded else 75)
    finally:
        signal.signal(signal.SIGHUP, before)


KILLED = "import os; os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(
    ("ends", "last"),
    [
        (["exit(1)", f"exit({LOST})", ""], 0),
        ([KILLED, "exit(143)"], 143),  # asked for
        (["exit(75)"], 75),  # comes again, as bad input and bad numbers do
        ([KILLED, KILLED, KILLED], LOST),  # no more
    ],
)
def test_all_are_started_anew_where_that_may_help(ends, last, together_as, capfd):
    starts, commands = together_as
    commands.extend(["", end] for end in ends)
    assert processes.run_in_processes(["train"], 2, 2) == last
    assert len(starts) == 2 * len(ends)
    if ends[0] == KILLED:
        assert "rank 1 was ended by SIGKILL; all are restarted" in capfd.readouterr().err


def test_settings_that_cannot_be_cut_are_refused_before_anything_is_started(tmp_path, capsys):
    words = ["train", "scenes:ssgan", "--batch_size", "15", "--processes", "2"]
    assert main([*words, "--run", str(tmp_path / "run")]) == 2
    assert "nearest: 16" in capsys.readouterr().err
    assert main([*words, "--dry-run"]) == 2
    assert main(["train", "scenes:ssgan", "--restarts", "1", "--dry-run"]) == 2
    assert "--restarts requires --processes" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.long)])
def test_ranks_with_a_part_of_the_state_each_are_one_process(count, alone, tmp_path):
    found = together("sharded", tmp_path, count)
    assert [code for code, _ in found] == [0] * count, found
    for name, config in shard_cases(count).items():
        state = torch.load(tmp_path / f"{name}-{count}-0.pt")
        expected = alone[name] if name in alone else final(config)
        torch.testing.assert_close(state, expected, rtol=0, atol=CLOSE)


def test_a_rank_with_a_part_of_the_state_holds_little_more_than_its_share(tmp_path):
    """Buffers are whole, and of an odd number of rows the first rank has one more."""
    found = together("memory of shards", tmp_path, 2)
    assert [code for code, _ in found] == [0, 0], found
    assert all(0.4 < float(printed.split()[0]) < 0.56 for _, printed in found), found


def test_a_run_continues_with_a_part_of_the_state_on_each_rank_and_returns_to_one_file(
    at_the_end, tmp_path
):
    ranks.half(tmp_path)
    assert [code for code, _ in together("whole of shards", tmp_path, 2)] == [0, 0]
    saved, _ = checkpoint.load_newest(RunDirectory(tmp_path / "run"))
    assert saved.step == LAST
    torch.testing.assert_close(numbers_in(saved), at_the_end, rtol=0, atol=CLOSE)


def test_a_rank_that_dies_with_its_part_of_the_state_is_named_by_the_others(tmp_path):
    found = together("lost of shards", tmp_path, 2)
    assert [code for code, _ in found] == [LOST, 9]
    assert "rank 1 has ended or does not answer (after step 2: " in found[0][1]


def test_parts_of_a_checkpoint_are_merged_by_a_run_that_continues(at_the_end, tmp_path, caplog):
    """The newest is damaged here; the one before it has step 3."""
    assert [code for code, _ in together("half as shards", tmp_path, 2)] == [0, 0]
    layout = RunDirectory(tmp_path / "run")
    assert [path.name for path in layout.shard_folders()] == [
        "step-00000004.shards", "step-00000003.shards",
    ]  # fmt: skip
    assert layout.checkpoint_files() == []
    assert [path.name for path in layout.healthy.iterdir()] == ["step-00000003.shards"]
    shutil.copytree(layout.root, tmp_path / "other" / "run")
    part = next(layout.shard_folders()[0].glob("shard-00002*"))
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    with caplog.at_level("INFO", "ssgan"):
        ranks.whole(tmp_path)
    assert f"passed over: {part} is missing or damaged" in caplog.text
    assert "continuing from step 3" in caplog.text
    assert layout.shard_folders() == []
    assert [path.name for path in layout.healthy.iterdir()] == ["step-00000003.ckpt"]
    assert checkpoint.load_checkpoint(layout.healthy_checkpoint(3)).step == 3
    saved, _ = checkpoint.load_newest(layout)
    torch.testing.assert_close(numbers_in(saved), at_the_end, rtol=0, atol=CLOSE)
    _refuse_when_all_are_damaged(tmp_path / "other")


def _refuse_when_all_are_damaged(folder):
    """Nothing is lost, and the run does not start over."""
    layout = RunDirectory(folder / "run")
    (layout.checkpoints / ".step-00000005.shards").mkdir()  # of a killed save
    for one in layout.shard_folders():
        (one / "facts.json").unlink()
    with pytest.raises(UserError, match=r"states in parts and none is whole: .*facts\.json is mis"):
        ranks.whole(folder)
    names = sorted(path.name for path in layout.checkpoints.iterdir())
    assert names == ["step-00000003.damaged", "step-00000004.damaged"]
    assert len(layout.log.read_text().splitlines()) == 4


def numbers_in(saved):
    """Every number of the state in a checkpoint, in one row."""
    state = ranks.fresh(CASES["ssgan"])
    checkpoint.restore(state, saved)
    return torch.cat([t.double().flatten() for t in checkpoint.state_tensors(state)])
