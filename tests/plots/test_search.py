"""The drawings of a search for settings."""

import numpy as np
import pytest

from ssgan.plots import search
from ssgan.plots.search import ScoredTrial, draw_history, draw_importances


def test_a_history_of_nothing_of_one_and_of_failures_is_an_svg():
    for trials in ([], [ScoredTrial(0, 3.0)], [ScoredTrial(0, None)]):
        assert draw_history(trials, None, "FD").startswith(b"<?xml")


def test_a_score_far_from_the_others_does_not_flatten_them():
    edge = search._upper_edge(np.array([10.0, 11.0, 12.0, 13.0, 1e6]))
    assert 13 <= edge < 100
    assert search._upper_edge(np.array([5.0, 5.0])) == 5
    assert search._upper_edge(np.array([10.0, 11.0, 12.0])) == 12


@pytest.mark.parametrize("order", [["a", "b"], ["b", "a"]])
def test_the_most_important_setting_is_on_top(order, monkeypatch):
    drawn = []
    monkeypatch.setattr(search, "encode_figure", lambda figure, kind: drawn.append(figure) or b"")
    draw_importances({name: {"a": 0.9, "b": 0.1}[name] for name in order})
    labels = [one.get_text() for one in drawn[0].axes[0].get_yticklabels()]
    assert labels == ["b", "a"]  # from the bottom
