"""A forgetting run's state that anybody made, with a right digest, is used or refused in a line."""

import json
import random

import pytest

from ssgan.files.run_directory import ForgettingDirectory
from ssgan.files.sealed_file import read_verified
from ssgan.runs.checkpoint import unpack, write_tensors
from ssgan.types import NonFinite, UserError
from tests.files.mutants import require_one_line
from tests.runs.test_resealed import change_tensors
from tests.studies.tasks import corners
from tests.studies.test_forgetting_run import run_to

pytestmark = pytest.mark.slow
COUNT, LEFT = 40, 3


@pytest.fixture
def layout(tmp_path):
    run_to(tmp_path / "study", corners(), LEFT)
    return ForgettingDirectory(tmp_path / "study")


def go_on(layout, outcomes):
    """Continue by a step; count the refusals, each a line."""
    try:
        run_to(layout.root, corners(), LEFT + 1)
        outcomes.append("used")
    except (UserError, NonFinite) as refusal:
        require_one_line(refusal)
        outcomes.append(type(refusal).__name__)


@pytest.mark.parametrize(
    "forge",
    [
        lambda content: content["optimizer"]["state"][0].pop("exp_avg"),
        lambda content: content["optimizer"]["state"][0]["exp_avg_sq"].fill_(-1),
        lambda content: content.pop("network"),
        lambda content: content["network"].update({next(iter(content["network"])): "x"}),
        lambda content: next(iter(content["network"].values())).fill_(float("nan")),
    ],
    ids=["no moment", "negative", "no network", "text", "NaN"],
)
def test_tables_that_do_not_fit_are_refused_by_name(forge, layout):
    content = unpack(read_verified(layout.state))
    facts = json.loads(content.pop("facts"))
    forge(content)
    write_tensors(layout.state, facts, content)
    found = []
    go_on(layout, found)
    assert found == ["UserError"]


def test_whatever_is_in_it_is_used_or_refused_in_a_line(layout, record_property):
    payload, found = read_verified(layout.state), []
    for seed in range(COUNT):
        content = unpack(payload)
        content["facts"] = json.loads(content["facts"])
        change_tensors(content, random.Random(seed))
        facts = content.pop("facts")
        try:
            write_tensors(layout.state, facts, content)
        except Exception:  # torch cannot save it
            continue
        go_on(layout, found)
    record_property("states", f"{len(found)}, of which {found.count('used')} were used")
    assert found.count("UserError") > COUNT / 2
