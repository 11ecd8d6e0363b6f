"""What the README says can be done as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from ssgan.recipes.find import find_recipe
from tests.evaluation.saved import save_run
from tests.recipes.test_find import noise, small

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh.md").read_text()
TRAINING, LOADING = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
COMMENTS = 55  # the column in which comments beside commands begin


def test_the_python_code_runs(monkeypatch, capsys):
    """As written, but for a smaller run on images that are already there."""
    import ssgan

    def on_noise(config):
        config = small(config)
        return TRAIN(config, noise(config))

    TRAIN = ssgan.train
    monkeypatch.setattr(ssgan, "train", on_noise, raising=False)
    exec(TRAINING.replace("% 10 == 0", "% 1 == 0"), {})
    step, loss = capsys.readouterr().out.split()
    assert int(step) == 1
    assert float(loss) > 0


def test_the_lines_that_load_a_model_run(tmp_path, monkeypatch):
    save_run(tmp_path / "runs" / "demo")
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(LOADING, found)
    assert found["pixels"].shape == (16, 32, 32, 3)
    assert found["images"].shape == (16, 3, 32, 32)
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.parametrize(
    "line", re.findall(r"^    ssgan train (\S+:\S+)", README, flags=re.MULTILINE)
)
def test_every_recipe_it_names_is_there(line):
    if not line.startswith("folder:") and "--" not in line:
        find_recipe(line)


def test_both_commands_are_one_line_each():
    commands = [line for line in README.splitlines() if "pip install -c constraints.txt" in line]
    assert len(commands) == 2
    for command in commands:
        assert shlex.split(command)


def code_and_numbers(text):
    """Commands, Python and tables' bodies, in order: what a translation leaves as it is.

    Of a comment beside a command, its numbers and the pages that it names.
    """
    text = text.split("```\nsrc/ssgan/")[0]  # the tree is in one language only
    python, lines = False, []
    for line in text.splitlines():
        if line.startswith("```"):
            python = line == "```python"
        elif python or line.startswith("| `"):
            lines.append(line)
        elif line.startswith("    ssgan "):
            command, comment = line[:COMMENTS], line[COMMENTS:]
            lines += [command, *re.findall(r"docs/[\w./-]+\.md|[\d.]+", comment)]
        elif line.startswith("    "):
            lines.append(line)
    return lines


def test_the_chinese_readme_has_the_same_commands_and_numbers():
    assert code_and_numbers(CHINESE) == code_and_numbers(README)


@pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
def test_comments_beside_commands_begin_in_one_column(text):
    commands = [line for line in text.splitlines() if line.startswith("    ssgan ")]
    assert len(commands) > 10
    for line in commands:
        assert line[COMMENTS - 1] == " " != line[COMMENTS], line


def test_the_chinese_readme_has_chinese_comments():
    for line in CHINESE.splitlines():
        if line.startswith("    ssgan "):
            assert re.search("[\u4e00-\u9fff]", line[COMMENTS:]), line


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)#]+)", README + CHINESE))
def test_every_picture_and_page_it_shows_is_there(name):
    assert name.startswith("http") or (ROOT / name).exists()


def test_the_tree_names_only_what_is_there():
    tree = README[README.index("src/ssgan/\n") :].split("```")[0]
    for line in tree.splitlines()[1:]:
        base = ROOT / "src" / "ssgan" if line.startswith("  ") else ROOT
        for word in line.split("   ")[0].split():
            assert (base / word).exists(), word
