"""What an earlier version decoded: kept where nothing changed, and found where a run needs it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.data import prepare as module
from ssgan.data.crops import Crops
from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.types import UserError
from tests.data.pictures import encode, noise, preprocessing, write_images
from tests.data.raw_files import rgb_profile

PLAIN = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")


def write_profile(path: Path) -> None:
    path.write_bytes(encode(noise(99), "PNG", icc_profile=rgb_profile("adobe", 2.2)))


def fail(*_: object) -> None:
    raise AssertionError("was decoded again")


def prepared_before(source: Folder | Crops, cache: Path) -> tuple[str, Path]:
    """The content and the folder, as the version before profiles wrote it."""
    dataset = prepare(source, preprocessing(decoding=1), cache)
    return dataset.content_hash, dataset.images.path.parent


def test_what_decodes_as_before_is_kept_and_its_headers_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, cache = tmp_path / "photos", tmp_path / "cache"
    photos.mkdir()
    for kind in PLAIN:
        (photos / f"{kind}.{kind.lower()}").write_bytes(encode(noise(1), kind))
    (photos / "broken.png").write_bytes(b"no image")
    for source in (Folder(str(photos)), Crops(Folder(str(photos)), 3)):
        content, folder = prepared_before(source, cache)
        monkeypatch.setattr(module, "_make", fail)
        assert prepare(source, preprocessing(), cache).content_hash == content
        assert json.loads((folder / "decoding.json").read_text()) == {"decoding": 2}
        with monkeypatch.context() as patch:
            patch.setattr(module, "decodes_as_before", fail)
            assert prepare(source, preprocessing(), cache).content_hash == content
        monkeypatch.undo()


def test_one_picture_that_decodes_otherwise_prepares_all_anew_and_leaves_the_old(
    tmp_path: Path,
) -> None:
    photos, cache = tmp_path / "photos", tmp_path / "cache"
    write_images(photos, range(5))
    write_profile(photos / "z.png")
    source = Folder(str(photos))
    content, folder = prepared_before(source, cache)
    dataset = prepare(source, preprocessing(), cache)
    assert dataset.content_hash != content
    assert dataset.manifest["preparation_version"] == 2
    again = prepare(source, preprocessing(decoding=1), cache)
    assert (again.content_hash, folder.exists()) == (content, True)
    differs = (np.asarray(dataset.images) != np.asarray(again.images)).any((1, 2, 3))
    assert differs.tolist() == [False] * 5 + [True]


def test_a_link_in_place_of_what_an_earlier_version_prepared_is_refused(tmp_path: Path) -> None:
    photos, cache, outside = tmp_path / "photos", tmp_path / "cache", tmp_path / "outside"
    write_images(photos, range(3))
    _, folder = prepared_before(Folder(str(photos)), cache)
    folder.rename(outside)
    folder.symlink_to(outside)
    before = sorted(outside.iterdir())
    with pytest.raises(UserError, match="is a link to"):
        prepare(Folder(str(photos)), preprocessing(), cache)
    assert sorted(outside.iterdir()) == before


def test_other_writers_of_what_an_earlier_version_prepared_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_images(tmp_path / "photos", range(3))
    _, folder = prepared_before(Folder(str(tmp_path / "photos")), tmp_path / "cache")
    folder.chmod(0o777)
    prepare(Folder(str(tmp_path / "photos")), preprocessing(), tmp_path / "cache")
    assert f"{folder} can be written by every user" in caplog.text


def test_the_key_of_plain_settings_is_that_of_before(tmp_path: Path) -> None:
    """Of the first decoding: the digest of the same JSON as in version 0.1.0."""
    import hashlib

    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (8, 8)).save(photos / "a.png")
    source = Folder(str(photos))
    for fit in ("crop", "pad", "squash"):
        for decoding in (1, 2):
            words = [decoding, source.name(), 3, 32, [255] * 3, source.open().fingerprint()]
            words += [] if fit == "crop" else [fit]
            key = hashlib.sha256(json.dumps(words).encode()).hexdigest()
            given = preprocessing(fit=fit, decoding=decoding)
            cache = tmp_path / f"cache-{fit}-{decoding}"
            assert prepare(source, given, cache).manifest["key"] == key
