"""Images in an .npz file, as guided-diffusion stores samples."""

from pathlib import Path

import numpy as np
import pytest

from ssgan.data.base import HeaderStats, Rejected
from ssgan.data.npz import Npz
from ssgan.data.prepare import prepare
from ssgan.data.sources import parse_source
from ssgan.evaluation.inputs import parse_input
from ssgan.types import UserError
from tests.data.pictures import preprocessing


def images(count: int = 5, size: int = 32, channels: int = 3) -> np.ndarray:
    shape = (count, size, size, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_of_the_size_keep_their_pixels_and_labels(tmp_path: Path, save) -> None:
    save(tmp_path / "a.npz", images(), np.array([2, 0, 1, 1, 0]))
    source = parse_source(str(tmp_path / "a.npz"))
    assert source == Npz(str(tmp_path / "a.npz"))
    assert parse_source(source.name()) == parse_input(str(tmp_path / "a.npz")) == source
    dataset = prepare(source, preprocessing(), tmp_path / "cache", workers=3)
    assert np.array_equal(dataset.images, images())
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [2, 0, 1, 1, 0]
    assert dataset.classes == ("0", "1", "2")


def test_grey_images_and_other_sizes_are_prepared_as_any_picture(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images(channels=1))
    collection = Npz(str(tmp_path / "a.npz")).open()
    assert collection.header_stats() == HeaderStats(5, 32, True)
    assert collection.labels() is None
    (grey,) = collection.read(range(1), preprocessing(32, 1))
    (colour,) = collection.read(range(1), preprocessing(32, 3))
    (small,) = collection.read(range(1), preprocessing(16, 1))
    assert np.array_equal(grey, images(channels=1)[0])
    assert np.array_equal(colour, np.repeat(images(channels=1)[0], 3, axis=2))
    assert small.shape == (16, 16, 1)


def test_negative_labels_are_missing_as_in_a_set_of_the_hub(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images(), np.array([-1, 2, 0, -7, 2]))
    source = Npz(str(tmp_path / "a.npz"))
    assert source.open().num_unlabelled() == 2
    dataset = prepare(source, preprocessing(), tmp_path / "cache")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [-1, 1, 0, -1, 1]
    assert (dataset.classes, dataset.num_unlabelled) == (("0", "2"), 2)
    assert dataset.manifest["warnings"] == [
        "2 of 5 images have no label in arr_1",
        "1 of 3 classes has no usable image and is left out: 1",
    ]
    np.savez(tmp_path / "a.npz", images(), np.full(5, -1))
    dataset = prepare(source, preprocessing(), tmp_path / "cache")
    assert (dataset.labels, dataset.classes) == (None, ())


def test_a_copy_without_a_label_is_in_no_second_class(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images()[[0, 0, 1]], np.array([0, -1, 1]))
    dataset = prepare(Npz(str(tmp_path / "a.npz")), preprocessing(), tmp_path / "cache")
    assert dataset.manifest["warnings"] == [
        "1 of 3 images have no label in arr_1",
        "1 image has the same pixels as an earlier one (such as item 0 and item 1)",
    ]


BAD = {
    "it has no arr_0, but x_train": {"x_train": images()},
    "transpose [N, C, H, W] to it": {"arr_0": images().transpose(0, 3, 1, 2).copy()},
    "arr_0 is float32": {"arr_0": images().astype(np.float32)},
    "arr_0 is uint8 (5, 32, 32)": {"arr_0": images()[..., 0]},
    "with 1, 3 or 4 channels": {"arr_0": images(channels=5)},
    "in Fortran's order": {"arr_0": np.asfortranarray(images())},
    "has no pixels": {"arr_0": images(0)},
    "at most 100,000,000 pixels": {"arr_0": np.zeros((1, 1, 100_000_001, 1), np.uint8)},
    "labels are one whole number an image": {"arr_0": images(), "arr_1": np.zeros(4, int)},
    "up to 4611686018427387904; they are 0": {"arr_0": images(), "arr_1": np.full(5, 2**62)},
    "holds Python objects": {"arr_0": np.array([{}], dtype=object)},
}


@pytest.mark.parametrize("words", BAD)
def test_another_form_is_one_line_with_the_way_out(tmp_path: Path, words: str) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **BAD[words])
    with pytest.raises(UserError) as it:
        Npz(str(path)).open()
    assert words in str(it.value)
    assert str(it.value).startswith(f"npz:{path}: ")
    assert "\n" not in str(it.value)


def test_a_bomb_is_refused_by_its_declared_size(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", np.zeros((30, 1024, 1024, 3), np.uint8))
    with pytest.raises(UserError, match="as no image does"):
        Npz(str(tmp_path / "a.npz")).open()


def test_statistics_and_images_are_told_apart_by_their_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", mu=np.zeros(3), sigma=np.eye(3))
    assert not isinstance(parse_input(str(tmp_path / "a.npz")), Npz)
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    with pytest.raises(UserError, match=r"no 'mu' and 'sigma'.*images, which are in 'arr_0'"):
        parse_input(str(tmp_path / "b.npz"))


def test_a_file_cut_while_it_is_read_gives_rejects(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images())
    collection = Npz(str(path)).open()
    with open(path, "r+b") as file:
        file.truncate(4000)
    results = list(collection.read(range(5), preprocessing()))
    assert isinstance(results[4], Rejected)
    assert "cut short" in results[4].reason
    np.savez(path, images() // 2)
    assert Npz(str(path)).open().fingerprint() != collection.fingerprint()
