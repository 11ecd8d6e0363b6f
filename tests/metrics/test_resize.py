import io

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.metrics.resize import ResizeRule, resize
from tests.metrics.pictures import pictures


def test_a_png_holds_the_same_pixels():
    picture = pictures(1, seed=0)
    buffer = io.BytesIO()
    Image.fromarray(picture[0].permute(1, 2, 0).numpy()).save(buffer, format="PNG")
    again = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)[None]
    assert torch.equal(again, picture)


@pytest.mark.parametrize(("before", "after"), [(32, 299), (7, 20), (64, 13)])
def test_the_2015_rule_is_tensorflow_1s_loop(before, after):
    """resize_bilinear with align_corners off and no half-pixel centres, pixel by pixel."""
    x = torch.randint(256, (before, before), generator=torch.Generator().manual_seed(0))
    image, expected = x.double().numpy(), np.zeros((after, after))
    for i in range(after):
        for j in range(after):
            y, z = i * before / after, j * before / after
            top, left = int(y), int(z)
            low, right = min(top + 1, before - 1), min(left + 1, before - 1)
            dy, dz = y - top, z - left
            above = image[top, left] + (image[top, right] - image[top, left]) * dz
            below = image[low, left] + (image[low, right] - image[low, left]) * dz
            expected[i, j] = above + (below - above) * dy
    found = resize(x.byte()[None, None], after, ResizeRule.TF1_BILINEAR)[0, 0]
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)


@pytest.mark.parametrize(("before", "after"), [(32, 299), (64, 20)])
def test_the_clean_rule_is_pillows_bicubic_on_floats(before, after):
    x = torch.randint(256, (before, before), generator=torch.Generator().manual_seed(0)).byte()
    pillow = Image.fromarray(x.numpy().astype(np.float32)).resize((after, after), Image.BICUBIC)
    found = resize(x[None, None], after, ResizeRule.CLEAN_BICUBIC)[0, 0]
    np.testing.assert_allclose(found.numpy(), np.clip(np.array(pillow), 0, 255), atol=1e-2)


def test_only_the_clean_rule_smooths_when_it_shrinks():
    stripes = (torch.arange(64) % 2 * 255).byte().expand(1, 1, 64, 64)
    spread = {rule: float(resize(stripes, 19, rule).std()) for rule in ResizeRule}
    assert spread[ResizeRule.CLEAN_BICUBIC] < 10
    assert spread[ResizeRule.TF1_BILINEAR] > 50
    assert spread[ResizeRule.HALF_PIXEL_BILINEAR] > 50


def test_the_three_rules_differ_and_the_right_size_is_left_alone():
    x = pictures(1, seed=0)
    results = [resize(x, 40, rule) for rule in ResizeRule]
    for i in range(3):
        assert (results[i] - results[i - 1]).abs().max() > 1
        assert torch.equal(resize(x, 32, list(ResizeRule)[i]), x.float())
