"""Prepared once: the same bytes whatever the workers, the kills and the neighbours."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from ssgan.data.base import HeaderStats
from ssgan.data.dataset import load_prepared
from ssgan.data.folder import Folder
from ssgan.data.prepare import choose_size, default_cache, prepare
from ssgan.data.scenes.source import Scenes
from ssgan.types import UserError
from tests.data.numbered import KEPT, Numbers, tree
from tests.data.pictures import encode, noise, preprocessing, smooth, write_images

SCENES_KEY = (
    "fdcaed58548b98498a10aad3137db33d58b50935c08dfc757b9f6d63d16d00e8"  # of 60 at 32 pixels
)
SCENES_CONTENT = "eedbaa4bd14229c6143c3814cb79411f9b7b32659bdd98939c95ff3125e50dd3"

# what is stored


def test_usable_items_stand_in_order_with_their_labels_and_the_rest_has_reasons(
    tmp_path: Path,
) -> None:
    dataset = prepare(Numbers(), preprocessing(4), tmp_path)
    assert dataset.images[:, 0, 0, 0].tolist() == [number % 256 for number in KEPT]
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [number % 3 for number in KEPT]
    assert dataset.labels.dtype == np.int64
    assert (len(dataset), dataset.num_classes) == (len(KEPT), 3)
    manifest = dataset.manifest
    assert manifest["rejected"][:2] == [
        ["item 0", "a multiple of seven"],
        ["item 7", "a multiple of seven"],
    ]
    assert (manifest["num_items"], manifest["num_images"]) == (300, len(KEPT))
    assert manifest["class_counts"] == [85, 86, 86]
    assert sum(manifest["class_counts"]) == len(KEPT)
    assert f"{sum(k % 5 == 0 for k in KEPT)} images are divisible by five" in manifest["warnings"]
    assert manifest["duplicates"] == len(KEPT) - len({k % 256 for k in KEPT})


def test_the_content_hash_is_over_pixels_then_labels(tmp_path: Path) -> None:
    dataset = prepare(Numbers(), preprocessing(4), tmp_path)
    pixels = b"".join(bytes([number % 256]) * 48 for number in KEPT)
    labels = b"".join((number % 3).to_bytes(8, "little") for number in KEPT)
    assert dataset.content_hash == hashlib.sha256(pixels + labels).hexdigest()


def test_the_key_and_the_bytes_are_those_of_version_0_1_0(tmp_path: Path) -> None:
    manifest = prepare(Scenes(num_images=60, seed=3), preprocessing(32), tmp_path).manifest
    assert manifest["key"] == SCENES_KEY
    assert manifest["content_hash"] == SCENES_CONTENT
    assert [path.name for path in tmp_path.glob("scenes*")] == [
        f"scenes-num-images-60-seed-3-{SCENES_KEY[:16]}"
    ]


def test_the_warnings_of_version_0_1_0_are_found_under_their_old_name(tmp_path: Path) -> None:
    dataset = prepare(Numbers(), preprocessing(4), tmp_path)
    (path,) = tmp_path.glob("numbers*/manifest.json")
    path.write_text(path.read_text().replace('"warnings"', '"notices"'))
    (path.parent / "hashes.json").unlink()  # which that version did not write
    assert load_prepared(path.parent).manifest == dataset.manifest


def test_an_opened_collection_is_not_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, opened = Numbers(), []
    collection = source.open()
    monkeypatch.setattr(Numbers, "open", lambda self: opened.append(1) or self)
    given = prepare(source, preprocessing(4), tmp_path / "a", collection=collection)
    assert opened == []
    assert prepare(source, preprocessing(4), tmp_path / "b").content_hash == given.content_hash
    assert opened == [1]


def test_a_batch_is_a_writable_copy_in_the_order_asked_for(tmp_path: Path) -> None:
    dataset = prepare(Numbers(), preprocessing(4), tmp_path)
    batch = dataset.batch(np.array([5, 0, 5], np.int64))
    assert type(batch) is np.ndarray
    assert batch.shape == (3, 4, 4, 3)
    assert batch[:, 0, 0, 0].tolist() == [KEPT[5], KEPT[0], KEPT[5]]
    batch[:] = 0
    assert dataset.images[5, 0, 0, 0] == KEPT[5]
    with pytest.raises(IndexError):
        dataset.batch(np.array([len(dataset)], np.int64))
    with pytest.raises(TypeError):
        dataset.images[0] = 0


def test_a_folder_with_good_and_bad_files_is_used_and_every_bad_one_named(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    write_images(folder, range(40))
    bad = {"empty.png": b"", "text.png": b"hello", "page.jpg": b"<html>", "zeros.gif": bytes(99)}
    for kind in ("PNG", "JPEG", "GIF", "TIFF"):
        for share in (0.5, 0.9):
            data = encode(noise(50), kind)
            bad[f"cut{share}.{kind}"] = data[: int(len(data) * share)]
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    dataset = prepare(Folder(str(folder)), preprocessing(), tmp_path / "cache")
    assert len(dataset) == 40
    assert (dataset.images[7] == np.asarray(noise(7))).all()
    assert {name for name, _ in dataset.manifest["rejected"]} == set(bad)
    assert all(reason for _, reason in dataset.manifest["rejected"])
    for _ in range(2):  # newly prepared (for the other size), then found
        with pytest.raises(UserError, match=r"12 of 52 items cannot be used.*the first: cut0\.5"):
            prepare(Folder(str(folder)), preprocessing(16), tmp_path / "cache", strict=True)


def test_nothing_usable_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no")
    (folder / "b.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"none of the 2 items.*the first: a\.png: not an image"):
        prepare(Folder(str(folder)), preprocessing(), tmp_path / "cache")
    noise(1).save(folder / "b.png")
    assert len(prepare(Folder(str(folder)), preprocessing(), tmp_path / "cache")) == 1


def test_duplicates_are_counted_and_those_in_two_classes_listed(tmp_path: Path) -> None:
    for name in ("cats/a.png", "cats/b.png", "dogs/c.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        noise(0).save(tmp_path / "photos" / name)
    write_images(tmp_path / "photos" / "dogs", range(1, 4))
    manifest = prepare(
        Folder(str(tmp_path / "photos")), preprocessing(), tmp_path / "cache"
    ).manifest
    assert manifest["duplicates"] == 2
    assert any(
        "1 picture is in more than one class: cats/a.png, cats/b.png, dogs/c.png" in n
        for n in manifest["warnings"]
    )


def test_of_several_pairs_the_one_that_is_whole_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for number, picture in enumerate((0, 1, 1, 0)):
        noise(picture).save(tmp_path / "photos" / f"{number}.png")
    dataset = prepare(Folder(str(tmp_path / "photos")), preprocessing(), tmp_path / "cache")
    words = "2 images have the same pixels as an earlier one (such as 1.png and 2.png)"
    assert words in dataset.manifest["warnings"]
    assert dataset.manifest["duplicates"] == 2


def test_nearly_empty_classes_and_classes_of_broken_files_are_named(tmp_path: Path) -> None:
    for k, name in enumerate(("a", "b", "c")):
        write_images(tmp_path / "photos" / name, range(30 * k, 30 * k + 30))
    write_images(tmp_path / "photos" / "few", range(200, 202))
    (tmp_path / "photos" / "none").mkdir()
    (tmp_path / "photos" / "none" / "x.png").write_bytes(b"broken")
    warnings = prepare(
        Folder(str(tmp_path / "photos")), preprocessing(), tmp_path / "cache"
    ).manifest["warnings"]
    assert "class few has 2 usable images; the median is 30" in warnings
    assert "1 of 5 classes has no usable image and is left out: none" in warnings
    assert not any("class a" in notice for notice in warnings)


# the same from everywhere


def test_the_bytes_do_not_depend_on_workers_on_creation_order_or_on_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = set()
    for turn, order in enumerate([range(60), reversed(range(60))]):
        folder = tmp_path / f"photos{turn}"
        for k in order:
            (folder / str(k % 2)).mkdir(parents=True, exist_ok=True)
            smooth(k, 40 + k, 50).save(folder / str(k % 2) / f"{k}.jpg")
        for workers in (1, 2, 5):
            cache = tmp_path / f"cache{turn}{workers}"
            hashes.add(
                prepare(Folder(str(folder)), preprocessing(), cache, workers=workers).content_hash
            )
        monkeypatch.chdir(folder)
        hashes.add(prepare(Folder("."), preprocessing(), tmp_path / "other").content_hash)
    assert len(hashes) == 1
    assert len(tree(tmp_path / "cache01")) == 4


def test_other_content_or_another_preprocessing_is_prepared_anew(tmp_path: Path) -> None:
    folder, cache = tmp_path / "photos", tmp_path / "cache"
    write_images(folder, range(5))

    def hash_now(**settings: int) -> str:
        return prepare(Folder(str(folder)), preprocessing(**settings), cache).content_hash

    first = hash_now()
    seen = {first, hash_now(size=16), hash_now(channels=1)}
    noise(77).save(folder / "002.png")
    seen.add(hash_now())
    write_images(folder, range(9, 10))
    seen.add(hash_now())
    (folder / "009.png").unlink()
    (folder / "000.png").unlink()
    seen.add(hash_now())
    assert len(seen) == 6
    assert prepare(Folder(str(folder)), preprocessing(background=(0, 0, 0)), cache).manifest[
        "background"
    ] == [0, 0, 0]


def test_what_is_prepared_is_found_and_not_read_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    source = Numbers(log=str(log))
    first = prepare(source, preprocessing(4), tmp_path / "cache")
    assert sorted(map(int, log.read_text().split())) == list(range(300))
    log.unlink()
    again = prepare(source, preprocessing(4), tmp_path / "cache")
    assert not log.exists()
    assert again.content_hash == first.content_hash


@pytest.mark.parametrize(
    "damage", ["cut", "grown", "manifest", "json", "missing", "shape", "fewer", "escape"]
)
def test_a_damaged_prepared_folder_is_made_again(tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    first = prepare(Numbers(), preprocessing(4), cache)
    (folder,) = cache.glob("numbers-*")
    whole = tree(cache)
    images, manifest = folder / "images.npy", folder / "manifest.json"
    if damage == "cut":
        os.truncate(images, 1000)
    elif damage == "grown":
        os.truncate(images, images.stat().st_size + 1)
    elif damage == "manifest":
        manifest.write_text("{}")
    elif damage == "json":
        manifest.write_text(manifest.read_text()[:-20])
    elif damage == "missing":
        (folder / "labels.npy").unlink()
    elif damage == "shape":  # a header that promises 2 ** 60 bytes in a file of the same size
        data = images.read_bytes()
        hostile = data[:128].replace(b"(257,", b"(%d," % 2**50)
        images.write_bytes(hostile[:127] + b"\n" + data[128:])
    elif damage == "fewer":  # a header that hides the last image
        data = images.read_bytes()
        images.write_bytes(data[:128].replace(b"(257,", b"(256,") + data[128:])
    else:
        outside = tmp_path / "outside"
        outside.write_bytes(b"12345")
        value = json.loads(manifest.read_text())
        value["file_bytes"]["../../outside"] = 5
        manifest.write_text(json.dumps(value))
    assert prepare(Numbers(), preprocessing(4), cache).content_hash == first.content_hash
    assert tree(cache) == whole


# small things


@pytest.mark.parametrize(
    ("short_side", "size"), [(1, 32), (32, 32), (47, 32), (48, 48), (100, 64), (5000, 128)]
)
def test_the_size_is_the_largest_that_half_of_the_images_fill(short_side: int, size: int) -> None:
    assert choose_size(HeaderStats(1, short_side, False)) == size
    assert choose_size(HeaderStats(1, short_side, False), 48) == min(size, 48)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.delenv("SSGAN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache() == Path("/h/.cache/ssgan")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert default_cache() == Path("/x/ssgan")
    monkeypatch.setenv("SSGAN_CACHE", "/s")
    assert default_cache() == Path("/s")


def test_a_source_that_breaks_its_word_is_an_error_and_not_wrong_pixels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"item 1 is uint8 \(4, 4, 3\)"):
        prepare(Numbers(), preprocessing(5), tmp_path, workers=1)
