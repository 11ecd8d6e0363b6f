"""The tables and the plot say what the rows say."""

import pytest
from PIL import Image

from ssgan.evaluation.probe.tables import best_block, format_tables
from ssgan.plots.probe import draw_probe


def row(block, top1, *, run="a", step=6, fraction=1.0, pooling="grid", **changes):
    labels = round(800 * fraction)
    return {
        "run": run, "method": "SSGAN", "step": step, "block": block, "pooling": pooling,
        "fraction": fraction, "labels": labels, "features": 64, "top1": top1, "knn_top1": 0.3,
        "interval": [top1 - 0.02, top1 + 0.04], "chance": 0.1, "converged": True,
        "train": {"source": "cifar10", "content_hash": "0" * 64, "images": 800},
        "test": {"source": "cifar10-test", "content_hash": "1" * 64, "images": 1000},
        "split": "train and test sources given", "seed": 0, "solver": "lbfgs",
        "standardised": "by everything", "knn": "20 nearest", "classes": ["x", "y"], **changes,
    }  # fmt: skip


ONE = [row(k, 0.5 + k / 10, fraction=f) for k in range(3) for f in (1.0, 0.1)]
TWO = [row(k, 0.5 + k / 10, run=run) for run in "ab" for k in range(3)]
STEPS = [row(k, 0.5 + k / 10 - s / 100, step=s) for k in range(3) for s in (0, 10, 20)]


def lines_with(text, words):
    return [line for line in text.splitlines() if words in line]


def test_blocks_by_runs_with_the_best_of_each():
    text = format_tables(TWO)
    (line,) = lines_with(text, "block 1 ")
    assert line.count("60.0 +- 3.0  kNN 30.0") == 2
    (best,) = lines_with(text, "best")
    assert best.split() == ["best", "70.0", "70.0"]
    (heading,) = lines_with(text, "grid, 800 labels")
    assert heading.index("SSGAN a, step 6") < heading.index("SSGAN b, step 6")


def test_the_protocol_stands_above():
    text = format_tables(TWO)
    for words in ("L-BFGS", "seed 0", "800 of cifar10 (000000000000)", "1,000 of cifar10-test",
                  "chance 10.0", "Wilson", "20 nearest", "standardised by everything"):  # fmt: skip
        assert words in text


@pytest.mark.parametrize(
    ("solver", "words"), [("lbfgs", "by L-BFGS, seed 0"), ("sgd", "by SGD, 50 epochs, seed 0")]
)
def test_the_classifier_is_named_with_its_solver(solver, words):
    assert format_tables([row(0, 0.5, solver=solver)]).startswith(f"logistic regression {words};")


def test_labels_by_blocks_for_one_state():
    text = format_tables(ONE)
    (line,) = lines_with(text, "80 labels (10 %)")
    assert [word for word in line.split() if word in ("50.0", "60.0", "70.0")] == [
        "50.0", "60.0", "70.0",
    ]  # fmt: skip


def test_steps_by_blocks_for_several_states():
    text = format_tables(STEPS)
    assert [line.split()[2] for line in lines_with(text, "step ") if line.startswith("step")] == [
        "50.0", "40.0", "30.0",
    ]  # fmt: skip


def test_fits_that_did_not_converge_are_counted():
    assert "1 of 7 fits stopped before" in format_tables([*ONE, row(3, 0.2, converged=False)])
    assert "ended before" not in format_tables(ONE)


def test_the_paper_s_schedule_is_named():
    assert "SGD, 50 epochs" in format_tables([row(0, 0.5, solver="sgd")])


def test_the_best_block():
    assert best_block(ONE) == 2


@pytest.mark.parametrize("rows", [ONE, TWO, STEPS, [*ONE, *[row(0, 0.4, pooling="mean")]]])
def test_the_plot_is_a_picture(rows, tmp_path):
    draw_probe(rows, tmp_path / "probe.png")
    with Image.open(tmp_path / "probe.png") as picture:
        assert picture.width > 300
