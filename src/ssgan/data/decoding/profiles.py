"""Colour profiles (ICC) embedded in pictures: the transform from a profile to sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

UNUSED_PROFILE = "with a damaged or unfitting colour profile: used as sRGB"
_MAX_BYTES = 2**22
_SAME = 2  # levels of 255: a profile nearer to sRGB than that changes nothing
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # by the colour space in the header


def is_srgb(profile: bytes) -> bool:
    """Whether a profile changes nothing: colours move by at most 2 levels of 255."""
    mode = _MODES.get(profile[16:20])
    try:
        return mode is not None and _transform(profile, mode) is None
    except Exception:
        return False


def apply_profile(
    stored: Image.Image, plain: Image.Image, profile: bytes
) -> tuple[Image.Image, str]:
    """A picture in sRGB, and a warning if its profile cannot be used, which gives `plain`.

    `stored` has the mode of the file, and `plain` is the same as L or RGB without the profile.
    """
    mode = _MODES.get(profile[16:20])
    if mode == "RGB" and stored.mode != "CMYK":
        stored = plain.convert("RGB")
    elif mode is None or mode != stored.mode:
        return plain, UNUSED_PROFILE
    try:
        transform = _transform(profile, mode)
        return (plain if transform is None else transform.apply(stored)), ""
    except Exception:  # a foreign profile fails in many ways
        return plain, UNUSED_PROFILE


@lru_cache(16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform of pictures of this mode to RGB; None if it changes nothing.

    Raises an error of Pillow's for a damaged profile, and ValueError for a large one.
    """
    if len(profile) > _MAX_BYTES:
        raise ValueError(f"a profile of {len(profile)} bytes")
    srgb = ImageCms.createProfile("sRGB")
    # Of one channel the tables of the optimisation are too short: dark greys are 10 levels off.
    flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
    transform = ImageCms.buildTransform(io.BytesIO(profile), srgb, mode, "RGB", flags=flags)
    if mode == "CMYK":
        return transform
    steps = np.linspace(0, 255, 17).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), 3).reshape(1, -1, 3)
    if mode == "L":
        colours = np.arange(256, dtype=np.uint8)[None].repeat(3, 0).T[None]
    given = Image.fromarray(colours).convert(mode)
    moved = np.asarray(transform.apply(given), np.int64) - colours
    return transform if np.abs(moved).max() > _SAME else None
