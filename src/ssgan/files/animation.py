"""Animations in files: GIF and WebP by Pillow, MP4 by ffmpeg where the machine has it."""

import importlib
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ssgan.files.alpha import over_checkerboard
from ssgan.files.atomic import write_atomic
from ssgan.files.names import readable
from ssgan.files.own_outputs import MARK_BYTES, SHEET, find_mark
from ssgan.types import UserError

ENDINGS = (".gif", ".webp", ".mp4")
_LEAST_PIXELS = {".gif": 128, ".webp": 128, ".mp4": 256}  # small frames are enlarged up to this
_SOFTWARE_TAG = 0x0131  # of EXIF


def require_animation(path: Path) -> None:
    """Raise UserError where `save_animation` could not write, or would replace a user's file."""
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"{readable(path)}: the name must end in {', '.join(ENDINGS)}")
    if path.is_dir():
        raise UserError(f"{readable(path)} is a folder; give the name of a file")
    if path.is_file() and not _is_own(path):
        raise UserError(f"{readable(path)} is not output of ssgan: give another name")
    if path.suffix.lower() == ".mp4" and find_ffmpeg() is None:
        raise UserError(
            f"{readable(path)}: .mp4 needs ffmpeg, or `pip install imageio-ffmpeg`; "
            f"{readable(path.with_suffix('.webp').name)} needs neither"
        )


def save_animation(path: Path, frames: NDArray[np.uint8], frame_ms: int) -> None:
    """Write frames uint8 [N, S, S, C] of `frame_ms` milliseconds each, marked as ours.

    The ending chooses the format; GIF and WebP repeat endlessly. Raises UserError when ffmpeg
    fails.
    """
    ending = path.suffix.lower()
    zoom = -(-_LEAST_PIXELS[ending] // frames.shape[1]) if ending == ".mp4" else 0
    zoom = max(1, zoom or _LEAST_PIXELS[ending] // frames.shape[1])
    frames = over_checkerboard(frames)
    large = frames.repeat(zoom, axis=1).repeat(zoom, axis=2)
    encode = {".gif": _encode_gif, ".webp": _encode_webp, ".mp4": _encode_mp4}[ending]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, encode(large, frame_ms))


def find_ffmpeg() -> str | None:
    """The program of the machine, or that of the package imageio-ffmpeg; None without both."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        find: Callable[[], str] = importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe
        return find()
    except (ImportError, RuntimeError):  # not installed, or without its program
        return None


def _pictures(frames: NDArray[np.uint8]) -> list[Image.Image]:
    return [Image.fromarray(f[..., 0] if f.shape[-1] == 1 else f) for f in frames]


def _encode_gif(frames: NDArray[np.uint8], frame_ms: int) -> bytes:
    first, *others = _pictures(frames)
    encoded = io.BytesIO()
    first.save(
        encoded,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=frame_ms,
        loop=0,
        comment=SHEET.encode(),
    )
    return encoded.getvalue()


def _encode_webp(frames: NDArray[np.uint8], frame_ms: int) -> bytes:
    first, *others = _pictures(frames)
    mark, encoded = Image.Exif(), io.BytesIO()
    mark[_SOFTWARE_TAG] = SHEET
    first.save(
        encoded,
        format="WEBP",
        save_all=True,
        append_images=others,
        duration=frame_ms,
        loop=0,
        quality=90,
        exif=mark,
    )
    return encoded.getvalue()


def _encode_mp4(frames: NDArray[np.uint8], frame_ms: int) -> bytes:
    _, height, width, channels = frames.shape
    layout = "gray" if channels == 1 else "rgb24"
    raw = ["-f", "rawvideo", "-pix_fmt", layout, "-s", f"{width}x{height}"]
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "animation.mp4")
        done = subprocess.run(
            [
                *(find_ffmpeg() or "ffmpeg", "-loglevel", "error", "-y", *raw),
                *("-r", f"1000/{frame_ms}", "-i", "-", "-an"),
                *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"),
                *("-metadata", f"comment={SHEET}", file),
            ],
            input=frames.tobytes(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise UserError(f"ffmpeg failed: {words[-1]}; .webp and .gif need no ffmpeg")
        return Path(file).read_bytes()


def _is_own(path: Path) -> bool:
    """Whether we wrote it: a GIF has the mark at its beginning, the others at their end."""
    with path.open("rb") as file:
        head = file.read(MARK_BYTES)
        file.seek(-min(MARK_BYTES, path.stat().st_size), os.SEEK_END)
        return find_mark(head) == SHEET or SHEET.encode() in file.read()
