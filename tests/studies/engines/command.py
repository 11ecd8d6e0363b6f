"""`python -m ssgan`, replaced: the words are a verb, what happens, and a file for the result.

The rest of `ssgan` is the real one, which a node of a cluster needs.
"""

import os
from pathlib import Path

import ssgan

INIT = f"__path__.append({os.path.dirname(ssgan.__file__)!r})\n__version__ = '0'\n"
MAIN = """
import json, os, signal, sys, time
from pathlib import Path
from ssgan.training.signals import end_with_parent

end_with_parent()
verb, kind, result = sys.argv[1], sys.argv[2], Path(sys.argv[3])
saved, started = result.with_suffix(".saved"), result.with_suffix(".started")

def save(number, frame):
    with saved.open("a") as file:
        file.write(signal.Signals(number).name + "\\n")
    sys.exit({"SIGTERM": 143, "SIGINT": 130}[signal.Signals(number).name])

if kind == "slow" and not saved.exists():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, save)
    print("working", flush=True)
    number = os.environ.get("SLURM_JOB_ID", "")
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        number = os.environ["SLURM_ARRAY_JOB_ID"] + "_" + os.environ["SLURM_ARRAY_TASK_ID"]
    started.write_text(number)
    time.sleep(60)
if kind == "raise":
    raise ValueError("a bug")
if kind == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if kind != "empty":
    words = [verb, os.environ["OMP_NUM_THREADS"], os.environ.get("MINE"), os.getcwd()]
    result.write_text(json.dumps(words))
"""


def write_command(folder: Path) -> Path:
    """Write it below an empty folder, which PYTHONPATH must name."""
    package = folder / "ssgan"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(INIT)
    (package / "__main__.py").write_text(MAIN)
    return folder
