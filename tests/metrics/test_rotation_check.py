"""The rotation check, on images of which the answer is known."""

import pytest
import torch

from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.rotation_check import check_rotations
from ssgan.types import UserError
from tests.metrics.pictures import pictures
from tests.reference.losses import rotate_by_index


def noise(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)


def turned_at_random(images):
    quarters = torch.randint(4, (len(images),), generator=torch.Generator().manual_seed(3))
    return torch.stack([i.rot90(int(r), (1, 2)) for i, r in zip(images, quarters, strict=True)])


def test_pictures_with_a_sky_are_told_and_it_is_said_that_this_is_easy():
    report = check_rotations(pictures(300, 0))
    assert report.accuracy > 0.95
    assert report.is_warning
    assert report.num_images == 256
    assert "the rotation task is easy here" in report.sentence


@pytest.mark.parametrize("images", [noise(256), turned_at_random(pictures(120, 1))])
def test_images_without_an_upright_turn_are_at_chance_and_it_is_said(images):
    """Whatever was fitted to, the tested images are others: no share above chance."""
    report = check_rotations(images)
    assert abs(report.accuracy - 0.25) < 0.06
    assert "look much alike when rotated" in report.sentence


def test_in_between_there_is_no_warning():
    """Half of the images can be recognised, and the checked ones are spread over all."""
    report = check_rotations(torch.cat([noise(256), pictures(256, 2)]))
    assert 0.5 < report.accuracy < 0.8
    assert report.sentence == (
        f"{report.accuracy:.0%} recognised by a linear classifier on simple features (chance 25%)"
    )


def told_in(share):
    """Images whose rotations are recognised in about that share: pictures among noise."""
    easy = (torch.arange(256) * 4 % 256) + torch.arange(256) * 4 // 256 < (
        share - 0.25
    ) / 0.75 * 256
    return torch.where(easy[:, None, None, None], pictures(256, 2), noise(256))


def test_the_limit_of_too_easy_is_between_other_images_and_faces():
    """Real faces reach 94 % and more; a brick wall, digits and clothes 89 % and less."""
    below, above = check_rotations(told_in(0.87)), check_rotations(told_in(0.94))
    assert 0.85 < below.accuracy < 0.895
    assert not below.is_warning
    assert 0.925 < above.accuracy < 0.949
    assert above.is_warning
    assert "the rotation task is easy here" in above.sentence


def test_what_stands_at_one_place_in_all_images_is_seen():
    """A faint pattern of small patches, as of aligned faces, in noise that means over all hide."""
    pattern = torch.zeros(32, 32)
    pattern[8:12, 4:12] = pattern[8:12, 20:28] = pattern[24:28, 12:20] = -40
    images = (noise(200) / 2 + 60 + pattern).to(torch.uint8)
    report = check_rotations(images)
    assert report.accuracy > 0.95
    assert report.is_warning


def test_the_share_is_that_of_a_ridge_classifier_written_out():
    """Turned by index arithmetic; fitted by least squares on rows that hold the penalty."""
    blocks = noise(100)[:, :, ::4, ::4]
    blocks = blocks // 4 * 3 + torch.arange(0, 64, 8).to(torch.uint8)  # a little lighter rightwards
    in_rotations = [rotate_by_index(image, quarter) for image in blocks for quarter in range(4)]
    means = torch.stack(in_rotations).double().mean(1).unflatten(1, (8, 1)).unflatten(3, (8, 1))
    rows = RandomFeatures()(torch.stack(in_rotations)).double()
    rows = torch.cat([rows, means.mean((2, 4)).flatten(1)], 1).unflatten(0, (100, 4))
    correct = 0
    for fold in range(4):
        fitted = torch.cat([rows[n] for n in range(100) if n % 4 != fold])
        mean, spread = fitted.mean(0), fitted.std(0)
        size = (0.1 * len(fitted)) ** 0.5
        inputs = torch.cat([(fitted - mean) / spread, size * torch.eye(320, dtype=torch.float64)])
        wanted = torch.cat([torch.eye(4).repeat(75, 1) - 0.25, torch.zeros(320, 4)]).double()
        weights = torch.linalg.lstsq(inputs, wanted).solution
        for n in range(fold, 100, 4):
            for quarter in range(4):
                correct += int(((rows[n, quarter] - mean) / spread @ weights).argmax()) == quarter
    accuracy = check_rotations(blocks).accuracy
    assert accuracy == pytest.approx(correct / 400, abs=0.0026)  # one near tie at most
    assert 0.35 < accuracy < 0.9


def test_grey_images_will_do_and_too_few_will_not():
    assert check_rotations(pictures(120, 0)[:, :1]).accuracy > 0.8
    with pytest.raises(UserError, match="99 images are too few for a rotation check; it needs 100"):
        check_rotations(pictures(99, 0))
