"""What earlier code wrote is read and continued, and computes the same."""

import json

import pytest

from ssgan.runs import checkpoint
from tests.training.golden import (
    FACTS,
    LOSSES,
    NAMES,
    SAVED,
    computed_on,
    continued,
    digest,
    losses,
)


def test_the_losses_are_those_of_before():
    """In float64 to 1e-9, whatever torch, processor or threads: these decide the last bits."""
    kept = json.loads(LOSSES.read_text())
    found = losses()
    assert list(found) == list(kept["losses"]) == list(NAMES)
    for name, values in kept["losses"].items():
        message = f"{name} on {computed_on()}; the file: {kept}"
        assert found[name] == pytest.approx(values, rel=1e-9, abs=0), message


def test_a_checkpoint_of_before_is_read_to_the_bit():
    assert digest(checkpoint.load_checkpoint(SAVED)) == json.loads(FACTS.read_text())["digest"]


def test_a_checkpoint_of_before_is_continued_to_the_same_losses(tmp_path):
    """Float32 and another processor make last bits; a layer that is another one makes more."""
    kept, found = json.loads(FACTS.read_text())["continued"], continued(tmp_path / "run")
    assert [row["step"] for row in found] == [row["step"] for row in kept] == [4, 5, 6]
    for name in NAMES:
        values = [row[name] for row in kept]
        assert [row[name] for row in found] == pytest.approx(values, rel=1e-3, abs=1e-4)
