"""Pictures of a page are those that `ssgan sample` writes."""

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the page needs the extra [web]")

from ssgan.export.model import load
from ssgan.runs.model_file import save_model
from ssgan.web.explorer import Explorer
from ssgan.web.jobs import PageJobs
from ssgan.web.pictures import encode_png, join_thumbnails
from ssgan.web.requests import Point, Spot
from ssgan.web.worker import Worker
from tests.export.small import build_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Transparent rectangles."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, build_model("sprites"))
    return load(path)


def test_sprites_have_straight_colours_and_rectangles_their_ratio(model):
    drawn = Explorer(PageJobs(Worker("drawing"))).draw(model, Spot(point=Point(seed=7)))
    content = encode_png(drawn, model.ratio)
    (written,) = model.stretch(model.sample(1, seed=7))
    shown = np.asarray(Image.open(io.BytesIO(content)))
    assert shown.shape == written.shape == (32, 48, 4)
    assert np.array_equal(shown, written)
    assert not np.array_equal(shown[..., :3], drawn[..., :3])


def test_small_pictures_of_sprites_keep_their_colour():
    """Red that fades out stays red."""
    fading = np.zeros((1, 64, 64, 4), np.uint8)
    fading[..., 0] = fading[..., 3] = np.arange(0, 256, 4)
    shown = np.asarray(Image.open(io.BytesIO(encode_png(join_thumbnails(fading, 1, 16)))))
    assert shown.shape == (16, 16, 4)
    assert (shown[:, 1:, 0] >= 250).all()
