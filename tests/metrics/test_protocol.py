import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.metrics.frechet import frechet_from_moments, gaussian_distance
from ssgan.metrics.moments import Moments
from ssgan.metrics.protocol import Protocol, read_statistics, same_protocol, write_statistics
from ssgan.types import UserError

PROTOCOL = Protocol(
    features="random",
    features_identity="ab" * 32,
    resize="antialias-bilinear",
    num_real=50,
    num_fake=None,
    split="test",
    seeds=(1, 2),
)


SOUND = {"mu": np.zeros(2), "sigma": np.zeros((2, 2))}
_DIGEST = hashlib.sha256(bytes(8 * (2 + 4))).hexdigest()
WHOLE = {"count": np.array(5), "sha256": np.array(_DIGEST)}  # what our files have beside it


def moments(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Moments.of(torch.randn(50, 6, generator=generator))


def test_our_file_comes_back_bit_for_bit(tmp_path):
    path, before = tmp_path / "real.npz", moments()
    write_statistics(path, before, PROTOCOL)
    found = read_statistics(path)
    assert torch.equal(found.mean, before.mean)
    assert torch.equal(found.covariance, before.covariance)
    assert (found.count, found.protocol) == (50, PROTOCOL)
    assert frechet_from_moments(found.moments(), moments(1)) == pytest.approx(
        frechet_from_moments(before, moments(1)), rel=1e-10
    )


def test_pytorch_fids_file_is_read_and_ours_has_its_names(tmp_path):
    theirs, ours, before = tmp_path / "theirs.npz", tmp_path / "ours.npz", moments()
    np.savez(theirs, mu=before.mean.numpy(), sigma=before.covariance.numpy())
    found = read_statistics(theirs)
    assert (found.count, found.protocol) == (None, None)
    distance = gaussian_distance(found.mean, found.covariance, before.mean, before.covariance)
    assert distance == pytest.approx(0, abs=1e-9)
    with pytest.raises(UserError, match="do not say how many"):
        found.moments()
    write_statistics(ours, before, PROTOCOL)
    with np.load(ours) as file:
        np.testing.assert_array_equal(file["mu"], before.mean.numpy())
        np.testing.assert_array_equal(file["sigma"], before.covariance.numpy())


def test_a_pickle_inside_is_never_opened(tmp_path):
    path = tmp_path / "bad.npz"
    np.savez(path, mu=np.array([{"a": 1}], dtype=object), sigma=np.zeros((1, 1)))
    with pytest.raises(UserError, match="cannot be read as statistics"):
        read_statistics(path)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path):
    path = tmp_path / "real.npz"
    write_statistics(path, moments(), PROTOCOL)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="cannot be read"):
            read_statistics(path)


def test_changed_numbers_do_not_match_the_checksum(tmp_path):
    path, before = tmp_path / "real.npz", moments()
    write_statistics(path, before, PROTOCOL)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["mu"] = arrays["mu"] + 1e-9
    np.savez(path, **arrays)
    with pytest.raises(UserError, match="damaged"):
        read_statistics(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"mu": np.zeros(3)}, "no 'mu' and 'sigma'"),
        ({"mu": np.zeros(3), "sigma": np.zeros((2, 2))}, r"mu has shape \(3,\)"),
        ({"mu": np.full(2, np.nan), "sigma": np.zeros((2, 2))}, "NaN"),
        ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, r"mu has shape \(0,\)"),
        ({"mu": np.zeros(1), "sigma": np.array([["a"]])}, "must be float arrays"),
        ({**SOUND, **WHOLE, "protocol": np.array("{")}, "protocol"),
        ({**SOUND, **WHOLE, "protocol": np.array("[1]")}, "protocol cannot be read: it is a list"),
        (
            {**SOUND, **WHOLE, "protocol": np.array('{"num_real": "many"}')},
            "num_real must be int or none",
        ),
        ({**SOUND, "count": np.array([1, 2])}, "count of images must be a whole number"),
        ({**SOUND, "count": np.array("x")}, "count of images must be a whole number"),
        ({**SOUND, "count": np.array(2.5)}, "count of images must be a whole number"),
        ({**SOUND, "count": np.array(1)}, "must be a whole number, 2 or more: 1"),
    ],
)
def test_other_arrays_are_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(UserError, match=words):
        read_statistics(tmp_path / "x.npz")


def test_a_file_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    write_statistics(tmp_path / "x.npz", moments(), PROTOCOL)
    monkeypatch.setattr("ssgan.metrics.protocol._LARGEST", 100)
    with pytest.raises(UserError, match="at most 100"):
        read_statistics(tmp_path / "x.npz")


def test_a_missing_file_and_a_wrong_count_are_named(tmp_path):
    with pytest.raises(UserError, match="no statistics at"):
        read_statistics(tmp_path / "none.npz")
    with pytest.raises(UserError, match="says 51 images, there are 50"):
        write_statistics(tmp_path / "x.npz", moments(), replace(PROTOCOL, num_real=51))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("features", "inception-2015"),
        ("features_identity", "cd" * 32),
        ("resize", "tf1-bilinear"),
        ("num_real", 10_000),
        ("num_fake", 10_000),
        ("split", "train"),
        ("content", "ef" * 32),
        ("dtype", "bfloat16"),
        ("selection", "the first"),
        ("batch_norm", "of 1000 samples"),
        ("fit", "pad"),
    ],
)
def test_numbers_of_unlike_protocols_do_not_compare(name, value):
    with pytest.raises(UserError, match=f"{name} .* against {value!r}"):
        same_protocol(PROTOCOL, replace(PROTOCOL, **{name: value}))


def test_other_seeds_do_compare():
    same_protocol(PROTOCOL, replace(PROTOCOL, seeds=(7,)))
