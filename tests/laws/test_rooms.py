"""Limits on modules and packages, so that a newcomer finds things by their names."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "ssgan"
FILES = sorted(file for file in SOURCE.rglob("*.py") if file.name != "__init__.py")
MODULES = {
    ".".join(("ssgan", *file.relative_to(SOURCE).with_suffix("").parts)): file for file in FILES
}
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
SMALLEST = 60  # lines of a module that one other module imports
LARGEST = 20  # modules of a package
# Small, and imported once, for a reason.
APART = {
    "ssgan.__main__",  # python -m ssgan
    "ssgan.training.step",  # the step on one screen
    "ssgan.ops.ema",  # a term that readers look for by name
}
# Methods of two protocols, or the same idea in two places that never meet in one file.
SHARED = {"main", "STUDY", "load"}  # load: of settings, and of a model


def importers():
    found = defaultdict(set)
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for name in (node.module, *(f"{node.module}.{a.name}" for a in node.names)):
                    if name in MODULES:
                        found[name].add(file)
    return found


def public(tree):
    """Functions and classes at the top of a module."""
    kinds = ast.FunctionDef | ast.ClassDef
    return [n.name for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]


def test_a_module_with_one_importer_has_a_subject_of_its_own():
    by_module = importers()
    small = [
        f"{name} ({len(lines)} lines)"
        for name, file in MODULES.items()
        if len(lines := file.read_text(encoding="utf-8").splitlines()) < SMALLEST
        and len(by_module[name]) < 2
        and name not in APART
        and not name.startswith(("ssgan.cli", "ssgan.recipes", "ssgan.methods"))
    ]
    assert small == []


def test_a_package_has_at_most_twenty_modules():
    sizes = defaultdict(list)
    for name in MODULES:
        sizes[name.rpartition(".")[0]].append(name)
    assert {name: len(found) for name, found in sizes.items() if len(found) > LARGEST} == {}


def test_public_names_are_unique_across_packages():
    homes = defaultdict(set)
    for name, file in MODULES.items():
        if not name.startswith(("ssgan.recipes.", "ssgan.cli.")):
            for found in public(TREES[file]):
                homes[found].add(name)
    twice = {
        name: sorted(found)
        for name, found in homes.items()
        if len({module.split(".")[1] for module in found}) > 1 and name not in SHARED
    }
    assert twice == {}


BARE = [
    "added",
    "agreed",
    "aligned",
    "answered",
    "asked",
    "averaged",
    "boxed",
    "built",
    "called",
    "changed",
    "checked",
    "chosen",
    "closed",
    "coloured",
    "combined",
    "completed",
    "computed",
    "converted",
    "counted",
    "cut",
    "described",
    "drawn",
    "ended",
    "evaluated",
    "explained",
    "fetched",
    "fitted",
    "found",
    "given",
    "guessed",
    "handled",
    "joined",
    "kept",
    "known",
    "launched",
    "listed",
    "loaded",
    "looked",
    "made",
    "matched",
    "measured",
    "modulated",
    "moved",
    "named",
    "obeyed",
    "opened",
    "paired",
    "parsed",
    "penalised",
    "picked",
    "planned",
    "prepared",
    "put",
    "read_",
    "received",
    "recomputed",
    "reduced",
    "resized",
    "resolved",
    "said",
    "scaled",
    "seen",
    "settled",
    "shared",
    "shown",
    "smoothed",
    "sorted_",
    "spoken",
    "stored",
    "summed",
    "taken",
    "thawed",
    "tightened",
    "told",
    "tried",
    "turned",
    "unsealed",
    "upgraded",
    "used",
    "verified",
    "written",
]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_functions_are_verbs(name):
    """No function is called by a participle alone."""
    defined = [n.name for n in ast.walk(TREES[MODULES[name]]) if isinstance(n, ast.FunctionDef)]
    assert [found for found in defined if found.strip("_") in BARE] == []
