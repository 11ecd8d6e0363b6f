"""Whatever bytes a file of prepared images has become, the images are right: made again if not."""

import numpy as np
import pytest

from ssgan.data.base import Preprocessing
from ssgan.data.dataset import load_prepared
from ssgan.data.prepare import prepare
from ssgan.data.scenes.source import Scenes
from ssgan.types import ImageShape
from tests.files.mutants import Bill, byte_mutants

SOURCE, WANTED = Scenes(num_images=12), Preprocessing(shape=ImageShape(3, 32))

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    prepare(SOURCE, WANTED, tmp_path / "cache", workers=1)
    (images,) = (tmp_path / "cache").glob("*/images.npy")
    load_prepared(images.parent)  # which has stored its digests
    return images.parent


LONG = [
    pytest.param(name, marks=pytest.mark.long)
    for name in ("manifest.json", "hashes.json", "labels.npy")
]


@pytest.mark.parametrize("name", ["images.npy", *LONG])
def test_a_damaged_file_of_the_cache_gives_the_right_images(name, folder, record_property, caplog):
    right, bill = load_prepared(folder), Bill()
    whole = (folder / name).read_bytes()
    pixels, labels, manifest = right.images[:], right.labels, dict(right.manifest)
    for words, data in byte_mutants(whole):
        (folder / name).write_bytes(data)
        caplog.clear()
        try:
            found = bill.read(lambda: prepare(SOURCE, WANTED, folder.parent, workers=1))
        except Exception as error:
            raise AssertionError(f"{words}: {type(error).__name__}: {error}") from error
        assert np.array_equal(found.images[:], pixels), words
        assert np.array_equal(found.labels, labels), words
        assert found.content_hash == right.content_hash, words
        assert (found.classes, found.manifest["class_counts"]) == (
            right.classes,
            manifest["class_counts"],
        ), words
        bill.count("prepared again" if "prepared again" in caplog.text else "read")
    bill.check(record_property, name)
