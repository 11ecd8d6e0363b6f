"""What the README says can be done as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from ssgan.recipes.find import find
from tests.test_recipes import noise, small

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh.md").read_text()


def test_the_python_code_runs(monkeypatch, capsys):
    """As written, but for a smaller run on images that are already there."""
    import ssgan

    def on_noise(config):
        config = small(config)
        return TRAIN(config, noise(config))

    TRAIN = ssgan.train
    monkeypatch.setattr(ssgan, "train", on_noise, raising=False)
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(code.replace("% 10 == 0", "% 1 == 0"), {})
    step, loss = capsys.readouterr().out.split()
    assert int(step) == 1
    assert float(loss) > 0


@pytest.mark.parametrize(
    "line", re.findall(r"^    ssgan train (\S+:\S+)", README, flags=re.MULTILINE)
)
def test_every_recipe_it_names_is_there(line):
    if not line.startswith("folder:") and "--" not in line:
        find(line)


def test_both_commands_are_one_line_each():
    commands = [line for line in README.splitlines() if "pip install -c constraints.txt" in line]
    assert len(commands) == 2
    for command in commands:
        assert shlex.split(command)


def code_and_numbers(text):
    """Lines of code and of tables' bodies, in order: what a translation leaves as it is."""
    text = text.split("```\nsrc/ssgan/")[0]  # the tree is in one language only
    lines = [line for line in text.splitlines() if line.startswith(("    ", "| `", "```"))]
    return [line for line in lines if line != "```"]


def test_the_chinese_readme_has_the_same_commands_and_numbers():
    assert code_and_numbers(CHINESE) == code_and_numbers(README)


@pytest.mark.parametrize("name", re.findall(r"\]\(([^)#]+)", README + CHINESE))
def test_every_picture_and_page_it_shows_is_there(name):
    assert name.startswith("http") or (ROOT / name).exists()


def test_the_tree_names_only_what_is_there():
    tree = README[README.index("src/ssgan/\n") :].split("```")[0]
    for line in tree.splitlines()[1:]:
        base = ROOT / "src" / "ssgan" if line.startswith("  ") else ROOT
        for word in line.split("   ")[0].split():
            assert (base / word).exists(), word
