"""HEIC pictures are read where pillow-heif is installed; elsewhere the message names it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from ssgan.data import unsupported
from ssgan.data.base import Rejected
from ssgan.data.decoding.heif import HEIF_INSTALLED
from ssgan.data.folder import Folder
from ssgan.types import UserError
from tests.data.pictures import preprocessing, smooth, write_images


@pytest.mark.skipif(not HEIF_INSTALLED, reason="needs pillow-heif")
def test_a_heic_picture_is_read_like_any_other(tmp_path: Path) -> None:
    package = importlib.import_module("pillow_heif")
    picture = smooth(0, 64, 48)
    package.from_pillow(picture).save(tmp_path / "a.HEIC", quality=95)
    (tmp_path / "b.heic").write_bytes((tmp_path / "a.HEIC").read_bytes()[:500])
    collection = Folder(str(tmp_path)).open()
    assert collection.header_stats().short_side == 48
    found, cut = collection.read(range(2), preprocessing(48))
    assert np.abs(found.astype(int) - np.asarray(picture)[:, 8:56]).mean() < 4
    assert isinstance(cut, Rejected)


@pytest.mark.skipif(HEIF_INSTALLED, reason="pillow-heif is installed")
def test_without_the_package_the_message_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.HEIC").touch()
    with pytest.raises(UserError, match="pip install pillow-heif"):
        Folder(str(tmp_path)).open()
    write_images(tmp_path, range(1))
    assert "ignored: 1 .heic; HEIC pictures require" in "\n".join(
        Folder(str(tmp_path)).open().warnings()
    )


def test_the_package_is_found_by_its_name() -> None:
    assert (importlib.util.find_spec("pillow_heif") is not None) == HEIF_INSTALLED
    assert "pillow-heif" in unsupported.HEIF_WAY
