"""Deep nesting in a foreign file is bad input like any other, at every place that reads JSON."""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ssgan.data.dataset import MANIFEST
from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.evaluation.results import read_results
from ssgan.files import jsonl
from ssgan.files.locks import hold_lock
from ssgan.files.nesting import parse_json
from ssgan.metrics.protocol import read_statistics
from ssgan.types import UserError
from tests.data.pictures import preprocessing, write_images

DEEP = "[" * 100_000 + "]" * 100_000


def test_what_any_config_has_is_read_and_more_is_a_value_error() -> None:
    for deep in (1, 60):
        text = "[" * deep + "1" + "]" * deep
        assert parse_json(text) == json.loads(text)
    assert parse_json('{"a": [1, {"b": null}], "c": "[[["}') == {"a": [1, {"b": None}], "c": "[[["}
    for text in (DEEP, "[" * 70 + "1" + "]" * 70, '{"a":' * 70 + "1" + "}" * 70):
        with pytest.raises(ValueError, match="nested too deeply"):
            parse_json(text)


def test_a_deep_manifest_is_a_damaged_one_and_is_made_again(tmp_path: Path) -> None:
    write_images(tmp_path / "images", range(3))
    source = Folder(str(tmp_path / "images"))
    first = prepare(source, preprocessing(), tmp_path / "cache")
    (manifest,) = (tmp_path / "cache").glob(f"*/{MANIFEST}")
    manifest.write_text(DEEP)
    again = prepare(source, preprocessing(), tmp_path / "cache")
    assert again.content_hash == first.content_hash


def test_deep_results_and_statistics_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(DEEP)
    with pytest.raises(UserError, match="line 1, is no result of ssgan evaluate"):
        read_results(tmp_path / "results.jsonl")
    mean, covariance = np.zeros(3), np.eye(3)
    digest = hashlib.sha256(mean.tobytes() + covariance.tobytes()).hexdigest()
    facts = {"count": np.array(5), "protocol": np.array(DEEP), "sha256": np.array(digest)}
    np.savez(tmp_path / "a.npz", mu=mean, sigma=covariance, **facts)
    with pytest.raises(UserError, match="its protocol cannot be read: it is nested too deeply"):
        read_statistics(tmp_path / "a.npz")


def test_deep_lines_of_a_log_and_owners_of_a_lock_are_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": 2, "x": ' + "[" * 70 + "]" * 70 + "}\n")
    assert list(jsonl.read(log, {})) == [{"step": 1}]
    with hold_lock(tmp_path / "lock"):
        (tmp_path / "lock.owner").write_text(DEEP)
        with (
            pytest.raises(UserError, match="in use by another process"),
            hold_lock(tmp_path / "lock"),
        ):
            pass


def test_statistics_that_unpack_to_a_thousand_times_their_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, mu=np.zeros(6400, "f2"), sigma=np.zeros((6400, 6400), "f2"))
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match=r"bytes that unpack to 81,920,128"):
        read_statistics(path)
    with zipfile.ZipFile(path) as archive:
        assert "sigma.npy" in archive.namelist()
