"""C files of this folder, compiled once for this machine into the user's cache and loaded.

They are linked without OpenMP: its functions are those that PyTorch has loaded, so that they run
on PyTorch's threads.
"""

import ctypes
import hashlib
import logging
import os
import shutil
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from platformdirs import user_cache_path
from torch import Tensor

_LOG = logging.getLogger(__name__)
_COMPILERS = ("gcc", "cc")  # with the OpenMP that PyTorch brings; clang calls another one
_SECONDS = 60  # for compiling, which takes about one
_FLAGS = ("-O3", "-fPIC", "-fopenmp")
_AVX512_BF16 = tuple(f"-mavx512{part}" for part in ("f", "bw", "vl", "dq", "bf16"))
_AMX = ("-march=sapphirerapids",)  # the first processors with it


@cache
def find_avx512() -> ctypes.CDLL | None:
    """The library of `maps.c`, where the CPU has AVX512-BF16."""
    there = sys.platform.startswith("linux") and torch.cpu._is_avx512_bf16_supported()
    return load_kernels("maps", _AVX512_BF16) if there else None


@cache
def find_amx() -> ctypes.CDLL | None:
    """The library of `amx.c`, where the CPU has AMX and the system lets this process use it."""
    there = sys.platform.startswith("linux") and torch.cpu._is_amx_tile_supported()
    library = load_kernels("amx", _AMX) if there else None
    return library if library is not None and library.request_tiles() else None


@cache
def load_kernels(name: str, flags: tuple[str, ...]) -> ctypes.CDLL | None:
    """The library of `name`.c, or None where it cannot be compiled; the reason is logged once."""
    try:
        return ctypes.CDLL(str(_compile(name, flags)))
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        _LOG.warning("training is slower than it could be: %s.c is not compiled: %s", name, reason)
        return None


def call(library: ctypes.CDLL | None, function: str, *values: Tensor | int | float | None) -> None:
    """Call a function of a library: a tensor is a pointer to its numbers, None a null pointer.

    Raises MemoryError where the function has no place for what it stores on the way.
    """
    if library is None:
        raise RuntimeError(f"this machine cannot run {function}: ask first")
    if getattr(library, function)(*(_argument(value) for value in values)):
        raise MemoryError(f"not enough memory for {function}")


def _argument(value: Tensor | int | float | None) -> object:
    if isinstance(value, int):
        return ctypes.c_long(value)
    if isinstance(value, float):
        return ctypes.c_float(value)
    return ctypes.c_void_p(None if value is None else value.data_ptr())


def _compile(name: str, flags: tuple[str, ...]) -> Path:
    """The shared library in the cache, made there if it is not.

    Raises OSError where there is no compiler, or the cache cannot be written, or can by others.
    """
    source = files("ssgan.ops.kernels").joinpath(f"{name}.c").read_bytes()
    flags = (*_FLAGS, *flags)
    key = hashlib.sha256(source + " ".join(flags).encode()).hexdigest()[:16]
    folder = user_cache_path("ssgan", appauthor=False) / "kernels"
    library = folder / f"{name}-{key}.so"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform != "win32":
        facts = folder.stat()
        if facts.st_uid != os.getuid() or facts.st_mode & 0o022:  # what is there would run here
            raise OSError(f"others may write in {folder}")
    if library.exists():
        return library
    compiler = next((found for known in _COMPILERS if (found := shutil.which(known))), None)
    if compiler is None:
        raise OSError("there is no C compiler (gcc or cc)")
    with TemporaryDirectory(dir=folder) as made:
        (Path(made) / "kernels.c").write_bytes(source)
        for command in (
            [compiler, *flags, "-c", "kernels.c", "-o", "kernels.o"],
            [compiler, "-shared", "kernels.o", "-o", "kernels.so"],
        ):
            subprocess.run(command, cwd=made, check=True, capture_output=True, timeout=_SECONDS)
        with open(Path(made) / "kernels.so", "rb") as whole:
            os.fsync(whole)  # a part of a library would end the process that loads it
        os.replace(Path(made) / "kernels.so", library)
    return library
