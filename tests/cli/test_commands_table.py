"""The live table shows what runs and what comes next; files get plain lines."""

import io
import signal
import sys
from pathlib import Path

import pytest
from rich.console import Console

from ssgan.cli.commands_table import CommandsTable, Summary
from ssgan.recipes.scenes import ssgan
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.scheduler import Finished, Status


def train(folder, label, *lines):
    """A command whose run has logged so many (step, seconds)."""
    root = folder / label
    root.mkdir(exist_ok=True)
    rows = [
        f'{{"step": {step}, "images_seen": 1, "seconds": {seconds}}}\n' for step, seconds in lines
    ]
    (root / "log.jsonl").write_text("".join(rows))
    log = folder / f"{label}.log"
    words = ("train", "scenes:ssgan")
    return TrainingJob(label=label, words=words, log=log, root=root, config=ssgan())


def evaluate(label):
    result = Path("nowhere")
    return FileJob(label=label, words=("evaluate",), log=Path("eval.log"), result=result)


def summarize(status):
    return Summary(len(status.finished), 50, "left about 1:00")


@pytest.fixture
def screen(monkeypatch):
    """Makes a table on a terminal of this size, which returns what the screen shows at last."""

    def show(width, height, *statuses, say=()):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        table, file = CommandsTable(summarize), io.StringIO()
        table.console = Console(
            file=file, width=width, height=height, force_terminal=True, color_system=None
        )
        with table:
            for status in statuses:
                table.report(status)
            for line in say:
                table.say(line)
        assert "\u202e" not in file.getvalue()  # it would reverse what follows
        return (
            file.getvalue().replace("\x1b[?25h", "").split("\x1b[2K")[-1]
        )  # after the newest redrawing

    return show


@pytest.mark.parametrize("width", [80, 160])
def test_a_row_has_place_step_pace_times_and_verdict(screen, tmp_path, monkeypatch, width):
    monkeypatch.chdir(tmp_path)
    total = ssgan().total_steps
    run = train(tmp_path, "GAN", (100, 25.0), (200, 50.0))
    (run.root / "events.jsonl").write_text('{"step": 100, "verdict": "collapsing"}\n')
    other, queued, following = evaluate("SS-GAN"), evaluate("b"), evaluate("c")
    failed = Finished(evaluate("d"), 2, 1.0)
    status = Status(
        (run, other, queued), (following,), (failed,), None,
        {run: 62.0, other: 5.0}, {run: "node-1", other: "node-2", queued: "waiting"},
    )  # fmt: skip
    lines = screen(width, 24, status).splitlines()
    rows = [line.split() for line in lines]
    assert rows[0][:7] == ["command", "place", "step", "pace", "time", "left", "monitor"]
    left = (total - 200) / 4
    minutes = f"{int(left // 60)}:{round(left % 60):02}"
    step = f"200/{total:,}"
    expected = ["train", "GAN", "node-1", step, "4", "steps/s", "1:02", minutes, "collapsing"]
    assert rows[1] == [*expected, *(["GAN.log"] if width == 160 else [])]
    assert rows[2][:4] == ["evaluate", "SS-GAN", "node-2", "0:05"]
    assert rows[3] == ["evaluate", "b", "waiting", "waits"]
    assert rows[4] == ["evaluate", "c", "waits"]
    assert lines[-1].rstrip() == ("1 of 50 done, 2 running, 2 waiting, 1 failed; left about 1:00")
    assert max(map(len, lines)) <= width


def test_a_long_list_has_what_fits_the_screen_and_counts(screen):
    running = tuple(evaluate(f"r{n}") for n in range(20))
    waiting = tuple(evaluate(f"w{n}") for n in range(200))
    lines = screen(80, 16, Status(running, waiting, (), None)).splitlines()
    assert [line.split()[:2] for line in lines[1:11]] == [["evaluate", f"r{n}"] for n in range(10)]
    assert [line.rstrip() for line in lines[11:]] == [
        "and 10 more that run",
        "0 of 50 done, 20 running, 200 waiting; left about 1:00",
    ]


def test_after_ctrl_c_the_last_state_stays_readable(screen):
    job, ended = evaluate("a"), Finished(evaluate("b"), 130, 1.0)
    after = Status((), (job,), (ended,), signal.SIGINT)
    shown = screen(80, 24, Status((job,), (), (), None), after, say=["stopped: b \x1b[2K\u202e"])
    assert "1 of 50 done, 0 running, 1 waiting; SIGINT: what runs is saved" in shown


def test_a_file_gets_a_line_for_a_change_and_none_for_what_waits_on_a_cluster(tmp_path, capsys):
    run, queued = train(tmp_path, "GAN", (200, 50.0)), evaluate("b")
    status = Status((run, queued), (), (), None, {}, {run: "node", queued: "waiting"})
    with CommandsTable(summarize) as table:
        for _ in range(3):
            table.report(Status((queued,), (), (), None, {}, {queued: "waiting"}))
        for _ in range(3):
            table.report(status)
        table.say("done: c")
    total = ssgan().total_steps
    assert capsys.readouterr().out.splitlines() == [
        f"[0/50] train GAN: step 200/{total:,}, 1 wait for a place; left about 1:00",
        "done: c",
    ]


def test_a_log_is_read_again_only_when_it_has_grown(tmp_path, monkeypatch):
    run = train(tmp_path, "GAN", (200, 50.0))
    assert run.read_pace() == (200, 50.0)
    monkeypatch.setattr("ssgan.studies.jobs.read_log", lambda _: [{"step": 300, "seconds": 70.0}])
    assert run.read_pace() == (200, 50.0)
    with (run.root / "log.jsonl").open("a") as file:
        file.write("another line\n")
    assert run.read_pace() == (300, 70.0)


def test_why_an_engine_refuses_is_said_once(capsys):
    table = CommandsTable(summarize)
    for words in ("", "no place", "no place", "", "no place"):
        table.report(Status((), (), (), None, refusal=words))
    assert capsys.readouterr().out == "no place; the rest waits, tried every 30 seconds\n"
