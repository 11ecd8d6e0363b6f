"""The machine under ssgan: versions, devices, processor, threads, compiler, memory, disk, cache."""

import importlib.util
import os
import platform
import shutil
import sysconfig
from pathlib import Path

import torch

from ssgan.cli.doctor.finding import Finding
from ssgan.data.prepare import CACHE, default_cache
from ssgan.files.atomic import free_bytes
from ssgan.files.environment import list_old_packages, memory_bytes, package_version
from ssgan.files.errors import require_writable
from ssgan.files.names import readable
from ssgan.ops.cpu import num_cores
from ssgan.ops.kernels.library import find_amx, find_avx512
from ssgan.runs.precision import resolve_device, resolve_precision
from ssgan.types import UserError

_PACKAGES = ("ssgan", "torch", "numpy", "pillow")
_LEAST_DISK, _LEAST_MEMORY = 1e9, 1e9  # bytes: a small run with its images needs about that
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_COMPILERS = ("g++", "clang++", "c++", "cl")
_NVIDIA = Path("/proc/driver/nvidia/version")  # there while the driver is loaded


def check_versions() -> Finding:
    """Python, the system and the packages; a package that is too old is a fault."""
    versions = {name: package_version(name) for name in _PACKAGES}
    versions |= {"torch": torch.__version__, "python": platform.python_version()}
    versions["system"] = f"{platform.system()} {platform.release()}, {platform.machine()}"
    text = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "system")
    lines = (text, versions["system"])
    faults = tuple(list_old_packages())
    return Finding(title="versions", lines=lines, values=dict(versions), faults=faults)


