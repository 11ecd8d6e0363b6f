import importlib.util
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from ssgan.files.download import file_sha256
from ssgan.metrics import nameable
from ssgan.metrics.nameable import NUM_KINDS, WEIGHTS, ObjectClassifier, measure_nameable
from ssgan.ops.pixels import from_uint8
from ssgan.types import UserError

SCRIPT = Path(__file__).parents[2] / "docs" / "make_nameable.py"
PICTURES = 400  # a part of the 3,000 on which docs/evaluation.md states the figures


def import_script():
    spec = importlib.util.spec_from_file_location("make_nameable", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = import_script()


def rows_of(*kinds, confidence=0.95):
    """Log-probabilities: one kind with this confidence, the rest for none of the kinds."""
    rows = torch.full((len(kinds), NUM_KINDS + 1), 1e-9)
    rows[:, NUM_KINDS] = 1 - confidence
    rows[torch.arange(len(kinds)), list(kinds)] = confidence
    return rows.log()


def test_an_image_counts_if_one_of_the_ten_kinds_is_above_ninety_percent():
    rows = torch.cat([rows_of(3, 3, 7), rows_of(1, confidence=0.89), rows_of(NUM_KINDS)])
    found = measure_nameable(rows)
    assert found.share == 3 / 5
    assert found.counts == (0, 0, 0, 2, 0, 0, 0, 1, 0, 0)


def test_the_kinds_are_the_exponential_of_the_entropy_of_what_counts():
    assert measure_nameable(rows_of(*range(10))).kinds == pytest.approx(10)
    assert measure_nameable(rows_of(4, 4)).kinds == pytest.approx(1)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert measure_nameable(rows_of(0, 0, 0, 9)).kinds == pytest.approx(math.exp(entropy))


def test_no_nameable_image_is_no_kind():
    found = measure_nameable(rows_of(NUM_KINDS, NUM_KINDS))
    assert (found.share, found.kinds, sum(found.counts)) == (0, 0, 0)


def test_the_classifier_is_the_trained_network_with_its_norms_and_temperature_folded_in():
    torch.manual_seed(0)
    network = script.Trained()
    network(torch.rand(64, 3, 32, 32) * 2 - 1)  # statistics that are not those of the start
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.bias)
    images = torch.randint(256, (300, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        expected = F.log_softmax(network.eval()(from_uint8(images)) / 1.7, dim=1)
    torch.testing.assert_close(
        ObjectClassifier(network.fold(1.7))(images), expected, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 3, 64, 64, dtype=torch.uint8),
        torch.zeros(2, 1, 32, 32, dtype=torch.uint8),
        torch.zeros(2, 3, 32, 32),
    ],
)
def test_other_images_are_refused(images):
    with pytest.raises(UserError, match=r"reads uint8 \[N, 3, 32, 32\], not "):
        ObjectClassifier.load()(images)


def test_the_stored_weights_are_small_numbers_alone():
    assert WEIGHTS.stat().st_size <= 300_000
    assert file_sha256(WEIGHTS) == nameable._SHA256
    weights = ObjectClassifier.load()._weights
    assert 50_000 <= sum(weight.numel() for weight in weights) <= 150_000


def test_damaged_weights_are_refused(tmp_path, monkeypatch):
    damaged = bytearray(WEIGHTS.read_bytes())
    damaged[5000] ^= 1
    (tmp_path / "nameable.npz").write_bytes(damaged)
    monkeypatch.setattr(nameable, "WEIGHTS", tmp_path / "nameable.npz")
    with pytest.raises(UserError, match="is damaged or another file"):
        ObjectClassifier.load()


@pytest.fixture(scope="module")
def pictures():
    """Of a seed on which nothing was trained or calibrated."""
    return script.render(script.TEST_SEED, PICTURES)


@pytest.mark.slow
def test_real_images_are_classified_right_and_most_are_nameable(pictures):
    rows = ObjectClassifier.load()(pictures[0])
    right = rows[:, :NUM_KINDS].argmax(dim=1) == pictures[1]
    found = measure_nameable(rows)
    assert right.double().mean() >= 0.97
    assert found.share >= 0.9
    assert found.kinds >= 9.9
    confidence = rows[:, :NUM_KINDS].exp().amax(dim=1)
    assert script.calibration_error(confidence, right) <= 0.03


@pytest.mark.slow
def test_images_of_none_of_the_kinds_are_not_nameable(pictures):
    """At most 2 percent of noise, backdrops alone, an untrained G and others.

    In some blends one object is plain, and some distorted objects keep their outline.
    """
    classifier = ObjectClassifier.load()
    sets = script.sets_of_nones(pictures[0], script.TEST_SEED)
    shares = {name: measure_nameable(classifier(images)).share for name, images in sets.items()}
    most = {"blends of two objects": 0.15, "distorted objects": 0.1}
    assert {name: share for name, share in shares.items() if share > most.get(name, 0.02)} == {}
