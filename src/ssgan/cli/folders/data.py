"""`ssgan data ACTION SOURCE`: runs the action."""

import importlib

from ssgan.cli.folders.options import Data

_ACTIONS = {  # module and function
    "inspect": ("inspect_images", "inspect_source"),
    "prepare": ("prepare_images", "prepare_source"),
}


def main(given: Data) -> int:
    """Run the action; returns the exit code."""
    assert given.action is not None  # required
    module, function = _ACTIONS[given.action]
    work = getattr(importlib.import_module(f"ssgan.cli.folders.{module}"), function)
    code: int = work(given)
    return code
