"""Every row depends on its key and its index alone, and the numbers have the right law."""

import math

import pytest
import torch

from ssgan.ops.rng import Key, integers, normal, permutation, philox, uniform

KEY = Key(3, "test", 7)


def words_of(value):
    key = Key(0, "known")
    key.words = value
    return key


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ],
)
def test_philox_gives_the_published_numbers(key, counter, expected):
    """Known-answer vector of Random123 for Philox 4x32-10."""
    got = philox(words_of(key), torch.tensor([counter]), torch.tensor([0]))
    assert [int(word) for word in got] == expected


@pytest.mark.parametrize("draw", [normal, uniform])
def test_a_row_does_not_know_its_batch(draw):
    whole = draw(KEY, torch.arange(20), 5)
    some = torch.tensor([3, 17, 4])
    assert torch.equal(draw(KEY, some, 5), whole[some])
    assert torch.equal(draw(KEY, torch.arange(4), 5), whole[:4])


def test_keys_differ_in_every_part():
    keys = [Key(0, "a", 1), Key(1, "a", 1), Key(0, "b", 1), Key(0, "a", 2), Key(0, "a", 1, 0)]
    draws = [tuple(uniform(key, torch.arange(2), 3).flatten().tolist()) for key in keys]
    assert len(set(draws)) == len(keys)


def test_normal_numbers_have_mean_0_variance_1_and_the_right_tails():
    numbers = normal(KEY, torch.arange(4000), 50).double()
    count = numbers.numel()
    assert abs(numbers.mean()) < 5 / math.sqrt(count)
    assert abs(numbers.var() - 1) < 5 * math.sqrt(2 / count)
    assert abs((numbers.abs() > 2).double().mean() - 0.0455) < 0.003
    correlation = (numbers[:, 0] * numbers[:, 25]).mean()
    assert abs(correlation) < 5 / math.sqrt(4000)


def test_uniform_numbers_fill_zero_to_one():
    numbers = uniform(KEY, torch.arange(4000), 10)
    assert 0 <= numbers.min() < 0.001
    assert 0.999 < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.01


def test_integers_are_even_over_their_range():
    counts = integers(KEY, torch.arange(10_000), 10).bincount(minlength=10)
    assert len(counts) == 10
    assert counts.min() > 850


def test_a_permutation_holds_every_number_once_and_depends_on_the_key():
    order = permutation(KEY, 1000)
    assert torch.equal(order.sort().values, torch.arange(1000))
    assert not torch.equal(order, permutation(Key(3, "test", 8), 1000))
