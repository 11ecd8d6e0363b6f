"""A run directory of ssgan 0.1 is read and continued under today's names."""

import json
import shutil
from pathlib import Path

import pytest

from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.plots.curves import read_curves
from ssgan.runs import checkpoint
from ssgan.training.history import read_events, read_log, read_metrics
from ssgan.training.monitor import monitor_directory
from ssgan.training.resume import read_run_config
from ssgan.training.run import run
from tests.training.tiny import rows_of

STORED = Path(__file__).parent / "earlier" / "run"  # of six steps, with the checkpoint of the third
OLD = {"logit_spread", "D/sigma", "D/sigma_raw", "G/sigma"}
NEW = {"logit_std", "D/spectral_norm", "D/spectral_norm_raw", "G/spectral_norm"}


@pytest.fixture
def layout(tmp_path):
    return RunDirectory(shutil.copytree(STORED, tmp_path / "run"))


def test_metrics_have_the_names_of_today(layout):
    stored = {row["name"] for row in rows_of(layout.metrics)}
    names = {row["name"] for row in read_metrics(layout)}
    assert stored > OLD
    assert names == (stored - OLD) | NEW
    curves = set(read_curves(layout.root))
    assert curves > NEW | {"logit_std/generated"}
    assert not curves & OLD


def test_the_monitor_judges_it_as_it_was_judged(layout):
    verdict = monitor_directory(layout, read_run_config(layout)).verdict
    last = read_events(layout)[-1]
    assert (verdict.state, verdict.since) == (last["verdict"], last["step"])


def test_snapshots_are_found_where_they_were_written(layout):
    assert [str(path.relative_to(layout.root)) for path in layout.snapshot_files()] == [
        "kept/step-00000003.ckpt"
    ]
    assert layout.snapshot(3).parent.name == "kept"
    assert layout.snapshot(6).parent.name == "snapshots"
    found = checkpoint.find_state(layout.snapshot(3)).checkpoint
    assert set(found.tensors) == {"discriminator", "generator_ema"}


def test_it_continues_to_the_end_it_had(layout, tmp_path):
    before = read_log(layout)
    config = read_run_config(layout)
    reports = list(run(config, layout.root, cache=tmp_path / "cache"))
    assert [report.step for report in reports] == [4, 5, 6]
    after = read_log(layout)
    assert [row["step"] for row in after] == [1, 2, 3, 4, 5, 6]
    for name in ("D/adversarial", "G/adversarial", "D/rotation"):
        was, now = ([row[name] for row in rows] for rows in (before, after))
        assert now[:4] == pytest.approx(was[:4], rel=1e-3, abs=1e-4)
    assert [parse_step(path) for path in layout.snapshot_files()] == [6, 3]
    assert {path.parent.name for path in layout.snapshot_files()} == {"snapshots", "kept"}
    written = {row["name"] for row in rows_of(layout.metrics) if row["step"] > 3}
    assert written > NEW
    assert not written & OLD


@pytest.mark.parametrize("name", ["looked_at", "evaluated"])
def test_a_failed_evaluation_is_known_under_its_old_and_its_new_name(name, tmp_path):
    payload = (STORED / "checkpoints" / "step-00000003.ckpt").read_bytes()[:-38]
    content = checkpoint.unpack(payload)
    facts = json.loads(content.pop("facts"))
    assert facts.pop("looked_at") is True
    path = tmp_path / "step-00000003.ckpt"
    checkpoint.write_tensors(path, {**facts, name: False}, content)
    assert checkpoint.load_checkpoint(path).evaluated is False


def test_a_torn_file_of_an_earlier_version_is_damaged(layout):
    path = layout.checkpoint(3)
    assert checkpoint.load_checkpoint(path).step == 3
    whole = path.read_bytes()
    for torn in (b"", whole[:1000], whole[:-1], whole[:-38], b"\0" * len(whole)):
        path.write_bytes(torn)
        with pytest.raises(checkpoint.Damaged):
            checkpoint.load_checkpoint(path)
