"""Curves over training, from made-up results."""

import io
import json

import pytest
from PIL import Image

from ssgan.files.run_directory import RunDirectory
from ssgan.types import UserError
from tests.studies.made_up import (
    lines_of,
    measured,
    options,
    plan,
    probed,
    write,
    write_distance,
    write_probe,
)


def test_curves_have_the_steps_that_all_runs_of_a_variant_have(tmp_path):
    chosen = options(tmp_path)
    for trial, steps in zip(
        plan("figure2", chosen, "gan"), ([0, 500, 3000], [0, 3000]), strict=True
    ):
        write_probe(trial, dict.fromkeys([(step, 3) for step in steps], 0.5))
    text = write("figure2", chosen, plan("figure2", chosen, "gan")).text
    rows = lines_of(text.split("## Published")[0])
    assert [name for name in rows if name[0].isdigit()] == ["0", "3,000"]


def test_curves_over_training_are_a_figure_and_a_table(tmp_path):
    chosen = options(tmp_path)
    steps = [0, 1500, 3000]
    result = write("figure2", chosen, probed("figure2", chosen, steps))
    lines = lines_of(result.text.split("## Published")[0])
    assert lines["1,500"] == ["0.410 +- 0.028", "0.540 +- 0.028"]
    assert lines["3,000"] == ["0.400 +- 0.028", "0.530 +- 0.028"]
    facts = measured(chosen, "figure2")
    assert facts["block"] == 3
    assert facts["values"]["ssgan"]["1"] == {
        "0": 0.57, "1500": pytest.approx(0.56), "3000": pytest.approx(0.55),
    }  # fmt: skip
    (comparison,) = facts["comparisons"]
    assert (comparison["step"], comparison["mean"]) == (3000, pytest.approx(0.13))
    with Image.open(io.BytesIO((tmp_path / "figure2" / "figure.png").read_bytes())) as picture:
        assert picture.width > 2 * picture.height  # ours, and the paper's beside it


def test_fids_over_training_are_those_of_the_snapshots(tmp_path):
    flags = ("--total_steps", "25000")
    chosen = options(tmp_path, scale="paper", seeds=(0,), overrides=flags)
    (trial,) = plan("figure4", chosen, "ssgan")
    for job, (step, value) in enumerate({10_000: 40.0, 20_000: 30.0, 25_000: 25.0}.items()):
        write_distance(trial, value, job, step=step)
    write("figure4", chosen, [trial])
    values = {"10000": 40.0, "20000": 30.0, "25000": 25.0}
    assert measured(chosen, "figure4")["values"] == {"ssgan": {"0": values}}
    write_distance(trial, 1.0, 0, step=10_000, num_fake=10)
    with pytest.raises(UserError, match="two protocols"):
        write("figure4", chosen, [trial])


def test_a_figure_is_drawn_beside_published_curves_with_gaps(tmp_path):
    chosen = options(tmp_path, scale="paper", seeds=(0,))
    found = plan("figure4b", chosen, "gan,ssgan")
    for trial in found:
        for job in range(10):
            write_distance(trial, 90.0 - job, job, step=100_000 * (job + 1))
    text = write("figure4b", chosen, found).text
    ours, theirs = map(lines_of, text.split("## Published (ImageNet at full width"))
    assert ours["600,000"] == ["85.00", "85.00"]
    assert theirs["600,000"] == ["-", "49.0", "51.0", "48.0"]
    assert measured(chosen, "figure4b")["values"]["gan"]["0"]["1000000"] == 81.0
    with Image.open(tmp_path / "figure4b" / "figure.png") as picture:
        assert picture.width > 2 * picture.height


def test_the_metric_over_training_is_the_one_that_the_settings_name(tmp_path, monkeypatch):
    monkeypatch.setattr("ssgan.studies.jobs.TrainingJob.is_done", lambda self: True)
    for features, name in (("random", "FD-random"), ("lite0", "FD-EfficientNetLite0")):
        chosen = options(tmp_path, seeds=(0,), overrides=("--evaluate.features", features))
        (trial,) = plan("figure4", chosen, "ssgan")
        metrics = RunDirectory(trial.training.root).metrics
        metrics.parent.mkdir(parents=True, exist_ok=True)
        scores = {"FD-random": 0.5, "FD-EfficientNetLite0": 50.0}
        facts = {"step": 500, "split": "train", "num_real": 20, "num_fake": 20}
        rows = [{**facts, "name": of, "value": v, "features": of} for of, v in scores.items()]
        metrics.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        text = write("figure4", chosen, [trial]).text
        assert measured(chosen, "figure4")["values"] == {"ssgan": {"0": {"500": scores[name]}}}
        assert f"{name} (not FID)" in text
    chosen = options(tmp_path, seeds=(0,), overrides=("--evaluate.features", "inception"))
    with pytest.raises(UserError, match="no run has logged FID"):
        write("figure4", chosen, plan("figure4", chosen, "ssgan"))


def test_runs_of_a_variant_without_a_common_step_are_refused_by_name(tmp_path, monkeypatch):
    """As of a run that another command has trained with evaluate.every 0."""
    monkeypatch.setattr("ssgan.studies.jobs.TrainingJob.is_done", lambda self: True)
    chosen = options(tmp_path, seeds=(0, 1))
    found = plan("figure4", chosen, "ssgan")
    metrics = RunDirectory(found[1].training.root).metrics
    metrics.parent.mkdir(parents=True)
    facts = {"split": "train", "num_real": 20, "num_fake": 20, "features": "random"}
    metrics.write_text(json.dumps({"step": 500, "name": "FD-random", "value": 0.5, **facts}))
    words = "SS-GAN have no common step with FD-random.*; seed 0 has no value at all"
    with pytest.raises(UserError, match=words):
        write("figure4", chosen, found)
