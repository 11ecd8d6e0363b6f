"""A stored config can be read by a program that has imported nothing else."""

import importlib
import pkgutil
import subprocess
import sys

import ssgan
from ssgan.config.schema import concrete_classes, field_hints, form_of
from ssgan.runs.config import RunConfig


def test_reading_settings_has_imported_every_class_that_they_may_name():
    for module in pkgutil.walk_packages(ssgan.__path__, "ssgan."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    program = "import sys, ssgan.runs.config_io; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(printed.stdout.decode().split())
    kinds = {owner for owner in every_kind(RunConfig) if owner.__module__.startswith("ssgan.")}
    assert len(kinds) > 30
    assert {owner for owner in kinds if owner.__module__ not in loaded} == set()


def every_kind(owner: type) -> set[type]:
    """The concrete classes that settings of this class may hold, at any depth, itself included."""
    found, waiting = set(), [owner]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            for hint in field_hints(one).values():
                waiting += concrete_classes(form_of(hint).specs)
    return found
