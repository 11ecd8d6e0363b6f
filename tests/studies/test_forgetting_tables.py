"""The table and the plot of forgetting runs, from measurements written by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from ssgan.studies.forgetting.curves import draw_forgetting, read_curve
from ssgan.studies.forgetting.tables import (
    forgetting_table,
    group_variants,
    read_forgetting_run,
    summarize_forgetting,
)
from ssgan.types import UserError

# (step, task, cycle, after a switch): two classes, two iterations a task, measured at each
PLACES = [
    (0, 0, 1, False), (1, 0, 1, False), (2, 0, 1, False),
    (2, 1, 1, True), (3, 1, 1, False), (4, 1, 1, False),
    (4, 2, 2, True), (5, 2, 2, False), (6, 2, 2, False),
    (6, 3, 2, True), (7, 3, 2, False), (8, 3, 2, False),
]  # fmt: skip
VALUES = [0.5, 0.8, 0.7, 0.4, 0.6, 0.9, 0.5, 0.7, 0.8, 0.7, 0.9, 0.8]
CYCLES = {  # by hand from VALUES
    "peak": [(0.8 + 0.9) / 2, (0.8 + 0.9) / 2],
    "switch": [0.4, (0.5 + 0.7) / 2],
    "drop": [0.3, (0.4 + 0.1) / 2],
    "first": [(0.8 + 0.6) / 2, (0.7 + 0.9) / 2],
    "mean": [(0.8 + 0.7 + 0.6 + 0.9) / 4, (0.7 + 0.8 + 0.9 + 0.8) / 4],
}


def written(root, values=VALUES, **changes):
    """A directory with these accuracies."""
    root.mkdir(parents=True)
    settings = {"seed": 0, "rotation": 1.0, "iterations_per_task": 2, "cycles": 2,
                "network": {"width": 0.5}, **changes}  # fmt: skip
    classes = settings.pop("classes", ["a", "b"])
    (root / "forgetting.json").write_text(json.dumps({"settings": settings, "classes": classes}))
    names = ("step", "task", "cycle", "after_switch")
    rows = [
        {**dict(zip(names, place, strict=True)), "accuracy": value}
        for place, value in zip(PLACES, values, strict=False)
    ]
    (root / "forgetting.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def lines_of(text):
    return {line.split("   ")[0].strip(): line for line in text.splitlines() if line}


def test_the_figures_of_each_cycle(tmp_path):
    found = summarize_forgetting(read_forgetting_run(written(tmp_path / "a")))
    assert found.keys() == CYCLES.keys()
    for name, expected in CYCLES.items():
        assert found[name] == pytest.approx(expected), name


def test_the_table_has_the_cycles_and_the_last_less_the_first(tmp_path):
    lines = lines_of(forgetting_table([written(tmp_path / "a")]))
    assert "rotation loss x 1, seed 0" in next(iter(lines))
    assert lines["right after a switch"].split()[-3:] == ["40.0", "60.0", "20.0"]
    assert lines["drop at a switch"].split()[-3:] == ["30.0", "25.0", "-5.0"]
    assert lines["mean"].split()[-3:] == ["75.0", "80.0", "5.0"]


def test_seeds_become_a_mean_and_a_deviation(tmp_path):
    other = [value - 0.1 for value in VALUES]
    roots = [written(tmp_path / "a"), written(tmp_path / "b", other, seed=1)]
    (variant,) = group_variants(roots[::-1])
    assert [study.seed for study in variant.runs] == [0, 1]
    lines = lines_of(forgetting_table(roots))
    spread = f"{np.std([75, 65], ddof=1):.1f}"
    assert f"70.0 +- {spread}" in lines["mean"]
    assert lines["mean"].endswith("5.0 +- 0.0")
    curve = read_curve(variant)
    assert curve.steps == [place[0] for place in PLACES]
    np.testing.assert_allclose(curve.accuracy, [VALUES, other])


def test_variants_are_named_after_what_differs(tmp_path):
    roots = [
        written(tmp_path / "a", rotation=0.0),
        written(tmp_path / "b"),
        written(tmp_path / "c", seed=1),
        written(tmp_path / "d", network={"width": 1.0}),
    ]
    found = {
        variant.name: [study.root.name for study in variant.runs]
        for variant in group_variants(roots)
    }
    assert found == {
        "without rotation, network.width 0.5": ["a"],
        "rotation loss x 1, network.width 0.5": ["b", "c"],
        "rotation loss x 1, network.width 1.0": ["d"],
    }
    assert [variant.name for variant in group_variants(roots[:2])] == [
        "without rotation",
        "rotation loss x 1",
    ]


def test_an_unfinished_study_has_what_is_complete(tmp_path):
    roots = [written(tmp_path / "a", VALUES[:9]), written(tmp_path / "b", seed=1)]
    text = forgetting_table(roots[:1])
    assert lines_of(text)["mean"].split()[-3:] == ["75.0", "-", "-"]
    assert "at iteration 6 of 8" in text
    roots.append(written(tmp_path / "c", VALUES[:6], seed=2))
    (variant,) = group_variants(roots)
    assert read_curve(variant).accuracy.shape == (3, 6)
    (variant,) = group_variants(roots[1:])  # the longer one first
    assert read_curve(variant).steps == [place[0] for place in PLACES[:6]]


def test_a_cycle_of_which_only_the_switch_into_it_is_known_is_not_complete(tmp_path):
    found = summarize_forgetting(read_forgetting_run(written(tmp_path / "a", VALUES[:7])))
    assert found["switch"] == [pytest.approx(0.4), None]


def test_directories_that_cannot_be_drawn_are_refused_in_one_line(tmp_path):
    good = written(tmp_path / "good")
    empty = written(tmp_path / "empty", [])
    other = written(tmp_path / "other", iterations_per_task=4)
    named = written(tmp_path / "named", classes=["a", "z"])
    twice = written(tmp_path / "twice")
    broken = written(tmp_path / "broken")
    (broken / "forgetting.json").write_text("[]")
    for roots, words in [
        ([], "no forgetting run given"),
        ([tmp_path / "nowhere"], "nowhere holds no forgetting run"),
        ([tmp_path], "holds no forgetting run"),
        ([broken], "forgetting.json must hold a table"),
        ([empty], "has no measurement yet"),
        ([good, other], "differ in classes, iterations per task or cycles"),
        ([good, named], "differ in classes, iterations per task or cycles"),
        ([good, twice], "same settings and seed 0"),
    ]:
        with pytest.raises(UserError, match=words) as error:
            draw_forgetting(roots, tmp_path / "x.png")
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=r"ends in \.png or \.svg"):
        draw_forgetting([good], tmp_path / "x.pdf")
    assert not (tmp_path / "x.png").exists()


def test_the_plot_is_drawn_for_one_and_for_many(tmp_path):
    roots = [written(tmp_path / f"{r}{s}", rotation=r, seed=s) for r in (0.0, 1.0) for s in (0, 1)]
    for name, some in (("one.png", roots[:1]), ("many.png", roots)):
        draw_forgetting(some, tmp_path / "new" / name)
        with Image.open(tmp_path / "new" / name) as picture:
            assert picture.width > 600
    draw_forgetting(roots, tmp_path / "many.svg")
    assert "<svg" in (tmp_path / "many.svg").read_text()
