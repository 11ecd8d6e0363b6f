"""Real runs of small networks: one that holds, one driven to collapse, one that makes one image.

The settings of the collapse: n_dis 1, and a G whose learning rate is 50 times D's, with momentum.
"""

import json
import logging
import os
from dataclasses import replace

import pytest

from ssgan.cli import show
from ssgan.cli import train as command
from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.methods.gan import GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.runs import checkpoint
from ssgan.runs.checkpoint import healthy_files, keep_healthy
from ssgan.runs.config import AdamConfig
from ssgan.training.monitor import monitor_directory
from ssgan.training.run import Collapsed, run
from tests.training.tiny import evaluating
from tests.training.toy import ToyGenerator, small_scenes, toy

pytestmark = pytest.mark.slow

OURS = ("tests.training.toy",)  # whose settings may be read back
STEPS = 140
FAST = AdamConfig(learning_rate=5e-2, beta1=0.9, beta2=0.99)
COLLAPSING = toy(GAN(), STEPS, generator_optimizer=FAST)


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(200), small_scenes(100, seed=1)


@pytest.fixture(scope="module")
def collapsed(scenes, tmp_path_factory):
    """The layout of the run that collapses, at its end, and the verdict of each step."""
    layout = RunDirectory(tmp_path_factory.mktemp("collapsed") / "run")
    reports = run(COLLAPSING, layout.root, scenes[0], held_out=scenes[1])
    return layout, {report.step: report.verdict.state for report in reports}


def events_of(layout):
    return [json.loads(line) for line in layout.events.read_text().splitlines()]


def test_a_healthy_run_and_one_that_collapses_are_told_apart(collapsed, scenes, tmp_path):
    layout, states = collapsed
    assert states[STEPS] == "collapsing"
    healthy = RunDirectory(tmp_path)
    reports = run(toy(SSGAN(), STEPS), tmp_path, scenes[0], held_out=scenes[1])
    verdicts = [report.verdict for report in reports]
    assert verdicts[-1].state == "healthy"
    assert {v.state for v in verdicts} == {"too early to tell", "healthy"}
    assert [event.get("alarm") for event in events_of(healthy)] == [None]
    assert [parse_step(path) for path in healthy_files(healthy)] == [STEPS]
    raised = [event["alarm"] for event in events_of(layout) if "alarm" in event]
    assert "variance falls" in raised
    assert len(raised) == len(set(raised))


def test_the_last_healthy_checkpoint_is_from_before_the_fall(collapsed):
    layout, states = collapsed
    (kept,) = healthy_files(layout)
    assert checkpoint.load_checkpoint(kept, OURS).step == parse_step(kept)
    rows = [json.loads(line) for line in layout.metrics.read_text().splitlines()]
    diversity = {row["step"]: row["value"] for row in rows if row["name"] == "diversity"}
    after = [value for step, value in diversity.items() if step > parse_step(kept)]
    assert len(after) >= 4
    assert diversity[parse_step(kept)] > 0.3 > 0.1 > max(after)
    assert states[parse_step(kept)] == "healthy"


def test_it_is_shown_from_the_files(collapsed):
    layout, _ = collapsed
    facts = show._health(layout, COLLAPSING)
    assert facts[0][0] == "health"
    assert facts[0][1].startswith("collapsing since step ")
    assert any("diversity of generated images has fallen" in text for _, text in facts)
    assert facts[-1] == ("healthy", str(healthy_files(layout)[0]))


def test_asked_to_stop_it_saves_and_stops_and_does_not_go_on_by_itself(collapsed, scenes, tmp_path):
    stopping = evaluating(COLLAPSING, on_collapse="stop")
    with pytest.raises(Collapsed, match=r"collapsing.*healthy/step-.*--on-collapse warn") as end:
        for _ in run(stopping, tmp_path, scenes[0], held_out=scenes[1]):
            pass
    assert end.value.exit_code == 75
    (event,) = [e for e in events_of(RunDirectory(tmp_path)) if e["verdict"] == "collapsing"]
    found, _ = checkpoint.load_newest(RunDirectory(tmp_path), OURS)
    assert found.step == event["step"] < STEPS
    with pytest.raises(Collapsed):
        next(run(stopping, tmp_path, scenes[0], held_out=scenes[1]))
    assert checkpoint.load_newest(RunDirectory(tmp_path), OURS)[0].step == event["step"]
    for _ in run(COLLAPSING, tmp_path, scenes[0], held_out=scenes[1]):
        pass
    whole = collapsed[0]
    for one, other in ((whole.metrics, "metrics.jsonl"), (whole.events, "events.jsonl")):
        assert (tmp_path / other).read_text() == one.read_text()


def test_a_generator_that_makes_one_image_is_seen(scenes, tmp_path, caplog):
    config = toy(SSGAN(), 60, generator=ToyGenerator(constant=True))
    with caplog.at_level(logging.WARNING, "ssgan"):
        for _ in run(config, tmp_path, scenes[0]):
            pass
    raised = [event["alarm"] for event in events_of(RunDirectory(tmp_path))]
    assert raised[0] == "no variance"  # later ones say that its distance does not fall either
    assert set(raised) <= {"no variance", "no progress", "may stop"}
    assert caplog.text.count("collapsing: generated images are nearly all the same: 0%") == 1
    assert not healthy_files(RunDirectory(tmp_path))


def test_one_healthy_checkpoint_is_kept_with_links_and_without(tmp_path, monkeypatch):
    layout = RunDirectory(tmp_path)
    layout.checkpoints.mkdir()
    for step in (1, 2, 2, 3):
        layout.checkpoint(step).write_bytes(b"%d" % step)
        if step == 3:
            monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError()))
        assert keep_healthy(layout, layout.checkpoint(step)) == layout.healthy_checkpoint(step)
        assert [path.read_bytes() for path in layout.healthy.iterdir()] == [b"%d" % step]


def test_the_choice_is_a_flag_and_changes_no_directory(monkeypatch, tmp_path):
    given = {}

    def note(config, directory, *_, **options):
        given[config.evaluate.on_collapse] = directory
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "train_in", note)
    words = ["scenes:ssgan", "--evaluate.every", "5"]
    main(["train", *words, "--on-collapse", "stop"])
    main(["train", "scenes:ssgan"])
    assert set(given) == {"stop", "warn"}
    assert given["stop"] == given["warn"]


def test_the_command_ends_with_75(collapsed, monkeypatch, capsys):
    def fails(*_, **__):
        raise Collapsed("stopped at step 5, for ...")
        yield

    monkeypatch.setattr(command, "run", fails)
    config = replace(COLLAPSING, generator=COLLAPSING.generator)
    assert command.train_in(config, collapsed[0].root, collapsed[0].root.parent / "cache") == 75
    assert "stopped at step 5" in capsys.readouterr().err


def test_the_monitor_says_the_same_afterwards(collapsed):
    layout, states = collapsed
    assert monitor_directory(layout, COLLAPSING).verdict.state == states[STEPS]
