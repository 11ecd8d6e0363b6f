"""An exported file run by a fresh process that cannot import ssgan, and compared with our network.

The difference of an output is its largest absolute difference over 64 rows, divided by the largest
magnitude of that output where this is above 1. Batches have 8, 1 and 3 rows: a converter may freeze
the size of its example.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ssgan.export.plain import Graph
from ssgan.files.names import printable
from ssgan.types import UserError

_SCRIPT = """
import json, sys
import numpy as np
sys.modules["ssgan"] = None  # importing it fails
file, examples = sys.argv[1:]
arrays = np.load(examples, allow_pickle=False)
inputs = {n.partition(" ")[2]: arrays[n] for n in arrays.files if n.startswith("input ")}
outputs = [arrays[n] for n in arrays.files if n.startswith("output ")]
if file.endswith(".onnx"):
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    def run(values):
        return session.run(None, values)
else:
    import torch
    network = torch.export.load(file).module()
    def run(values):
        found = network(*map(torch.from_numpy, values.values()))
        return [t.numpy() for t in (found if isinstance(found, (tuple, list)) else [found])]
worst, count = 0.0, len(outputs[0])
parts = [slice(first, first + 8) for first in range(0, count, 8)]
for rows in (*parts, slice(0, 1), slice(count - 3, count)):
    found = run({name: value[rows] for name, value in inputs.items()})
    assert len(found) == len(outputs), (len(found), len(outputs))
    for one, whole in zip(found, outputs):
        assert one.shape == whole[rows].shape, (one.shape, rows)
        scale = max(1.0, float(np.abs(whole).max()))
        worst = np.maximum(worst, np.abs(one - whole[rows]).max() / scale)  # NaN stays
assert "ssgan" not in [name for name, module in sys.modules.items() if module is not None]
print(json.dumps(float(worst)))
"""


def measure_difference(file: Path, graph: Graph) -> float:
    """The largest difference over all outputs; infinity for NaN.

    Raises UserError, with the last line of the other process, when it cannot run the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        examples = Path(folder) / "examples.npz"
        arrays: dict[str, Any] = {
            **{f"input {name}": value.numpy() for name, value in graph.inputs.items()},
            **{f"output {name}": value.numpy() for name, value in graph.outputs.items()},
        }
        np.savez(examples, **arrays)
        done = subprocess.run(
            [sys.executable, "-I", "-W", "ignore", "-c", _SCRIPT, str(file), str(examples)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"{file.name} cannot be run without ssgan: {printable(reason)}")
    difference = float(json.loads(done.stdout.splitlines()[-1]))
    return difference if difference == difference else float("inf")
