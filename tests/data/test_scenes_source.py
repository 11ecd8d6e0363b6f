from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from numpy.typing import NDArray

from ssgan.data.base import Preprocessing
from ssgan.data.scenes.random import RandomStream
from ssgan.data.scenes.source import Objects, RenderedSource, Scenes
from ssgan.data.scenes.textures import paint_backdrop
from ssgan.types import ImageShape, UserError


def drawn(
    numbers: range,
    *,
    seed: int = 0,
    size: int = 32,
    channels: int = 3,
    kind: type[RenderedSource] = Scenes,
) -> NDArray[np.uint8]:
    preprocessing = Preprocessing(shape=ImageShape(channels=channels, size=size))
    return np.stack(list(kind(seed=seed).open().read(numbers, preprocessing)))


@cache
def thousand() -> NDArray[np.uint8]:
    return drawn(range(1000))


def small(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The means over squares of 4 x 4 pixels, [N, 8, 8, 3], about 0."""
    means: NDArray[np.float64] = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    return means / 255.0 - 0.5


def accuracy_of_ridge(
    x: NDArray[np.float64], y: NDArray[np.int64], held_out: NDArray[np.bool_]
) -> float:
    """Least squares on one-hot targets with a small penalty: the share right among `held_out`."""
    x = np.hstack([x.reshape(len(x), -1), np.ones((len(x), 1))])
    known = x[~held_out]
    targets = np.eye(y.max() + 1)[y[~held_out]]
    weights = np.linalg.solve(known.T @ known + 0.3 * np.eye(x.shape[1]), known.T @ targets)
    return float(((x[held_out] @ weights).argmax(axis=1) == y[held_out]).mean())


@pytest.mark.parametrize("size", [8, 17, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [Objects, Scenes])
def test_every_size_and_number_of_channels_is_drawn(
    size: int, channels: int, kind: type[RenderedSource]
) -> None:
    images = drawn(range(10), size=size, channels=channels, kind=kind)
    assert images.shape == (10, size, size, channels)
    assert images.dtype == np.uint8
    assert images.std(axis=(1, 2)).min() > 8.0, "a picture is nearly empty"


@pytest.mark.parametrize("size", [24, 64])
@pytest.mark.parametrize("kind", [Objects, Scenes])
def test_a_picture_does_not_depend_on_what_is_drawn_with_it(
    size: int, kind: type[RenderedSource]
) -> None:
    """Same bytes whether read alone, in odd chunks, with a stride or all at once."""
    draw = partial(drawn, size=size, kind=kind)
    whole = draw(range(61))
    alone = [draw(range(k, k + 1)) for k in range(12)]
    assert np.array_equal(np.concatenate(alone), whole[:12])
    parts = [range(7), range(7, 30), range(30, 61)]
    assert np.array_equal(np.concatenate([draw(part) for part in parts]), whole)
    assert np.array_equal(draw(range(3, 61, 9)), whole[3::9])


def test_a_shorter_set_is_the_beginning_of_a_longer_one() -> None:
    preprocessing = Preprocessing(shape=ImageShape(channels=3, size=32))
    short = Scenes(num_images=25).open()
    assert np.array_equal(np.stack(list(short.read(range(25), preprocessing))), thousand()[:25])
    assert short.labels() == Scenes().open().labels()[:25]


def test_no_two_pictures_are_equal_and_another_seed_draws_others() -> None:
    pictures = {image.tobytes() for image in thousand()}
    pictures |= {image.tobytes() for image in drawn(range(100), seed=1)}
    assert len(pictures) == 1100


def test_every_ten_pictures_hold_each_class_once_in_an_order_that_changes() -> None:
    labels = np.array(Scenes(num_images=1005).open().labels())
    tens = labels[:1000].reshape(100, 10)
    assert (np.sort(tens, axis=1) == np.arange(10)).all()
    assert len({tuple(row) for row in tens}) > 90
    assert len(labels) == 1005
    assert labels.tolist() != list(Scenes(num_images=1005, seed=1).open().labels())


def test_a_linear_classifier_tells_the_four_turns() -> None:
    """Each picture in all four rotations; those of the last 300 pictures are held out."""
    rotated = np.concatenate([np.rot90(small(thousand()), r, axes=(1, 2)) for r in range(4)])
    quarters, picture = np.divmod(np.arange(4000), 1000)
    assert accuracy_of_ridge(rotated, quarters, picture >= 700) > 0.95


def test_up_is_up() -> None:
    """The sky above differs from the ground below, and mostly is the bluer of the two."""
    images = thousand().astype(np.float64)
    top, bottom = images[:, :4].mean(axis=(1, 2)), images[:, -4:].mean(axis=(1, 2))
    assert (np.abs(top - bottom).max(axis=1) > 10).mean() > 0.9
    blueness = (top - bottom)[:, 2] - (top - bottom)[:, 0]
    assert (blueness > 0).mean() > 0.75


def test_classes_can_be_told_apart_from_few_pixels() -> None:
    """A linear look at 8 x 8 pixels is far above the 10 % of guessing."""
    labels = np.array(Scenes(num_images=1000).open().labels())
    assert accuracy_of_ridge(small(thousand()), labels, np.arange(1000) >= 700) > 0.35


def test_grey_is_the_brightness_of_the_colours() -> None:
    expected = drawn(range(20)) @ np.array([0.299, 0.587, 0.114])
    assert np.abs(drawn(range(20), channels=1)[..., 0] - expected).max() <= 0.501


def test_a_larger_picture_shows_the_same_scene() -> None:
    large = drawn(range(20), size=64).reshape(20, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(large - drawn(range(20))).mean() < 4.0
    assert np.abs(large - drawn(range(20, 40))).mean() > 15.0


def test_name_survey_and_classes() -> None:
    assert Scenes().name() == "scenes"
    assert Scenes(num_images=500, seed=3).name() == "scenes:num_images=500,seed=3"
    collection = Scenes(num_images=7).open()
    assert len(collection) == len(collection.labels()) == collection.header_stats().num_images == 7
    assert len(set(collection.classes())) == 10
    assert not collection.header_stats().grey


def test_the_fingerprint_changes_with_every_setting() -> None:
    spec = Scenes()
    others = [replace(spec, num_images=19_999), replace(spec, seed=1), Scenes()]
    same = [other.open().fingerprint() == spec.open().fingerprint() for other in others]
    assert same == [False, False, True]


@pytest.mark.parametrize("settings", [{"num_images": 0}, {"seed": -1}, {"seed": 2**64}])
def test_settings_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(UserError, match=next(iter(settings))):
        Scenes(**settings)


@pytest.mark.parametrize("shape", [ImageShape(channels=2, size=32), ImageShape(channels=3, size=0)])
def test_shapes_that_cannot_be_drawn_are_refused(shape: ImageShape) -> None:
    with pytest.raises(UserError, match="not"):
        next(Scenes().open().read(range(1), Preprocessing(shape=shape)))


def small_backdrops(count: int) -> NDArray[np.float64]:
    uniform = np.random.default_rng(0).random((count, 40))
    linear = np.broadcast_to(paint_backdrop(RandomStream(uniform), 32), (3, count, 32, 32))
    return small(np.sqrt(np.moveaxis(linear, 0, -1)) * 255.0)


def test_a_backdrop_has_no_up() -> None:
    """A linear classifier guesses its rotation, which it tells on scenes in 95 % of cases."""
    rotated = np.concatenate([np.rot90(small_backdrops(1000), r, axes=(1, 2)) for r in range(4)])
    quarters, picture = np.divmod(np.arange(4000), 1000)
    assert accuracy_of_ridge(rotated, quarters, picture >= 700) < 0.31


def test_the_noise_of_backdrops_turns_with_their_direction() -> None:
    """Neighbours differ as much from left to right as from top to bottom, over many backdrops."""
    images = small_backdrops(2000)
    across, down = (np.abs(np.diff(images, axis=axis)).mean() for axis in (2, 1))
    assert across == pytest.approx(down, rel=0.06)


def test_objects_are_harder_to_turn_than_scenes_and_classes_are_as_easy() -> None:
    preprocessing = Preprocessing(shape=ImageShape(channels=3, size=32))
    images = small(np.stack(list(Objects().open().read(range(1000), preprocessing))))
    rotated = np.concatenate([np.rot90(images, r, axes=(1, 2)) for r in range(4)])
    quarters, picture = np.divmod(np.arange(4000), 1000)
    assert 0.35 < accuracy_of_ridge(rotated, quarters, picture >= 700) < 0.85
    labels = np.array(Objects(num_images=1000).open().labels())
    assert accuracy_of_ridge(images, labels, np.arange(1000) >= 700) > 0.3


def test_objects_have_their_own_name_digest_and_held_out_pictures() -> None:
    assert Objects(num_images=30_000).held_out() == Objects(num_images=10_000, seed=1)
    assert Scenes(num_images=30_000).held_out() == Scenes(num_images=2000, seed=1)
    assert Objects(seed=3).name() == "objects:seed=3"
    assert Objects().open().fingerprint() != Scenes().open().fingerprint()
    assert Objects().open().labels() == Scenes().open().labels()
