"""No version with a known fault in reading files is allowed; an installed one is told."""

import logging
import tomllib
from pathlib import Path

import pytest

from ssgan.data.base import Preprocessing
from ssgan.data.prepare import prepare
from ssgan.data.scenes.source import Scenes
from ssgan.files import first_good
from ssgan.files.first_good import FIRST_GOOD, numbers, outdated
from ssgan.types import ImageShape

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def floors():
    """Every package with the lowest version that the project allows."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (line for group in groups for line in group):
        package, _, floor = requirement.replace("==", ">=").partition(">=")
        yield package, floor


def test_the_floors_of_the_project_are_good():
    assert {package for package, _ in floors()} >= FIRST_GOOD.keys()
    low = [
        f"{package}>={floor}"
        for package, floor in floors()
        if package in FIRST_GOOD and numbers(floor) < numbers(FIRST_GOOD[package][0])
    ]
    assert low == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [("12.3.0", (12, 3, 0)), ("13", (13, 0, 0)), ("2.13.0+cpu", (2, 13, 0)), ("main", (0, 0, 0))],
)
def test_versions_compare_by_their_numbers(version, expected):
    assert numbers(version) == expected


def test_what_is_installed_is_good():
    assert outdated() == []


def test_an_older_version_is_told_once_where_images_are_decoded(monkeypatch, tmp_path, caplog):
    versions = {"torch": "2.13.0", "pillow": "12.2.9"}
    monkeypatch.setattr(first_good, "package_version", lambda name: versions.get(name, "unknown"))
    preprocessing = Preprocessing(shape=ImageShape(3, 8))
    with caplog.at_level(logging.WARNING, "ssgan"):
        for _ in range(2):
            prepare(Scenes(num_images=2), preprocessing, tmp_path)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("pillow 12.2.9 has a known fault (an image can be made to write")
    assert said.endswith("; 12.3.0 and later have not: update it")
