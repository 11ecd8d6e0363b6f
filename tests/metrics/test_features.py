from itertools import pairwise

import pytest
import torch

from ssgan.metrics.features import RandomFeatures, to_three_channels
from ssgan.metrics.frechet import frechet_distance
from tests.metrics.pictures import blurred, noisy, pictures

FEATURES = RandomFeatures()


REAL = FEATURES(pictures(400, seed=1))


def distance_to(images):
    return frechet_distance(REAL, FEATURES(images))


@pytest.fixture(scope="module")
def clean():
    return pictures(400, seed=2)


@pytest.fixture(scope="module")
def floor(clean):
    """What other clean pictures score."""
    return distance_to(clean)


@pytest.mark.parametrize(
    "damage",
    [
        lambda x: [blurred(x, 3), blurred(x, 5), blurred(x, 7)],
        lambda x: [noisy(x, 8), noisy(x, 16), noisy(x, 32)],
        lambda x: [(x * 0.9).byte(), (x * 0.7).byte(), (x * 0.5).byte()],
        lambda x: [torch.cat([x[k:].flip(1), x[:k]]) for k in (300, 200, 0)],  # colour swap
    ],
    ids=["blur", "noise", "darkness", "swap"],
)
def test_the_worse_the_damage_the_larger_the_distance(clean, floor, damage):
    scores = [floor, *map(distance_to, damage(clean))]
    assert all(better < 0.9 * worse for better, worse in pairwise(scores))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_rotated_images_are_farther_than_upright_ones(clean, floor, quarters):
    assert distance_to(clean.rot90(quarters, (2, 3))) > 3 * floor


def test_the_fewer_kinds_the_larger_the_distance(floor):
    three = torch.cat([pictures(134, seed=3 + k, kind=k) for k in range(3)])[:400]
    two = torch.cat([pictures(200, seed=3 + k, kind=k) for k in range(2)])
    one = pictures(400, seed=3, kind=0)
    scores = [floor, distance_to(three), distance_to(two), distance_to(one)]
    assert scores == sorted(scores)
    assert scores[-1] > 2 * floor


def test_the_network_is_the_same_one_everywhere():
    """The identity is a law; the values may differ in the last bits between machines."""
    images = (torch.arange(2 * 3 * 32 * 32) * 7919 % 256).reshape(2, 3, 32, 32).byte()
    row = FEATURES(images)[0].double()
    assert FEATURES.identity == RandomFeatures().identity == GOLDEN_IDENTITY
    golden = torch.tensor(GOLDEN_VALUES, dtype=torch.float64)
    torch.testing.assert_close(row[[0, 20, 100, 255]], golden, rtol=1e-4, atol=1e-5)


GOLDEN_IDENTITY = "466408b092c5b19035951170a20e35c4a07cb323f3ec18edc85509d427ddcdd1"
GOLDEN_VALUES = [0.2111560255, 0.4014395475, 0.5456956625, 0.9083080888]


def test_features_do_not_depend_on_the_batch_or_the_order():
    images = pictures(130, seed=4)
    whole = FEATURES(images)
    for size in (1, 7, 64):
        torch.testing.assert_close(
            torch.cat([FEATURES(part) for part in images.split(size)]), whole, rtol=1e-5, atol=1e-6
        )
    order = torch.randperm(130, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(FEATURES(images[order]), whole[order], rtol=1e-5, atol=1e-6)


def test_the_distance_does_not_depend_on_the_batch_size():
    real, fake = FEATURES(pictures(130, seed=4)), pictures(130, seed=5)
    at_once = frechet_distance(real, FEATURES(fake))
    one_by_one = frechet_distance(real, torch.cat([FEATURES(part) for part in fake.split(7)]))
    assert one_by_one == pytest.approx(at_once, rel=1e-6)


def test_drawing_features_leaves_the_global_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    RandomFeatures()(pictures(2, seed=0))
    assert torch.equal(before, torch.get_rng_state())


def test_grey_is_the_same_picture_with_three_equal_channels():
    grey = pictures(5, seed=6)[:, :1]
    assert torch.equal(FEATURES(grey), FEATURES(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("side", [28, 48, 64])
def test_any_size_is_taken_and_a_larger_picture_is_nearly_the_same(side):
    small = pictures(4, seed=7)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert FEATURES(torch.zeros(2, 3, side, side, dtype=torch.uint8)).shape == (2, 256)
    assert (FEATURES(large) - FEATURES(small)).abs().mean() < 0.1


def test_float_images_and_other_channels_are_refused():
    with pytest.raises(Exception, match=r"(?i)uint8"):
        FEATURES(torch.zeros(2, 3, 32, 32))
    with pytest.raises(Exception, match="channels"):
        to_three_channels(torch.zeros(2, 5, 32, 32, dtype=torch.uint8))


def test_an_empty_batch_gives_no_rows():
    assert FEATURES(torch.zeros(0, 3, 32, 32, dtype=torch.uint8)).shape == (0, 256)
