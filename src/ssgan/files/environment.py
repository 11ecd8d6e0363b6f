"""The environment of a run: versions, machine, threads, commit."""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import torch


def describe_environment(device: str, precision: str) -> dict[str, object]:
    """Versions, processor and threads, which determine the bits, and the command, as JSON."""
    return {
        "ssgan": package_version("ssgan"),
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": package_version("numpy"),
        "pillow": package_version("pillow"),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor_features": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "precision": precision,
        "argv": sys.argv[1:],
    }


_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)>=([0-9.]+)")
BITS_DEPEND_ON = ("torch", "machine", "processor_features", "threads", "device", "device_name")


def memory_bytes() -> int | None:
    """The memory of this machine; None where the system does not say (Windows)."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def package_version(package: str) -> str:
    """The installed version, or "unknown"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def list_old_packages() -> list[str]:
    """A sentence for each installed package below the version that ssgan requires.

    pip checks this when it installs ssgan, and not when another version comes later.
    """
    try:
        needed = requires("ssgan") or []
    except PackageNotFoundError:  # it runs from a folder, without being installed
        return []
    sentences = []
    for line in needed:
        if (found := _REQUIREMENT.fullmatch(line)) is None:  # an extra, or another kind of bound
            continue
        package, floor = found.groups()
        installed = package_version(package)
        if installed != "unknown" and _numbers(installed) < _numbers(floor):
            sentences.append(
                f"{package} {installed} is older than {floor}, which ssgan requires: it may read "
                f"hostile files unsafely; pip install '{package}>={floor}'"
            )
    return sentences


def _numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: 2.11.0 of "2.11.0+cpu", and 12.3 of "12.3.dev1"."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, match[0].split("."))) if match else ()


def _commit() -> str | None:
    """The commit of the source tree, if the package runs from one."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):  # no git, or one that hangs
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
