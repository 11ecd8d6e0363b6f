"""Near duplicates, outliers and a search, on rows whose neighbours are known."""

import numpy as np
import pytest
import torch

from ssgan.evaluation.similarity import (
    NEIGHBOURS_KEPT,
    FeatureScale,
    NearestKept,
    choose_threshold,
    edit_picture,
    extract_rows,
    find_neighbours,
)
from tests.data.pictures import smooth


@pytest.fixture
def rows():
    return torch.randn(40, 5, generator=torch.Generator().manual_seed(0))


def test_neighbours_are_those_of_all_distances(rows):
    found = find_neighbours(rows)
    distances = (rows[:, None] - rows[None]).norm(dim=2).fill_diagonal_(torch.inf)
    nearest = distances.topk(NEIGHBOURS_KEPT, largest=False)
    assert torch.allclose(found.distances, nearest.values, atol=1e-5)
    assert torch.equal(found.places, nearest.indices)


def test_linked_pictures_are_one_group_and_the_largest_comes_first(rows):
    rows[7], rows[31], rows[2] = rows[12] + 0.01, rows[12] + 0.02, rows[39]
    found = find_neighbours(rows)
    assert found.groups(0.1) == [[7, 12, 31], [2, 39]]
    assert found.groups(0.03) == [[7, 12, 31], [2, 39]]  # by a chain: 7 to 31 is farther
    assert found.groups(0.001) == [[2, 39]]


def test_the_picture_without_neighbours_is_the_first_outlier(rows):
    rows[9] += 20
    (first, distance), (_, other) = find_neighbours(rows).outliers(2)
    assert first == 9
    assert distance > 3 * other


def test_two_pictures_are_enough():
    found = find_neighbours(torch.tensor([[0.0, 1.0], [0.0, 3.0]]))
    assert found.distances.tolist() == [[2.0], [2.0]]
    assert found.groups(2.0) == [[0, 1]]


def test_a_search_keeps_the_nearest_of_all_chunks(rows):
    kept = NearestKept(rows[3], 4)
    for start in range(0, 40, 9):
        kept.add(range(start, min(40, start + 9)), rows[start : start + 9])
    wanted = (rows - rows[3]).norm(dim=1).topk(4, largest=False)
    assert [number for _, number in kept.found] == wanted.indices.tolist()


def test_features_are_the_means_of_all_maps_over_quarters_and_are_scaled():
    maps = [torch.arange(32.0).view(1, 2, 4, 4), torch.ones(1, 1, 2, 2)]
    rows = extract_rows(np.zeros((1, 8, 8, 3), np.uint8), lambda _: maps)
    assert rows.tolist() == [[2.5, 4.5, 10.5, 12.5, 18.5, 20.5, 26.5, 28.5, 1, 1, 1, 1]]
    many = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    scaled = FeatureScale.of(many).apply(many)
    assert scaled.abs().tolist() == [[pytest.approx(0.5**0.5), 0.0]] * 2


@pytest.mark.parametrize("channels", [1, 3])
def test_an_edited_copy_is_near_and_not_the_same_at_half_the_side(channels):
    picture = np.asarray(smooth(1, 64, 64))[..., :channels]
    copy = edit_picture(picture, 0)
    assert copy.shape == (32, 32, channels)
    halved = picture.reshape(32, 2, 32, 2, channels).mean(axis=(1, 3))
    difference = np.abs(copy - halved).mean()
    assert 0.5 < difference < 20
    assert np.array_equal(copy, edit_picture(picture, 0))
    assert not np.array_equal(copy, edit_picture(picture, 1))


def test_the_threshold_is_above_the_wanted_share():
    distances = torch.arange(101.0)
    assert choose_threshold(distances, 0.9) == 90
