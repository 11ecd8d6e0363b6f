"""An evaluation by several processes is that of one."""

import json
from pathlib import Path

import numpy as np
import pytest

from ssgan.cli.main import main
from ssgan.evaluation import features
from ssgan.evaluation.run import EvaluationRequest, evaluate_images
from ssgan.ops.collective import rank
from tests.training import ranks
from tests.training.ranks import together

NUMBERS = range(50)


def evaluate(folder: Path) -> None:
    """Evaluate 50 images against 40 others in chunks of 8, and print which this rank computed."""
    features.CHUNK_ROWS, compute = 8, features.FeatureExtraction._compute_rows

    def noted(self, images, seed, numbers, count, progress):
        print("computed", images.name, numbers.start)
        return compute(self, images, seed, numbers, count, progress)

    features.FeatureExtraction._compute_rows = noted
    request = EvaluationRequest(
        against=f"npz:{folder / 'real.npz'}",
        count=50,
        metrics=("fd", "pr"),
        features="random",
        cache=folder / f"cache-{folder.name}",
        out=folder / f"out-{rank()}",
    )
    found = evaluate_images(f"npz:{folder / 'fake.npz'}", request)
    assert (found.results == []) == (rank() > 0)


def results_in(folder):
    rows = [json.loads(line) for line in (folder / "out-0/results.jsonl").read_text().splitlines()]
    return [(row["name"], row["value"], row["subject_content"]) for row in rows]


def test_processes_share_the_images_and_give_the_results_of_one(tmp_path, monkeypatch):
    monkeypatch.setitem(ranks.ALL, "evaluate", evaluate)
    draw = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    for name, count in (("fake", 50), ("real", 40)):
        pixels = draw.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        for folder in ("one", "two"):
            np.savez(tmp_path / folder / f"{name}.npz", pixels)
    ((code, alone),) = together("evaluate", tmp_path / "one", 1)
    assert code == 0, alone
    found = together("evaluate", tmp_path / "two", 2)
    assert [code for code, _ in found] == [0, 0], found
    parts = [{line for line in said.splitlines() if "computed" in line} for _, said in found]
    assert parts[0].isdisjoint(parts[1])
    assert abs(len(parts[0]) - len(parts[1])) <= 2
    assert len(parts[0] | parts[1]) == len({x for x in alone.splitlines() if "computed" in x}) == 12
    assert results_in(tmp_path / "one") == results_in(tmp_path / "two")
    assert not (tmp_path / "two" / "out-1").exists()


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["nothing", "--against", "objects"], "no source 'nothing'"),
        (
            ["objects", "--against", "objects", "--device", "cuda:1"],
            "is one device for 2 processes",
        ),
    ],
)
def test_what_no_process_could_evaluate_is_one_line_of_their_parent(
    words, refusal, monkeypatch, capsys
):
    monkeypatch.setattr("ssgan.cli.launching.shared_work.run_in_processes", lambda *_: 1 / 0)
    assert main(["evaluate", *words, "--processes", "2"]) == 2
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 1
    assert refusal in printed[0]