def check_devices() -> Finding:
    """The accelerators that torch sees; a GPU that it does not see is a fault."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    xpu = torch.xpu.is_available()
    lines, faults, gpus = [], [], list[dict[str, object]]()
    for number in range(torch.cuda.device_count() if cuda else 0):
        facts = torch.cuda.get_device_properties(number)
        name, memory = str(facts.name), int(facts.total_memory)
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        gpus.append({"name": name, "memory_bytes": memory, "bfloat16": fast})
        bf16 = "with" if fast else "without"
        lines.append(f"cuda:{number} {name}, {_size(memory)}, {bf16} bfloat16")
    built = {"cuda": torch.version.cuda, "rocm": torch.version.hip}
    without = "" if cuda or any(built.values()) else " (this torch is built without it)"
    seen = {"cuda": cuda, "mps": mps, "xpu": xpu}
    words = ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in seen.items())
    chosen = resolve_device("auto")
    lines.append(f"torch sees {words.replace('cuda no', f'cuda no{without}')}")
    lines.append(f"--device auto is {chosen}")
    if _NVIDIA.exists() and not cuda:
        faults.append(
            "an NVIDIA driver is loaded and torch sees no GPU: install a torch that is built for "
            "CUDA and fits the driver"
        )
    values = {**seen, "gpus": gpus, "auto": str(chosen), "built_for": built}
    return Finding(title="devices", lines=tuple(lines), values=values, faults=tuple(faults))


def check_processor() -> Finding:
    """The cores and the instructions that training uses."""
    cores, everyone, name = num_cores(), os.cpu_count() or 1, _processor_name()
    fast = resolve_precision("auto", torch.device("cpu")) == "bfloat16"
    features = {
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        "amx": torch.cpu._is_amx_tile_supported(),
        "bfloat16_is_fast": fast,
    }
    kernels = {"maps": find_avx512() is not None, "convolutions": find_amx() is not None}
    share = "" if cores == everyone else f" of {everyone}, which this process may use"
    quota = _quota()
    lines = [f"{name}, {cores} core{'s' * (cores > 1)}{share}"]
    if quota is not None and quota < cores:
        lines.append(f"this container may use {quota:g} cores at a time: OMP_NUM_THREADS=N helps")
    have = [label for label, key in (("AVX512-BF16", "avx512_bf16"), ("AMX", "amx"))
            if features[key]]  # fmt: skip
    lines.append(
        f"{features['instructions']}, {' and '.join(have) or 'neither AVX512-BF16 nor AMX'}: "
        f"--precision auto is {'bfloat16' if fast else 'float32'} on the CPU"
    )
    compiled = [name for name, there in kernels.items() if there]
    lines.append(f"operations of ssgan in C: {' and '.join(compiled) or 'none'}")
    values = {"name": name, "cores": cores, "all_cores": everyone, "quota": quota, **features}
    values["kernels"] = kernels
    return Finding(title="processor", lines=tuple(lines), values=values)


def check_threads() -> Finding:
    """The threads of a step, and what decides their number."""
    threads, cores = torch.get_num_threads(), num_cores()
    named = [name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if os.environ.get(name)]
    why = "the default of torch; a run takes fewer while other processes keep cores busy"
    if named:
        why = f"because {named[0]} is {os.environ[named[0]]}"
    faults = []
    if threads > cores:
        faults.append(
            f"{threads} threads are more than {cores} cores, which is slow: set OMP_NUM_THREADS="
            f"{cores}, or leave it out"
        )
    values: dict[str, object] = {"threads": threads, "set_by": named[0] if named else None}
    return Finding(
        title="threads", lines=(f"{threads}, {why}",), values=values, faults=tuple(faults)
    )


def check_compiler() -> Finding:
    """What torch.compile needs; no fault where it is missing, as --compile true is optional."""
    named = os.environ.get("CXX")
    names = [named] if named else list(_COMPILERS)
    found = next((path for name in names if (path := shutil.which(name))), None)
    header = (Path(sysconfig.get_path("include")) / "Python.h").exists()
    triton = importlib.util.find_spec("triton") is not None
    missing = [
        *([] if found else ["a C++ compiler (g++ or clang++)"]),
        *([] if header else ["Python's headers (python3-dev)"]),
        *(["triton"] if torch.cuda.is_available() and not triton else []),
    ]
    line = f"{found}: --compile true can work"
    if missing:
        line = f"--compile true cannot work without {' and '.join(missing)}; all else can"
    values = {"compiler": found, "python_headers": header, "triton": triton}
    return Finding(title="compiler", lines=(line,), values=values)


def check_memory() -> Finding:
    """The memory of the machine and of this container."""
    total, free = memory_bytes(), _available_memory()
    lines = ["not known on this system"]
    if total is not None:
        lines = [_size(total) + ("" if free is None else f", {_size(free)} available")]
    faults = []
    if free is not None and free < _LEAST_MEMORY:
        faults.append(f"only {_size(free)} of memory is available: end other programs")
    values: dict[str, object] = {"total_bytes": total, "available_bytes": free}
    return Finding(title="memory", lines=tuple(lines), values=values, faults=tuple(faults))


def check_disk() -> Finding:
    """The free space where runs are written."""
    here = Path.cwd()
    free, faults = free_bytes(here), list[str]()
    if free < _LEAST_DISK:
        faults.append(f"only {_size(free)} of disk is free at {readable(here)}")
    values: dict[str, object] = {"folder": readable(here), "free_bytes": free}
    lines = (f"{_size(free)} free at {readable(here)}",)
    return Finding(title="disk", lines=lines, values=values, faults=tuple(faults))


def check_cache() -> Finding:
    """The folder of prepared images and weights; one that cannot be written is a fault."""
    folder = default_cache()
    size, files = _measure(folder)
    free, faults = free_bytes(folder), list[str]()
    try:
        require_writable(folder)
    except UserError as error:
        faults.append(f"the cache {error}: name another folder with {CACHE}")
    if free < _LEAST_DISK:
        faults.append(f"only {_size(free)} of disk is free for the cache at {readable(folder)}")
    holds = f"{_size(size)} in {files:,} files" if files else "empty"
    chosen = CACHE if os.environ.get(CACHE) else "the default"
    line = f"{readable(folder)} ({chosen}): {holds}, {_size(free)} free"
    values: dict[str, object] = {
        "folder": readable(folder),
        "bytes": size,
        "files": files,
        "free_bytes": free,
    }
    return Finding(title="cache", lines=(line,), values=values, faults=tuple(faults))


def _measure(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files in a folder; no link is followed."""
    size = count = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.lstat(os.path.join(place, name)).st_size
            except OSError:  # removed meanwhile
                continue
            count += 1
    return size, count


def _processor_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _quota() -> float | None:
    """The cores that a container may use at a time; None without a limit."""
    try:
        limit, period = _QUOTA.read_text().split()
        return int(limit) / int(period)
    except (OSError, ValueError):  # "max", or no such file
        return None


def _available_memory() -> int | None:
    """Bytes that programs can take without swapping; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
