"""Bands over runs."""

import statistics

import numpy as np
import pytest

from ssgan.plots.bands import std_band


def test_a_band_is_a_standard_deviation_of_the_runs_each_way():
    low, high = std_band(np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]]))
    assert high - low == pytest.approx([2 * statistics.stdev([1, 2, 6]), 0.0])
    assert (low + high) / 2 == pytest.approx([3.0, 5.0])
