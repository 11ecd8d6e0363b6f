"""docs/sampling.md: every command of the page runs, at a smaller size, and so does its Python."""

import re
from pathlib import Path

import pytest
from PIL import Image

from ssgan.cli.main import main
from tests.data.pictures import noise
from tests.docs.test_tutorial import SMALL

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "sampling.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ssgan (.*)$", PAGE, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which all commands of the page were run in order."""
    folder = tmp_path_factory.mktemp("sampling")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        noise(0).save(folder / "photo.jpg")
        for command in COMMANDS:
            words = command.replace("--steps 300", "--steps 3").split()
            words += SMALL if words[0] == "train" else ()
            assert main(words) == 0, command
        yield folder


def test_every_command_of_the_page_works_and_writes_what_it_says(folder):
    assert {command.split()[0] for command in COMMANDS} == {"train", "sample", "project"}
    run = folder / "runs" / "pictures"
    for name in ("generated-seed-1", "generated-seeds", "generated-seed-0"):
        assert (run / name / "sheet.png").exists()
    assert (run / "generated-seed-0" / "interpolation.gif").exists()
    assert len(list((folder / "truncated" / "images").iterdir())) == 16
    with Image.open(folder / "walk.webp") as walk:
        assert (walk.format, walk.size) == ("WEBP", (128, 128))
    assert (folder / "projected" / "projection-00001.png").exists()


def test_the_python_code_reads_what_was_written(folder, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(code, {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "(17, 32, 32, 3) uint8"
    assert lines[1:] == ["(1, 128) True"] * 2
