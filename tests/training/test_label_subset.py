"""A label that is hidden from a run has no influence on it; too few labels are refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.methods.gan import ConditionalGAN
from ssgan.models.norms import BatchNorm
from ssgan.runs.state import fresh_state
from ssgan.training.feed import Feed, select_labels
from ssgan.training.loop import train
from ssgan.training.validation import validate_run
from ssgan.types import UNLABELLED, UserError
from tests.training.tiny import SUCCESSORS, images, tiny, to_the_end

CPU = torch.device("cpu")
HIDDEN = 5  # of 20


def with_share(fraction, **changes):
    method = replace(SUCCESSORS["s3gan"], labelled_fraction=fraction)
    return tiny("s3gan", method=method, **changes)


def story(dataset, **changes):
    """Every loss, every gradient and all weights of three steps, as one list of tensors."""
    told = []
    for report in train(tiny("s3gan", total_steps=3, **changes), dataset):
        told += [value.clone() for value in report.terms.values()]
        for network in (report.state.generator, report.state.discriminator):
            for weight in network.parameters():
                told += [weight.detach().clone(), weight.grad.clone()]
    return told


def shifted(dataset, numbers):
    """The same images, these with the label of the next class."""
    labels = dataset.labels.copy()
    labels[numbers] = (labels[numbers] + 1) % dataset.num_classes
    return replace(dataset, labels=labels)


@pytest.mark.parametrize("changes", [{}, {"augment": True, "accumulation": 2}], ids=str)
def test_hidden_labels_have_no_influence_at_all(changes):
    """Whatever they are: losses, gradients and weights are equal to the bit. Given ones have."""
    if changes:
        changes = {**changes, "method": replace(SUCCESSORS["s3gan"], rotated_fraction=0.5)}
    dataset = images()
    given = select_labels(tiny("s3gan"), dataset)
    hidden = np.flatnonzero(given == UNLABELLED)
    assert len(hidden) == HIDDEN
    told, other = story(dataset, **changes), story(shifted(dataset, hidden), **changes)
    assert all(torch.equal(a, b) for a, b in zip(told, other, strict=True))
    twice = [number for number, label in enumerate(given) if list(given).count(label) == 2]
    third = story(shifted(dataset, twice[:1]), **changes)  # its class keeps another
    assert not all(torch.equal(a, b) for a, b in zip(told, third, strict=True))


def test_the_same_images_are_labelled_from_the_first_step_to_the_last():
    """Over four epochs and any cutting of updates: known by their pixels."""
    config = with_share(0.75, batch_size=4, discriminator_updates=2)
    config = replace(config, data=replace(config.data, mirror=False))
    dataset = images()
    feed, found = Feed(config, dataset, CPU), {}
    for step in range(10):
        for update in range(2):
            ((batch, draw),) = feed.discriminator(step, update)
            assert draw.labels.min() >= 0
            for image, label in zip(batch.images, batch.labels.tolist(), strict=True):
                found.setdefault(image.numpy().tobytes(), set()).add(label)
    assert all(len(labels) == 1 for labels in found.values())
    assert len(found) == len(dataset)
    assert [labels.pop() for labels in found.values()].count(UNLABELLED) == HIDDEN


def test_labels_that_are_given_are_the_images_own():
    dataset = images()
    given = select_labels(tiny("s3gan"), dataset)
    assert np.array_equal(given[given != UNLABELLED], dataset.labels[given != UNLABELLED])


def test_another_seed_gives_other_labels_and_more_of_them_keep_the_first():
    dataset = images()
    dataset = replace(dataset, labels=dataset.labels % 2, classes=dataset.classes[:2])
    shown = {
        (seed, share): set(
            np.flatnonzero(select_labels(with_share(share, seed=seed), dataset) >= 0)
        )
        for seed in (0, 1)
        for share in (0.5, 0.75)
    }
    assert {key: len(numbers) for key, numbers in shown.items()} == {
        (0, 0.5): 10, (0, 0.75): 15, (1, 0.5): 10, (1, 0.75): 15,
    }  # fmt: skip
    assert shown[0, 0.5] < shown[0, 0.75]
    assert shown[0, 0.75] != shown[1, 0.75]


def test_other_methods_are_given_all_labels_or_none():
    dataset = images()
    assert np.array_equal(select_labels(tiny("conditional"), dataset), dataset.labels)
    assert np.array_equal(select_labels(with_share(1.0), dataset), dataset.labels)
    assert select_labels(tiny("ssgan"), dataset) is None


def test_guesses_are_of_the_images_as_the_loss_sees_them():
    """Augmented alike in both passes, so that a guess is of what is scored."""
    config = tiny("s3gan", augment=True, total_steps=1)
    state, seen = fresh_state(config, 10, CPU), []
    state.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    next(train(config, images(), state))
    guessed, scored, _ = seen
    torch.testing.assert_close(guessed, scored[: config.batch_size], rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_guesses_keep_no_weight_from_its_gradient(precision):
    """Weights are first read without a graph, and then with one."""
    (report,) = train(tiny("s3gan", precision=precision, total_steps=1), images())
    for name, weight in report.state.discriminator.named_parameters():
        if name != "heads.real.bias":  # reals and fakes cancel in the middle of the hinge
            assert weight.grad.abs().sum() > 0, name


def test_a_class_without_a_label_is_refused_before_anything_is_written(tmp_path):
    few = r"^S3GAN is given 10 of the 20 labels of scenes.*, none of them of class \w+.*: raise"
    with pytest.raises(UserError, match=few) as error:
        to_the_end(with_share(0.5), tmp_path / "run", images())
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=few):
        next(train(with_share(0.5), images()))


def test_a_class_without_any_image_is_refused_only_where_labels_are_hidden():
    """As for the conditional GAN: what is not there is not missed, unless it might be hidden."""
    dataset = images()
    wider = replace(dataset, classes=(*dataset.classes, "unicorn"))
    with pytest.raises(UserError, match="none of them of class unicorn"):
        next(train(tiny("s3gan"), wider))
    assert next(train(with_share(1.0), wider)).step == 1


def test_fewer_labels_than_classes_are_refused_before_any_decoding():
    few = "S3GAN is given 8 of the 1000 labels of .*, fewer than its 10 classes: raise method.labe"
    with pytest.raises(UserError, match=few):
        validate_run(with_share(0.008), 1000, 10)
    validate_run(with_share(0.01), 1000, 10)
    validate_run(tiny("conditional"), 5, 10)


def test_a_source_without_labels_and_a_generator_that_reads_none_are_refused():
    bare = replace(images(), labels=None, classes=())
    with pytest.raises(UserError, match="S3GAN needs labels"):
        next(train(tiny("s3gan"), bare))
    config = tiny("s3gan")
    config = replace(config, generator=replace(config.generator, norm=BatchNorm()))
    with pytest.raises(UserError, match="S3GAN needs a generator that reads labels"):
        next(train(config, images()))


def test_the_class_head_is_as_wide_as_the_data_has_classes():
    widths = {
        name: fresh_state(tiny(name), 10, CPU).discriminator.heads.auxiliary
        for name in ("ssgan", "s3gan", "conditional")
    }
    assert len(widths["ssgan"].weight) == 4
    assert len(widths["s3gan"].weight) == 14
    assert widths["conditional"] is None
    assert ConditionalGAN().auxiliary_width_for(10) == 0


def unlabelled(dataset, numbers):
    """The same images, these without a label."""
    labels = dataset.labels.copy()
    labels[numbers] = UNLABELLED
    return replace(dataset, labels=labels)


def test_a_conditional_method_refuses_images_without_a_label_and_names_one_that_does_not():
    dataset = unlabelled(images(), [3, 4, 5, 6, 7])
    with pytest.raises(UserError) as it:
        next(train(tiny("conditional"), dataset))
    assert "ConditionalGAN is to use 20 labels" in str(it.value)
    assert "has labels for 15 of its 20 images" in str(it.value)
    assert str(it.value).endswith("--method S3GAN --method.labelled_fraction 0.75")
    with pytest.raises(UserError, match=r"set method\.labelled_fraction to at most 0\.75"):
        next(train(with_share(1.0), dataset))
    next(train(tiny("ssgan"), dataset))


def test_s3gan_learns_from_a_partly_labelled_set():
    """It uses labelled images only, as many as the fraction says."""
    missing = [1, 4]
    two = replace(images(), labels=images().labels % 2, classes=("even", "odd"))
    dataset, config = unlabelled(two, missing), with_share(0.9)
    labels = select_labels(config, dataset)
    assert [k for k in range(len(dataset)) if labels[k] == UNLABELLED] == missing
    last = list(train(config, dataset))[-1]
    assert all(torch.isfinite(value) for value in last.terms.values())
    fewer = select_labels(with_share(0.85), dataset)
    assert (fewer != UNLABELLED).sum() == 17
    assert (fewer[missing] == UNLABELLED).all()


def test_fakes_are_of_classes_with_images():
    """Names of classes without images, as in a filtered set, are never drawn."""
    dataset = images()
    names = tuple(f"n{k}" for k in range(1000))
    sparse = replace(dataset, labels=dataset.labels % 4 * 300 + 7, classes=names)
    feed = Feed(tiny("conditional"), sparse, CPU, seed=0)
    drawn = {int(y) for step in range(20) for draw in feed.generator(step) for y in draw.labels}
    assert drawn == {7, 307, 607, 907}
