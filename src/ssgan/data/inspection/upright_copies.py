"""Write upright copies of picture files that are on a side or on the head.

The pixels are rotated; the orientation tag is applied and left out. The other metadata and the
colour profile stay, but for the tags of TIFF. PNG, TIFF, BMP, GIF and PPM lose nothing. WebP is
written without loss, and JPEG with the tables of the original, which costs little.
"""

import io
from typing import Any

from PIL import Image, ImageFile, JpegImagePlugin

from ssgan.data.preprocessing import ORIENTATION_TAG, UPRIGHT, open_picture

_WRITTEN = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM")  # formats
_CLOCKWISE = (None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180,
              Image.Transpose.ROTATE_90)  # fmt: skip


class NotCopiedError(Exception):
    """A picture cannot be written upright; the text is the reason."""


def rotate_upright(data: bytes, rotation: int) -> bytes:
    """The file of a picture that was rotated by `rotation` x 90 degrees counter-clockwise, upright.

    The format stays. Raises NotCopiedError for animations, formats that are only read, and pictures
    that cannot be written.
    """
    with open_picture(data) as image:
        kind = image.format or ""
        if kind not in _WRITTEN:
            raise NotCopiedError(f"{kind} is not written")
        if kind != "MPO" and getattr(image, "is_animated", False):
            raise NotCopiedError("it is animated or has several pages")
        settings = _settings(image)
        image.load()
        exif = image.getexif()
        picture = _transpose(image, UPRIGHT.get(exif.pop(ORIENTATION_TAG, 1)))
        picture = _transpose(picture, _CLOCKWISE[rotation])
        written = io.BytesIO()
        kind = "JPEG" if kind == "MPO" else kind
        if kind in ("JPEG", "PNG", "WEBP"):
            settings |= {"exif": exif.tobytes()} if len(exif) else {}
        try:
            picture.save(written, kind, **settings)
        except (OSError, ValueError) as error:
            raise NotCopiedError(f"cannot be written: {error}") from None
    return written.getvalue()


def _transpose(image: Image.Image, operation: Image.Transpose | None) -> Image.Image:
    return image if operation is None else image.transpose(operation)


def _settings(image: ImageFile.ImageFile) -> dict[str, Any]:
    """How a copy is written, by the format of an opened picture."""
    settings: dict[str, Any] = {}
    if profile := image.info.get("icc_profile"):
        settings["icc_profile"] = profile
    if image.format in ("JPEG", "MPO"):
        settings["qtables"] = getattr(image, "quantization", None)
        settings["subsampling"] = JpegImagePlugin.get_sampling(image)
    if image.format == "WEBP":
        settings["lossless"] = True
    if image.format == "TIFF":
        settings["compression"] = "tiff_deflate"
    if "transparency" in image.info and image.format in ("PNG", "GIF"):
        settings["transparency"] = image.info["transparency"]
    return settings
