"""Animations; MP4 with a stand-in for ffmpeg, which stores its words and frames."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from ssgan.files.animation import find_ffmpeg, require_animation, save_animation
from ssgan.files.own_outputs import SHEET
from ssgan.types import UserError

FRAMES = np.arange(4 * 48 * 48 * 3, dtype=np.uint8).reshape(4, 48, 48, 3)
STAND_IN = """#!{python}
import sys
if {fails}:
    sys.exit("first line\\nno encoder")
open(sys.argv[-1], "wb").write(" ".join(sys.argv[1:-1]).encode() + sys.stdin.buffer.read())
"""


@pytest.fixture
def without(monkeypatch, tmp_path):
    """A machine without ffmpeg."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    return tmp_path


def write_stand_in(folder: Path, fails: bool) -> Path:
    program = folder / "ffmpeg"
    program.write_text(STAND_IN.format(python=sys.executable, fails=fails))
    program.chmod(0o755)
    return program


def test_mp4_without_ffmpeg_is_one_line_that_offers_webp(without):
    with pytest.raises(UserError, match=r"needs ffmpeg, or .*; a\.webp needs neither") as found:
        require_animation(without / "a.mp4")
    assert "\n" not in str(found.value)
    require_animation(without / "a.webp")


def test_the_package_imageio_ffmpeg_is_found(without, monkeypatch):
    package = types.ModuleType("imageio_ffmpeg")
    package.get_ffmpeg_exe = lambda: "/somewhere/ffmpeg"
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", package)
    assert find_ffmpeg() == "/somewhere/ffmpeg"


def test_mp4_gets_every_frame_enlarged_and_the_mark(without):
    write_stand_in(without, fails=False)
    save_animation(without / "a.mp4", FRAMES, 40)
    written = (without / "a.mp4").read_bytes()
    pixels = FRAMES.repeat(6, axis=1).repeat(6, axis=2).tobytes()
    assert written.endswith(pixels)
    words = written[: -len(pixels)].decode()
    assert "-pix_fmt rgb24 -s 288x288 -r 1000/40 -i -" in words
    assert f"comment={SHEET}" in words


def test_a_failing_ffmpeg_is_one_line_and_leaves_no_file(without):
    write_stand_in(without, fails=True)
    with pytest.raises(UserError, match=r"^ffmpeg failed: no encoder; \.webp"):
        save_animation(without / "a.mp4", FRAMES, 40)
    assert not (without / "a.mp4").exists()
