"""The check of whether turns can be told, on images of which the answer is known."""

import pytest
import torch

from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.turnability import turn_report
from ssgan.types import UserError
from tests.metrics.pictures import pictures
from tests.reference.losses import turned_by_index


def noise(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)


def turned_at_random(images):
    turns = torch.randint(4, (len(images),), generator=torch.Generator().manual_seed(3))
    return torch.stack([i.rot90(int(r), (1, 2)) for i, r in zip(images, turns, strict=True)])


def test_pictures_with_a_sky_are_told_and_it_is_said_that_this_is_easy():
    report = turn_report(pictures(300, 0))
    assert report.accuracy > 0.95
    assert report.num_images == 256
    assert "the rotation task is easy here" in report.sentence


@pytest.mark.parametrize("images", [noise(256), turned_at_random(pictures(120, 1))])
def test_images_without_an_upright_turn_are_at_chance_and_it_is_said(images):
    """Whatever was fitted to, the tested images are others: no share above chance."""
    report = turn_report(images)
    assert abs(report.accuracy - 0.25) < 0.06
    assert "look much alike when turned" in report.sentence


def test_in_between_there_is_no_warning():
    """Half of the images can be told, and those that are looked at are spread over all."""
    report = turn_report(torch.cat([noise(256), pictures(256, 2)]))
    assert 0.5 < report.accuracy < 0.8
    assert report.sentence == (
        f"{report.accuracy:.0%} recognised by a linear classifier on simple features (chance 25%)"
    )


def test_the_share_is_that_of_a_ridge_classifier_written_out():
    """Turned by index arithmetic; fitted by least squares on rows that hold the penalty."""
    blocks = noise(100)[:, :, ::4, ::4]
    blocks = blocks // 4 * 3 + torch.arange(0, 64, 8).to(torch.uint8)  # a little lighter rightwards
    in_turns = [turned_by_index(image, turn) for image in blocks for turn in range(4)]
    rows = RandomFeatures()(torch.stack(in_turns)).double().unflatten(0, (100, 4))
    told = 0
    for fold in range(4):
        fitted = torch.cat([rows[n] for n in range(100) if n % 4 != fold])
        mean, spread = fitted.mean(0), fitted.std(0)
        size = (0.1 * len(fitted)) ** 0.5
        inputs = torch.cat([(fitted - mean) / spread, size * torch.eye(256, dtype=torch.float64)])
        wanted = torch.cat([torch.eye(4).repeat(75, 1) - 0.25, torch.zeros(256, 4)]).double()
        weights = torch.linalg.lstsq(inputs, wanted).solution
        for n in range(fold, 100, 4):
            for turn in range(4):
                told += int(((rows[n, turn] - mean) / spread @ weights).argmax()) == turn
    accuracy = turn_report(blocks).accuracy
    assert accuracy == pytest.approx(told / 400, abs=0.0026)  # one near tie at most
    assert 0.35 < accuracy < 0.9


def test_grey_images_will_do_and_too_few_will_not():
    assert turn_report(pictures(120, 0)[:, :1]).accuracy > 0.8
    with pytest.raises(UserError, match="99 images are too few to tell turns by; it needs 100"):
        turn_report(pictures(99, 0))
