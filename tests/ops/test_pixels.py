import io
import tokenize
from pathlib import Path

import pytest
import torch

import ssgan
from ssgan.ops.pixels import from_uint8, to_uint8
from ssgan.types import UserError


def test_every_pixel_survives_the_way_to_floats_and_back():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(to_uint8(pixels.float() / 127.5 - 1), pixels)
    assert torch.equal(to_uint8(from_uint8(pixels)), pixels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_images_are_the_formula_in_that_type_and_pixels_stay(dtype):
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(from_uint8(pixels, dtype), pixels.to(dtype) / 127.5 - 1)
    resized = pixels.to(dtype) / 2
    before = resized.clone()
    assert torch.equal(from_uint8(resized, dtype), before / 127.5 - 1)
    assert torch.equal(resized, before)


def test_floats_are_rounded_not_cut_off_and_limited():
    values = torch.tensor([-1.2, -1.0, -1 + 0.9 / 127.5, 0.0, 1 - 0.9 / 127.5, 1.0, 7.0, -1 + 1e-6])
    found = to_uint8(values[:, None, None, None]).flatten().tolist()
    assert found == [0, 0, 1, 128, 254, 255, 255, 0]


def test_nan_never_becomes_a_pixel():
    with pytest.raises(UserError, match="NaN"):
        to_uint8(torch.full((1, 1, 2, 2), float("nan")))


def test_no_other_module_scales_pixels():
    root = Path(ssgan.__file__).parent
    scaling = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if token.type == tokenize.NUMBER and token.string == "127.5"
    ]
    assert set(scaling) == {"ops/pixels.py"}
