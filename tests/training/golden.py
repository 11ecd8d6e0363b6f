"""What present code wrote and computed, kept for later code to be held against.

python -m tests.training.golden losses        after a change of numbers, which CHANGELOG tells
python -m tests.training.golden checkpoint    when old files are no longer to be read, if ever
"""

import hashlib
import json
import platform
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils._pytree import keystr, tree_leaves_with_path

from ssgan.data.dataset import Dataset
from ssgan.files.environment import package_version
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.state import fresh_state
from ssgan.training.loop import train
from ssgan.training.run import run
from tests.training.tiny import images, rows_of, stop_after, tiny

FOLDER = Path(__file__).parent / "earlier"
LOSSES = FOLDER / "losses.json"
SAVED, FACTS = FOLDER / "step-00000003.ckpt", FOLDER / "checkpoint.json"
STEPS = 50  # of four losses each
NAMES = ("D/adversarial", "D/rotation", "G/adversarial", "G/rotation")


def losses() -> dict[str, list[float]]:
    """Of the steps after the kept file, in float64, each name's in turn.

    Not from the start: torch draws the first weights in float32, not the same on every processor.
    """
    saved = checkpoint.load_checkpoint(SAVED)
    config = replace(saved.config, precision="float64", total_steps=saved.step + STEPS)
    state = fresh_state(config, len(saved.classes), torch.device("cpu"))
    checkpoint.restore(state, saved)
    rows = [report.terms for report in train(config, data_of(saved), state)]
    return {name: [row[name].item() for row in rows] for name in NAMES}


def computed_on() -> dict[str, object]:
    """What the last bits may depend on."""
    return {
        "torch": ".".join(torch.__version__.split(".")[:2]),
        "machine": platform.machine(),
        "processor_features": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def digest(saved: checkpoint.Checkpoint) -> str:
    """sha256 over the names, types and bytes of every tensor in a file."""
    whole = hashlib.sha256()
    for path, leaf in tree_leaves_with_path(saved.tensors):
        if isinstance(leaf, torch.Tensor):
            whole.update(f"{keystr(path)} {leaf.dtype} {tuple(leaf.shape)}\n".encode())
            whole.update(leaf.contiguous().numpy().tobytes())
    return whole.hexdigest()


def continued(root: Path) -> list[dict[str, object]]:
    """The log of a run from the kept file to its end, as its owner would continue it."""
    layout = RunDirectory(root)
    layout.checkpoints.mkdir(parents=True)
    layout.lock.touch()
    shutil.copy(SAVED, layout.checkpoints)
    saved = checkpoint.load_checkpoint(SAVED)
    for _ in run(saved.config, root, data_of(saved)):
        pass
    return rows_of(layout.log)


def data_of(saved: checkpoint.Checkpoint) -> Dataset:
    """The tiny images, by the name they had then."""
    return replace(images(), content_hash=saved.data_hash)


def write_losses() -> None:
    """Keep the losses, and what they were computed on."""
    LOSSES.write_text(json.dumps({**computed_on(), "losses": losses()}, indent=1) + "\n")


def write_checkpoint() -> None:
    """Keep a file after three steps of the tiny run, its digest, and how the run goes on."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "first"
        stop_after(tiny(), root, images(), 3)
        shutil.copy(RunDirectory(root).checkpoint(3), SAVED)
        facts = {
            "ssgan": package_version("ssgan"),
            **computed_on(),
            "digest": digest(checkpoint.load_checkpoint(SAVED)),
            "continued": continued(Path(folder) / "second"),
        }
    FACTS.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    {"losses": write_losses, "checkpoint": write_checkpoint}[sys.argv[1]]()
