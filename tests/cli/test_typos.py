"""Every setting of a run with one letter wrong, as a flag and in a file: its right name is told."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ssgan import recipes
from ssgan.cli.main import main
from ssgan.config.schema import walk

pytestmark = pytest.mark.slow

ENTRIES = [found.path for found in walk(recipes.scenes.ssgan())]


def typos(path: str) -> Iterator[str]:
    """A letter less, one more, another, and two exchanged, in the last name of the path."""
    before, dot, name = path.rpartition(".")
    chance = random.Random(path)
    for _ in range(2):
        place, letter = chance.randrange(len(name)), chance.choice("abcdefghijklmnopqrstuvwxyz")
        for typo in (
            name[:place] + name[place + 1 :],
            name[:place] + letter + name[place:],
            name[:place] + letter + name[place + 1 :],
            name[:place] + name[place : place + 2][::-1] + name[place + 2 :],
        ):
            if typo and f"{before}{dot}{typo}" not in ENTRIES:
                yield f"{before}{dot}{typo}"


@pytest.mark.parametrize("form", ["flag", "file"])
def test_a_setting_with_one_letter_wrong_is_refused_with_its_full_path(
    form: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    record_property: Any,
) -> None:
    monkeypatch.chdir(tmp_path)
    tried, file = 0, tmp_path / "mine.toml"
    for path in ENTRIES:
        for typo in typos(path):
            words = [f"--{typo}", "1"]
            if form == "file":
                file.write_text(f"{typo} = 1\n")
                words = ["--config", str(file)]
            assert main(["train", "scenes:ssgan", *words]) == 2, typo
            (line,) = capsys.readouterr().err.splitlines()
            assert path in line.replace("?", " ").replace(",", " ").split(), line
            tried += 1
    record_property(f"typos in a {form}", tried)
    assert tried > 5 * len(ENTRIES)
    assert list(tmp_path.iterdir()) == ([file] if form == "file" else [])
