"""A run of somebody's own recipe is read by every verb once its module is trusted."""

import sys

import pytest

from ssgan.cli.main import main
from tests.cli.test_main import TINY

pytestmark = pytest.mark.slow

OWN = """
from dataclasses import dataclass, replace

from ssgan.methods.gan import GAN
from ssgan.recipes import scenes


@dataclass(frozen=True, kw_only=True)
class OwnGAN(GAN):
    shift: float = 0.5  # of nothing


def mine():
    return replace(scenes.gan(), method=OwnGAN())
"""
MODULE = "ssgan_test_package.own"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory above the package, with a run of its recipe in it."""
    root = tmp_path_factory.mktemp("own")
    package = root / "ssgan_test_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "own.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        go_to(root, patch)
        words = ["train", f"{MODULE}:mine", "--data", "scenes:num_images=40", "--run", "run"]
        assert main([*words, *TINY, "--output.checkpoint_every", "1"]) == 0
    return root


def go_to(root, patch):
    """As a new process would start there: nothing of the package is imported."""
    patch.chdir(root)
    patch.setattr(sys, "path", list(sys.path))
    for name in [name for name in sys.modules if name.startswith("ssgan_test_package")]:
        patch.delitem(sys.modules, name)


AGAINST = ["--against", "scenes:num_images=40", "--n", "16", "--metrics", "fd"]
OF_RUN = ["--features", "discriminator", "--weights", "run"]
VERBS = [
    (["sample", "run", "--n", "1"], "1 images of step"),
    (["sample", "run", "--n", "1", "--best"], "1 images of step"),
    (["show", "run", "--settings"], "method.shift"),
    (["train", "run", "--total_steps", "3"], "samples: run/samples/step-00000003.png"),
    (["train", "run", "--total_steps", "9", "--dry-run"], "the run        9 steps"),
    (["evaluate", "run", *AGAINST, "--features", "random"], "written to run/evaluation"),
    (["evaluate", "run", "--step", "2", *AGAINST, "--features", "discriminator"], "D-of-run"),
    (["evaluate", "scenes:num_images=40", *AGAINST, *OF_RUN], "D-of-run"),
    (["probe", "run", "--data", "scenes:num_images=120", "--steps", "0,2"], "plot: run/probe"),
    (["features", "run", "--data", "scenes:num_images=40", "--out", "f.npy"], "40 images, step"),
]


@pytest.mark.parametrize(("words", "printed"), VERBS, ids=lambda v: " ".join(v)[:20])
def test_a_run_of_my_own_class_is_read_once_its_module_is_named(
    words, printed, trained, monkeypatch, capsys
):
    go_to(trained, monkeypatch)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert f"method has kind '{MODULE}:OwnGAN', which is in none of: ssgan" in error
    assert f"--trust {MODULE}" in error
    assert len(error.strip().splitlines()) == 1
    assert MODULE not in sys.modules  # asking imported nothing
    assert main([*words, "--trust", f"math,{MODULE}"]) == 0
    assert printed in capsys.readouterr().out


def test_a_package_is_trusted_with_its_modules_but_they_must_be_named_to_be_imported(
    trained, monkeypatch, capsys
):
    go_to(trained, monkeypatch)
    assert main(["show", "run", "--trust", "ssgan_test_package"]) == 2
    assert f"{MODULE!r} is not imported: --trust {MODULE}" in capsys.readouterr().err
    assert main(["show", "run", "--trust", "no_such_module"]) == 2
    assert "--trust no_such_module: cannot import 'no_such_module'" in capsys.readouterr().err
    assert main(["show", "run", "--trust", "../own"]) == 2
    assert "--trust ../own: '../own' is no module" in capsys.readouterr().err


RECIPES = """
from ssgan.methods.gan import GAN
from ssgan.recipes import scenes

def nothing():
    scenes.gan()

def method():
    return GAN()

def needs(width):
    return scenes.gan()

def fails():
    return scenes.gan().depth

method_class = GAN
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "returned nothing; it must return a RunConfig, as in `return replace("),
        ("method", "returned a GAN; it must return a RunConfig, as in `return replace("),
        ("method_class", "returned a GAN; it must return a RunConfig"),
        ("needs", "failed: TypeError: needs() missing 1 required positional argument: 'width'"),
        ("fails", "failed: AttributeError: 'RunConfig' object has no attribute 'depth' ("),
    ],
)
def test_a_recipe_of_my_own_that_makes_no_settings_is_named(
    name, words, tmp_path, monkeypatch, capsys
):
    (tmp_path / "ssgan_test_package_recipes.py").write_text(RECIPES)
    go_to(tmp_path, monkeypatch)
    assert main(["train", f"ssgan_test_package_recipes:{name}", "--dry-run"]) == 2
    error = capsys.readouterr().err
    assert f"recipe 'ssgan_test_package_recipes:{name}' {words}" in error
    assert len(error.strip().splitlines()) == 1
    assert ("ssgan_test_package_recipes.py, line 15)" in error) == (name == "fails")
    assert "find.py" not in error


def test_a_module_that_fails_when_it_is_imported_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "ssgan_test_package_fails.py").write_text("import os\nwidht + 1\n")
    go_to(tmp_path, monkeypatch)
    for words in (["train", "ssgan_test_package_fails:mine"], ["show", "x", "--trust"]):
        module = ["ssgan_test_package_fails"] if words[0] == "show" else []
        (tmp_path / "x").mkdir(exist_ok=True)
        (tmp_path / "x" / "config.json").write_text("{}")
        assert main([*words, *module]) == 2
        error = capsys.readouterr().err
        assert "cannot import 'ssgan_test_package_fails': NameError: name 'widht' is not" in error
        assert "ssgan_test_package_fails.py, line 2)" in error
        assert len(error.strip().splitlines()) == 1


def test_a_module_that_is_no_python_is_one_line_with_its_place(tmp_path, monkeypatch, capsys):
    (tmp_path / "ssgan_test_package_torn.py").write_text("import os\ndef mine(:\n")
    go_to(tmp_path, monkeypatch)
    assert main(["train", "ssgan_test_package_torn:mine"]) == 2
    error = capsys.readouterr().err
    assert "cannot import 'ssgan_test_package_torn'" in error
    assert "ssgan_test_package_torn.py, line 2" in error
    assert len(error.strip().splitlines()) == 1
