"""Rows of the global batch, found from any part of it."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from ssgan.types import last_rows


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 3), st.sampled_from([0.25, 0.5, 1.0]))
def test_parts_together_hold_exactly_the_last_rows(quarter, parts, update, fraction):
    size = 4 * quarter * parts
    index = torch.arange(update * size, (update + 1) * size)
    chosen = []
    for part in range(parts):
        places = index[part::parts]
        chosen += places[last_rows(places, size, fraction)].tolist()
    first = size - round(fraction * size)
    assert sorted(chosen) == index[first:].tolist()


def test_no_rows_of_nothing():
    """x[-n:] is everything when n is 0; a slice by places is not."""
    index = torch.arange(8)
    rows = last_rows(index[:4], 8, 0.25)
    assert index[:4][rows].tolist() == []
