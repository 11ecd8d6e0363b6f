"""Whatever bytes statistics and cached features have become: read right, made again, or refused."""

import io
import json

import numpy as np
import pytest
import torch

from ssgan.evaluation.features import FeatureCache, build_set_protocol, read_moments
from ssgan.metrics.features import RandomFeatures
from ssgan.metrics.frechet import frechet_from_moments
from ssgan.metrics.moments import Moments
from ssgan.metrics.protocol import _sha256, read_statistics, write_statistics
from ssgan.types import UserError
from tests.evaluation.test_features import SIDE, extracted
from tests.files.mutants import MUTANTS, Bill, byte_mutants, json_mutants, require_one_line


@pytest.fixture
def path(tmp_path):
    rows = torch.randn(40, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    protocol = build_set_protocol(RandomFeatures(), SIDE, 40)
    write_statistics(tmp_path / "stats.npz", Moments.of(rows), protocol)
    return tmp_path / "stats.npz"


def equal(a, b):
    return torch.equal(a.mean, b.mean) and torch.equal(a.covariance, b.covariance)


def outcome(bill, path, words):
    """What is read; None for a refusal in one line."""
    try:
        found = bill.read(lambda: read_statistics(path))
    except UserError as refusal:
        require_one_line(refusal)
        bill.count("UserError")
        return None
    except Exception as error:
        raise AssertionError(f"{words}: {type(error).__name__}: {error}") from error
    bill.count("read")
    return found


def test_damaged_statistics_are_read_right_or_refused_in_a_line(path, record_property):
    right, bill = read_statistics(path), Bill()
    for words, data in byte_mutants(path.read_bytes()):
        path.write_bytes(data)
        found = outcome(bill, path, words)
        if found is not None:
            assert equal(found, right), words
            assert (found.count, found.protocol) == (right.count, right.protocol), words
    assert bill.outcomes["UserError"] > MUTANTS / 2
    bill.check(record_property, "statistics")


def anybodys(path, changes):
    """The same file with other arrays and a right checksum."""
    with np.load(path) as stored:
        arrays = {**stored, **changes}
    arrays = {name: value for name, value in arrays.items() if value is not None}
    if {"mu", "sigma"} <= arrays.keys():
        arrays["sha256"] = np.array(_sha256(arrays["mu"], arrays["sigma"]))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_a_protocol_of_anybodys_making_is_read_or_refused_in_a_line(path, record_property):
    protocol, right, bill = json.loads(str(np.load(path)["protocol"])), path.read_bytes(), Bill()
    for words, changed in json_mutants(protocol):
        path.write_bytes(right)
        path.write_bytes(anybodys(path, {"protocol": np.array(json.dumps(changed))}))
        found = outcome(bill, path, words)
        if found is not None:
            json.dumps(found.protocol.key())
    bill.check(record_property, "protocols")


ARRAYS = [
    *(None, np.zeros(0), np.zeros(6), np.zeros((6, 6)), np.eye(6), np.ones((6, 6)), np.zeros(5)),
    *(np.full(6, np.nan), np.full((6, 6), np.inf), np.eye(6, dtype=np.float16), np.array("text")),
    *(np.eye(6, dtype=np.int64), np.eye(6, dtype=complex), np.eye(6, order="F"), np.array(1.0)),
    *(np.full((6, 6), 1e308), np.full(6, 1e308), np.full((6, 6), -1.0), np.array(2**63, "u8")),
    *(np.array(-1), np.array(0), np.array(2), np.array(True), np.array([5]), np.eye(6) * 1e-308),
]


@pytest.mark.parametrize("name", ["mu", "sigma", "count", "protocol"])
def test_arrays_of_anybodys_making_give_a_number_or_a_refusal_in_a_line(name, path):
    right, bill = path.read_bytes(), Bill()
    reference = read_statistics(path)
    for number, value in enumerate(ARRAYS):
        path.write_bytes(right)
        path.write_bytes(anybodys(path, {name: value}))
        found = outcome(bill, path, f"{name} {number}")
        if found is None:
            continue
        try:
            distance = frechet_from_moments(found, reference)
        except UserError as refusal:
            require_one_line(refusal)
        else:
            assert float(distance) == float(distance), f"{name} {number}"


def test_damaged_rows_and_moments_of_the_cache_are_made_again(tmp_path, record_property):
    """Each file in turn; what is found is the same to the bit."""
    right = extracted(tmp_path, store_moments=True)
    cache = FeatureCache(tmp_path, SIDE, 0, RandomFeatures(), "cpu")
    protocol, bill = build_set_protocol(RandomFeatures(), SIDE, 30), Bill()
    numbers = range(8)
    rows, (moments,) = cache.read(numbers), cache.folder.glob("moments-*.npz")
    (file,) = cache.folder.glob("rows-00000000-*.f32")
    for place, read, wanted in (
        (file, lambda: cache.read(numbers), rows),
        (moments, lambda: read_moments(moments, protocol), right.moments),
    ):
        whole = place.read_bytes()
        for words, data in byte_mutants(whole):
            place.write_bytes(data)
            found = bill.read(read)
            bill.count("made again" if found is None else "read")
            if isinstance(found, torch.Tensor):
                assert torch.equal(found, wanted), words
            elif found is not None:
                assert equal(found, wanted), words
        again = extracted(tmp_path, store_moments=True)
        assert torch.equal(again.rows, right.rows)
        assert equal(again.moments, right.moments)
    bill.check(record_property, "cached features")
