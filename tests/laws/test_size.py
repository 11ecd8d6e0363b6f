"""Limits on length, so that the algorithm stays on a screen and a file has one subject."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "ssgan"
FILES = sorted(SOURCE.rglob("*.py"))
CAPS = {"training/step.py": 60, "methods/ssgan.py": 60}


@pytest.mark.parametrize("name", CAPS)
def test_the_algorithm_and_the_step_stay_on_a_screen(name):
    assert len((SOURCE / name).read_text().splitlines()) <= CAPS[name]


def test_no_file_is_longer_than_400_lines():
    assert [f.name for f in FILES if len(f.read_text().splitlines()) > 400] == []


def test_no_function_is_longer_than_50_lines():
    long = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 50:
                long.append(f"{file.name}:{node.name}")
    assert long == []


def test_nothing_stored_can_run_code():
    """No pickle, no eval, no load that is not of weights only, no archive unpacked unfiltered."""
    found = [f"{file.name}:{bad}" for file in FILES for bad in forbidden(file.read_text())]
    assert found == []


MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NEVER = {
    *("eval", "exec", "__import__", "os.system", "os.popen", "torch.jit.load", "torch.hub.load"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "shutil.unpack_archive"),
}
NEVER_OF_ANYTHING = {"read_pickle", "unsafe_load", "unpack_archive"} | {
    *("broadcast_object_list", "scatter_object_list", "all_gather_object", "gather_object"),
    *("send_object_list", "recv_object_list"),
}


def forbidden(text):
    """What in a module could run stored code, each with its line."""
    tree = ast.parse(text)
    imports = dict(pair for node in ast.walk(tree) for pair in imported(node))
    for node in ast.walk(tree):
        for name in sorted(bad_imports(node)):
            yield f"{node.lineno} {name}"
        if isinstance(node, ast.Name | ast.Attribute):
            name = in_full(node, imports)
            if name in NEVER or ("." in name and name.rpartition(".")[2] in NEVER_OF_ANYTHING):
                yield f"{node.lineno} {name}"
        if isinstance(node, ast.Call) and bad_call(node, in_full(node.func, imports)):
            yield f"{node.lineno} {ast.unparse(node)}"


def imported(node):
    """The names an import makes, each with what it stands for in full."""
    if isinstance(node, ast.Import):
        yield from ((alias.asname, alias.name) for alias in node.names if alias.asname)
    if isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def in_full(node, imports):
    """`t.load` as `torch.load` after `import torch as t`; a built-in by its bare name."""
    first, dot, rest = ast.unparse(node).partition(".")
    return (imports.get(first, first) + dot + rest).removeprefix("builtins.")


def bad_imports(node):
    """Imports of what runs code, whatever is done with it."""
    if isinstance(node, ast.Import):
        names = {alias.name for alias in node.names}
        return {name for name in names if name.partition(".")[0] in MODULES}
    if isinstance(node, ast.ImportFrom) and node.module:
        names = {f"{node.module}.{alias.name}".removeprefix("builtins.") for alias in node.names}
        loads = {name for name in names if name == "torch.load"}  # to be seen where it is called
        last = {name for name in names if name.rpartition(".")[2] in NEVER_OF_ANYTHING}
        return loads | last | (names & NEVER) | {node.module}.intersection(MODULES)
    return set()


def bad_call(node, called):
    """Whether a call is unsafe as its arguments are."""
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
    given = [a.value for a in node.args[:1] if isinstance(a, ast.Constant)]
    return (
        (called == "torch.load" and keywords.get("weights_only") != "True")
        or keywords.get("allow_pickle", "False") != "False"
        or keywords.get("shell", "False") != "False"
        or (called == "importlib.import_module" and bool(MODULES.intersection(given)))
        or (
            called.rpartition(".")[2] in ("extractall", "extract")
            and "." in called
            and keywords.get("filter") != "'data'"
        )
    )


PLANTED = [
    "import pickle",
    "import _pickle as p",
    "from pickle import loads",
    "import cloudpickle",
    "import joblib",
    "importlib.import_module('pickle')",
    "eval('1')",
    "run = eval",
    "import builtins\nbuiltins.eval('1')",
    "from builtins import exec as run",
    "__import__('os')",
    "os.system('ls')",
    "from os import system",
    "import os as o\no.system('ls')",
    "subprocess.run('ls', shell=1)",
    "torch.load(f)",
    "torch.load(f, weights_only=False)",
    "import torch as t\nt.load(f)",
    "from torch import load",
    "torch.jit.load(f)",
    "from torch.jit import load",
    "torch.hub.load('a/b', 'c')",
    "torch.distributed.broadcast_object_list(found)",
    "from torch.distributed import all_gather_object",
    "np.load(f, allow_pickle=True)",
    "pd.read_pickle(f)",
    "yaml.load(f)",
    "yaml.unsafe_load(f)",
    "tar.extractall(folder)",
    "tar.extract(member, folder, filter='tar')",
    "tarfile.open(f).extractall(folder)",
    "shutil.unpack_archive(f)",
    "from shutil import unpack_archive",
]
HARMLESS = """
import torch
from torch import Tensor
torch.load(f, weights_only=True)
np.load(f)
network.eval()
tar.extractall(folder, filter='data')
tar.extractfile(member)
subprocess.run(['ls'], shell=False)
self._extract(side)
"""


@pytest.mark.parametrize("lines", PLANTED)
def test_the_check_for_code_finds_a_planted_line(lines):
    assert list(forbidden(lines))


def test_the_check_for_code_lets_pass_what_runs_none():
    assert list(forbidden(HARMLESS)) == []
