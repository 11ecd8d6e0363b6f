import numpy as np
import pytest
import torch

from ssgan.metrics.knn import distance_blocks, neighbour_radii
from ssgan.metrics.precision_recall import measure_authenticity, precision_recall
from ssgan.types import UserError


def normal(count, size, seed, shift=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return shift + scale * torch.randn(count, size, generator=generator, dtype=torch.float64)


def by_definition(real, fake, k):
    """The four definitions, from the full table of differences, in numpy."""

    def table(a, b):
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))

    r, f = real.numpy(), fake.numpy()
    real_radii = np.sort(table(r, r), axis=1)[:, k]  # place 0 is the image itself
    fake_radii = np.sort(table(f, f), axis=1)[:, k]
    across = table(r, f)
    return (
        (across < real_radii[:, None]).any(0).mean(),
        (across < fake_radii[None]).any(1).mean(),
        (across < real_radii[:, None]).sum(0).mean() / k,
        (across.min(1) < real_radii).mean(),
    )


@pytest.mark.parametrize(("n", "m"), [(60, 60), (31, 80), (80, 31)])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_are_the_definitions(n, m, k):
    real, fake = normal(n, 3, 0), normal(m, 3, 1, shift=0.5, scale=0.8)
    found = precision_recall(real, fake, k=k)
    np.testing.assert_allclose(found[:4], by_definition(real, fake, k), rtol=1e-12)
    assert 0.05 < found.recall < found.precision < 0.999  # the case tells them apart


def test_blocks_do_not_change_the_answer(monkeypatch):
    real, fake = normal(50, 3, 0), normal(70, 3, 1)
    whole = precision_recall(real, fake)
    monkeypatch.setattr("ssgan.metrics.knn._CELLS", 200)
    assert precision_recall(real, fake) == whole


def test_a_missing_mode_costs_recall_and_stray_samples_cost_precision():
    two = torch.cat([normal(100, 2, 0), normal(100, 2, 1, shift=20)])
    one = normal(100, 2, 2)
    dropped, strayed = precision_recall(two, one), precision_recall(one, two)
    assert dropped.precision > 0.9 > 0.6 > dropped.recall
    assert dropped.coverage < 0.6
    assert strayed.recall > 0.9 > 0.6 > strayed.precision


def test_distances_are_exact_for_copies_and_near_copies():
    """The product form alone gives 1e-5 for both; far offsets make it worse."""
    x = normal(30, 200, 0, shift=1e4)
    y = x.clone()
    y[:, 0] += 1e-3
    same = torch.cat([block for _, block in distance_blocks(x, x)])
    near = torch.cat([block for _, block in distance_blocks(x, y)])
    assert torch.equal(same.diagonal(), torch.zeros(30, dtype=torch.float64))
    torch.testing.assert_close(near.diagonal(), (x - y)[:, 0].abs(), rtol=1e-8, atol=0)
    expected = (x[:, None] - y[None]).square().sum(-1).sqrt()
    torch.testing.assert_close(near, expected, rtol=1e-9, atol=0)


def test_too_few_images_are_refused():
    with pytest.raises(UserError, match="5-th nearest neighbour needs more than 5 images, not 5"):
        precision_recall(normal(5, 3, 0), normal(50, 3, 1))
    with pytest.raises(UserError, match="needs more than 0"):
        neighbour_radii(normal(5, 3, 0), 0)


def test_the_share_is_the_definition():
    training, samples = normal(50, 3, 0), normal(40, 3, 1)
    across = np.linalg.norm(samples.numpy()[:, None] - training.numpy()[None], axis=-1)
    within = np.linalg.norm(training.numpy()[:, None] - training.numpy()[None], axis=-1)
    np.fill_diagonal(within, np.inf)
    nearest = across.argmin(1)
    found = measure_authenticity(training, samples)
    expected = (across.min(1) < within.min(1)[nearest]).mean()
    np.testing.assert_array_equal(found.nearest.numpy(), nearest)
    np.testing.assert_allclose(found.distances.numpy(), across.min(1), rtol=1e-10)
    assert found.authenticity == pytest.approx(1 - expected)
    assert 0 < found.authenticity < 1
    assert found.duplicates == 0
    assert found.median_spacing == pytest.approx(torch.from_numpy(within.min(1)).median().item())


def test_copies_are_counted_even_of_images_that_occur_twice():
    training = torch.cat([normal(20, 4, 0), normal(20, 4, 0)])
    samples = torch.cat([training[:5], normal(5, 4, 9) + 100])
    found = measure_authenticity(training, samples)
    assert found.duplicates == 0.5
    assert found.authenticity == 0.5


def test_near_copies_stand_out_against_held_out_images():
    training, held_out = normal(300, 8, 0), normal(300, 8, 1)
    level = measure_authenticity(training, held_out).authenticity
    leaked = measure_authenticity(training, training + 1e-3 * normal(300, 8, 2))
    assert leaked.authenticity == 0 < level - 0.3
    assert leaked.duplicates == 0


def test_one_training_image_has_no_spacing():
    with pytest.raises(UserError, match="1 training images are too few"):
        measure_authenticity(normal(1, 3, 0), normal(4, 3, 1))


def test_equal_images_against_themselves_are_precise_and_recalled():
    """The distance to the 5th nearest other image is 0, and no open ball of radius 0 holds any."""
    equal = normal(1, 3, 0).repeat(40, 1)
    assert precision_recall(equal, equal) == (1, 1, 1, 1, 5)
    assert precision_recall(equal, equal + 1)[:4] == (0, 0, 0, 0)


def test_copies_in_a_set_are_its_images_too():
    """Half of the images are one blank picture. As copies that differ by a little, so as equal."""
    others = [normal(20, 3, seed) for seed in (0, 1)]
    blank = torch.full((20, 3), 9.0, dtype=torch.float64)
    real, fake = (torch.cat([own, blank]) for own in others)
    apart = precision_recall(*others)
    found = precision_recall(real, fake)
    for share in ("precision", "recall", "coverage"):
        assert getattr(found, share) == (getattr(apart, share) + 1) / 2
    assert found.density == pytest.approx((apart.density + 1) / 2)
    near = [torch.cat([own, blank + 1e-6 * normal(20, 3, 7 + k)]) for k, own in enumerate(others)]
    assert precision_recall(*near).density == pytest.approx(found.density, abs=0.15)


def test_a_generator_that_makes_one_real_image_is_precise_and_recalls_it_alone():
    real = normal(40, 3, 0)
    found = precision_recall(real, real[:1].repeat(40, 1))
    assert found.precision == 1
    assert found.recall == 1 / 40
