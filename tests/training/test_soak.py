"""`ssgan train`, typed again after every fault, ends as if there had been none; a short form."""

import sys

import pytest
import torch

from benchmarks.faults import FAULTS, PLANTS
from benchmarks.soak import Ground, soak

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits on the files of a living process"),
    pytest.mark.skipif(
        torch.accelerator.is_available(),
        reason="a process that has used an accelerator cannot fork: use benchmarks/soak.py",
    ),
]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("soak"), steps=30, forked=True)


def test_after_a_fault_of_every_kind_the_run_ends_as_the_undisturbed_one(ground):
    found = soak(ground, seed=0, faults=len(FAULTS))
    assert found.differences == []
    assert found.equal == found.runs > 0
    assert all(count.sent == 1 for count in found.faults.values())
    assert found.landed >= found.sent / 2


@pytest.mark.parametrize("plant", PLANTS)
def test_what_no_run_can_mend_is_seen(ground, plant):
    """A damaged checkpoint that passes for whole, and a line of a saved step that has gone."""
    found = soak(ground, seed=0, faults=1, plant=plant)
    assert (found.runs, found.equal) == (1, 0)
    assert found.differences
