"""The metric `nameable` of `ssgan evaluate`."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.cli.main import main
from ssgan.data.prepare import prepare
from ssgan.data.scenes.source import Objects
from ssgan.evaluation.evaluate import EvaluationSettings, evaluate
from ssgan.evaluation.features import FeatureExtraction
from ssgan.evaluation.image_sets import GeneratedImages, RealImages
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.nameable import ObjectClassifier, measure_nameable
from ssgan.recipes import objects
from ssgan.runs.checkpoint import find_state
from tests.cli.test_main import TINY

OBJECTS = ["--data", "objects:num_images=60,seed=5"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs") / "objects"
    words = ["train", "objects:gan", *OBJECTS, "--run", str(root), "--evaluate.every", "0", *TINY]
    assert main(words) == 0
    return root


@pytest.fixture(scope="module")
def real():
    data = replace(objects.gan().data, source=Objects(num_images=60, seed=5))
    return RealImages(prepare(data.source, data.preprocessing))


def test_the_share_is_that_of_the_classifier_beside_other_metrics(real, tmp_path):
    settings = EvaluationSettings(count=60, real_count=60, seeds=(0,), metrics=("fd", "nameable"))
    extraction = FeatureExtraction(features=RandomFeatures(), cache=tmp_path)
    found = {r.name: r for r in evaluate(real, real, extraction, settings).results}
    pixels = torch.from_numpy(real.dataset.batch(np.arange(60))).permute(0, 3, 1, 2)
    expected = measure_nameable(ObjectClassifier.load()(pixels))
    assert found["nameable"].value == expected.share > 0.8
    assert found["kinds"].value == expected.kinds
    assert found["nameable"].parameters["confidence"] == "0.9"
    assert found["FD-random"].value == pytest.approx(0, abs=1e-6)


def test_a_run_on_objects_needs_no_reference(run, tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    words = ["evaluate", str(run), "--metrics", "nameable", "--n", "40", "--out", str(out)]
    assert main(words) == 0
    assert "\nnameable " in capsys.readouterr().out
    results = {row["name"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert set(results) == {"nameable", "kinds"}
    samples = GeneratedImages("run", find_state(run).checkpoint, torch.device("cpu"))
    shares = [
        measure_nameable(ObjectClassifier.load()(samples.images(seed, torch.arange(40)))).share
        for seed in (0, 1, 2)
    ]
    assert results["nameable"]["values"] == shares
    assert results["nameable"]["protocol"]["features"] == "object-classifier"


def test_it_is_not_computed_unless_it_is_named(run, tmp_path, capsys):
    words = ["evaluate", str(run), "--against", OBJECTS[1], "--features", "random", "--n", "40"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert "nameable" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["scenes:num_images=20"], ["objects:num_images=20", "--size", "64"]]
)
def test_other_images_are_refused_in_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *words, "--metrics", "nameable"]) == 2
    error = capsys.readouterr().err
    assert "nameable is not available: it needs a run on objects" in error
    assert len(error.strip().splitlines()) == 1


def test_beside_other_metrics_the_reference_is_held_out(run, capsys):
    words = ["--metrics", "nameable,fd", "--features", "random", "--n", "20", "--real-n", "20"]
    assert main(["evaluate", str(run), *words]) == 0
    shown = capsys.readouterr().out
    assert "held-out" in shown
    assert "FD-random" in shown
