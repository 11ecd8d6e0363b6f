"""docs/tutorial.md: every command of the page runs, at a smaller size, and so does its Python."""

import re
from pathlib import Path

import pytest
from PIL import Image

from ssgan.cli.main import main

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    ssgan (.*)$", PAGE, flags=re.MULTILINE)
SMALL = (
    *("--total_steps", "4", "--batch_size", "4"),
    *("--generator.width", "0.015625", "--discriminator.width", "0.03125"),
    *("--data.source.num_images", "24", "--evaluate.every", "0"),
)
FEWER = {
    "num_images=2000": "num_images=40",
    "num_images=1000": "num_images=30",
    "--n 2000": "--n 20",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which all commands of the page were run in order."""
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number in range(8):
            (folder / "PATH").mkdir(exist_ok=True)
            Image.new("RGB", (32, 32), (30 * number, 0, 0)).save(folder / "PATH" / f"{number}.png")
        for command in COMMANDS:
            for usual, small in FEWER.items():
                command = command.replace(usual, small)
            words = command.split()
            if words[:2] == ["train", "--data"]:
                words += ["--dry-run"]
            elif words[0] == "train" and "--help" not in words:
                words += SMALL
            assert main(words) == 0, command
        yield folder


def test_the_page_shows_every_kind_of_command():
    assert {command.split()[0] for command in COMMANDS} == {
        *("train", "show", "sample", "evaluate", "probe", "features")
    }


def test_every_command_of_the_page_works_and_writes_what_it_says(folder):
    assert (folder / "curves.png").exists()
    generated = folder / "runs" / "tutorial" / "generated-seed-0"
    assert (generated / "sheet.png").exists()
    assert len(list((generated / "images").glob("image-*.png"))) == 64
    assert list((folder / "runs" / "tutorial" / "evaluation").glob("*/results.jsonl"))
    assert (folder / "runs" / "tutorial" / "probe" / "probe.jsonl").exists()


def test_the_python_code_reads_the_features(folder, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.endswith(") (40,)\n")
