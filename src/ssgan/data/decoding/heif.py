"""HEIC pictures, as phones write them: read where the optional `pillow-heif` is installed."""

import importlib
import importlib.util

HEIF_ENDINGS = (".heic", ".heif")
HEIF_INSTALLED = importlib.util.find_spec("pillow_heif") is not None


def register_heif() -> tuple[str, ...]:
    """Let Pillow open HEIC; returns the name of its format, or none without the package.

    One thread decodes a picture, as others decode at the same time. Thumbnails and depth maps are
    left alone.
    """
    if not HEIF_INSTALLED:
        return ()
    package = importlib.import_module("pillow_heif")
    package.register_heif_opener(thumbnails=False, depth_images=False, decode_threads=1)
    return ("HEIF",)
