"""Batches, updates and measurements of the forgetting experiment, against plain forms."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.nn import functional as F

from ssgan.evaluation.splits import split
from ssgan.losses import NonSaturating
from ssgan.models.resnet import ResNetDiscriminator
from ssgan.ops.rng import Key
from ssgan.ops.spectral_norm import advance_spectral_norm
from ssgan.studies.forgetting import step as forgetting_step
from ssgan.studies.forgetting.step import (
    Learner,
    TaskImages,
    as_discriminator,
    build_learner,
    classifier_loss,
    learn,
    measure,
)
from ssgan.types import NonFinite, Scores
from tests.studies.tasks import corners, numbered, tiny

CPU = torch.device("cpu")
EXACT = {"precision": "float64"}


def numbers_in(images):
    """The rows that images of `numbered` are."""
    assert images.flatten(1).std(dim=1).max() == 0
    return ((images[:, 0, 0, 0].double() + 1) * 127.5).round().long().tolist()


class Brightness(nn.Module):
    """Predicts the class for bright images, and the rotation by the brightest corner."""

    def forward(self, images, labels=None):
        half = images.shape[-1] // 2
        mean = images.mean(dim=(1, 2, 3))
        places = [(0, 1), (0, 0), (1, 0), (1, 1)]  # of a corner that is upright at the top right
        corners = [
            images[:, :, y * half : y * half + half, x * half : x * half + half].mean(dim=(1, 2, 3))
            for y, x in places
        ]
        return Scores(mean + 0.8, torch.stack(corners, dim=1), mean[:, None])


def brightness_learner():
    return Learner(Brightness(), torch.optim.Adam([torch.zeros(1, requires_grad=True)]))


@dataclass(frozen=True)
class Broken(NonSaturating):
    """Never a number."""

    def discriminator(self, real, fake):
        return real.mean() * float("nan") + fake.mean()


def test_every_batch_is_half_the_class_and_half_others_in_turn_from_the_training_images():
    data = numbered()
    parts = split(data, None, seed=0)
    images = TaskImages(tiny(), parts, CPU)
    seen = set()
    for step in range(9):
        batch = images.batch(step)
        rows = numbers_in(batch.images)
        labels = data.labels[rows]
        assert (labels[0::2] == step // 3).all()
        assert (labels[1::2] != step // 3).all()
        assert len(rows) == batch.global_size == 8
        seen |= set(rows)
    assert seen <= set(parts.train.rows.tolist())
    assert len(seen) > 25  # of 48: not the same few again


def test_a_batch_depends_on_the_seed_and_the_step_and_not_on_the_variant():
    parts = corners()
    plain, rotated = (TaskImages(tiny(rotation=r), parts, CPU) for r in (0.0, 1.0))
    other = TaskImages(tiny(seed=1), parts, CPU)
    assert torch.equal(plain.batch(4).images, rotated.batch(4).images)
    assert not torch.equal(plain.batch(4).images, plain.batch(3).images)
    assert not torch.equal(plain.batch(4).images, other.batch(4).images)


def test_images_are_between_minus_one_and_one_as_they_were_stored():
    data, parts = numbered(), split(numbered(), None, seed=0)
    batch = TaskImages(tiny(**EXACT), parts, CPU).batch(0)
    rows = numbers_in(batch.images)
    stored = data.images[rows].transpose(0, 3, 1, 2).astype(np.float64)
    np.testing.assert_allclose(batch.images.numpy(), stored / 127.5 - 1, atol=1e-15)


@pytest.mark.parametrize("test_images", [1000, 7])
def test_accuracy_is_sklearn_s_balanced_accuracy_of_the_held_out_images(test_images):
    data = numbered(100)
    parts = split(numbered(60), data, seed=0)
    settings = tiny(test_images=test_images, rotation=0.0, **EXACT)
    images = TaskImages(settings, parts, CPU)
    for label in range(3):
        task = settings.task(3 * label, 3)
        own, rest = (
            [n for some in side for n in numbers_in(some)] for side in images.test_batches(task)
        )
        assert all(data.labels[own] == label)
        assert all(data.labels[rest] != label)
        assert len(own) == min(test_images, (data.labels == label).sum())
        assert len(rest) == min(test_images, (data.labels != label).sum())
        rows = np.array(own + rest)
        predicted = rows / 127.5 - 1 + 0.8 > 0
        expected = balanced_accuracy_score(data.labels[rows] == label, predicted)
        found = measure(brightness_learner(), images, task)
        assert found.accuracy == pytest.approx(expected, abs=1e-12)
        assert found.class_recall == pytest.approx(predicted[: len(own)].mean())
        logits = torch.from_numpy(rows / 127.5 - 0.2)
        truth = torch.from_numpy((data.labels[rows] == label).astype(float))
        each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        assert found.loss == pytest.approx(each[: len(own)].mean() + each[len(own) :].mean())
        assert found.rotation_accuracy is None


def test_rotation_accuracy_is_over_all_four_rotations_of_every_image(monkeypatch):
    parts = corners()
    settings = tiny(**EXACT)
    images = TaskImages(settings, parts, CPU)
    expected = []
    for pixels in parts.test.dataset.images[parts.test.rows]:
        for rotation in range(4):
            seen = np.rot90(pixels.astype(np.float64), rotation)
            corner = [seen[:16, 16:], seen[:16, :16], seen[16:, :16], seen[16:, 16:]]
            expected.append(np.argmax([c.mean() for c in corner]) == rotation)
    assert 0.2 < np.mean(expected) < 0.5  # one class of three is upright there
    monkeypatch.setattr(forgetting_step, "_AT_ONCE", 4)  # batches of unlike sizes
    found = measure(brightness_learner(), images, settings.task(0, 3))
    assert found.rotation_accuracy == pytest.approx(np.mean(expected))


def test_measuring_changes_nothing():
    parts, settings = corners(), tiny()
    learner, images = build_learner(settings, CPU), TaskImages(settings, parts, CPU)
    learn(learner, images)
    before = copy.deepcopy(learner.network.state_dict())
    measure(learner, images, settings.task(1, 3))
    after = learner.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert learner.network.training


def test_both_variants_start_from_the_same_weights():
    one, other = (build_learner(tiny(rotation=r), CPU).network.state_dict() for r in (0.0, 1.0))
    assert all(torch.equal(one[name], other[name]) for name in one)
    third = build_learner(tiny(seed=1), CPU).network.state_dict()
    assert not torch.equal(one["blocks.0.conv1.weight"], third["blocks.0.conv1.weight"])


def test_without_rotation_the_experiment_is_a_plain_loop_and_the_second_head_never_moves():
    settings, parts = tiny(rotation=0.0, **EXACT), corners()
    learner, images = build_learner(settings, CPU), TaskImages(settings, parts, CPU)
    torch.manual_seed(Key(0, "weights").words[0])
    plain = settings.network.build(settings.preprocessing.shape, 4, 0).double()
    optimizer = torch.optim.Adam(plain.parameters(), lr=2e-4, betas=(0.5, 0.999))
    start, first = (
        layer.weight.detach().clone() for layer in (plain.heads.auxiliary, plain.blocks[0].conv1)
    )
    for step in range(7):
        learn(learner, images)
        advance_spectral_norm(plain)
        truth = torch.tensor([1.0, 0.0] * 4, dtype=torch.float64)
        logits = plain(images.batch(step).images).real
        each = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        optimizer.zero_grad()
        (2 * each.mean()).backward()
        optimizer.step()
    assert learner.step == 7
    for found, expected in zip(learner.network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    assert torch.equal(learner.network.heads.auxiliary.weight, start)
    assert not torch.equal(learner.network.blocks[0].conv1.weight, first)


def test_the_rotation_loss_is_that_of_the_last_quarter_image_by_image():
    settings, parts = tiny(rotation=0.7, **EXACT), corners()
    network = build_learner(settings, CPU).network
    images = TaskImages(settings, parts, CPU).batch(4)
    loss = classifier_loss(settings, as_discriminator(settings, network), images)
    logits = [network(image[None]).real for image in images.images]
    of_class = (
        sum(F.softplus(-x) for x in logits[0::2]) / 4 + sum(map(F.softplus, logits[1::2])) / 4
    )
    of_rotation = [
        -F.log_softmax(
            network(torch.from_numpy(np.rot90(image.numpy(), rotation, axes=(1, 2)).copy())[None])
            .auxiliary[0], dim=0,
        )[rotation]
        for image in images.images[6:]
        for rotation in range(4)
    ]  # fmt: skip
    expected = of_class + 0.7 * sum(of_rotation) / 8
    torch.testing.assert_close(loss.total[None], expected, rtol=1e-10, atol=1e-12)
    plain = classifier_loss(
        tiny(rotation=0.0, **EXACT), as_discriminator(settings, network), images
    )
    torch.testing.assert_close(plain.total[None], of_class, rtol=1e-10, atol=1e-12)


def test_with_rotation_the_second_head_learns():
    settings = tiny()
    learner, images = build_learner(settings, CPU), TaskImages(settings, corners(), CPU)
    start = learner.network.heads.auxiliary.weight.detach().clone()
    terms = learn(learner, images)
    names = {"classifier/class", "classifier/rotation", "classifier/gradient_norm"}
    assert terms.keys() == names
    assert not torch.equal(learner.network.heads.auxiliary.weight, start)


def test_an_update_that_is_no_number_changes_nothing():
    settings = tiny(loss=Broken())
    learner, images = build_learner(settings, CPU), TaskImages(settings, corners(), CPU)
    before = copy.deepcopy(learner.network.state_dict())
    with pytest.raises(NonFinite, match="classifier/class"):
        learn(learner, images)
    after = learner.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert learner.step == 0


def test_a_task_that_can_be_learnt_is_learnt():
    """One corner against the others, for 60 updates of a small network."""
    network = ResNetDiscriminator(width=1 / 16, spectral=False, pooling="sum")
    settings = tiny(iterations_per_task=60, batch_size=16, rotation=0.0, network=network)
    parts = corners()
    learner, images = build_learner(settings, CPU), TaskImages(settings, parts, CPU)
    for _ in range(60):
        learn(learner, images)
    assert measure(learner, images, settings.task(59, 3)).accuracy > 0.8
    assert measure(learner, images, settings.task(60, 3)).accuracy < 0.6
