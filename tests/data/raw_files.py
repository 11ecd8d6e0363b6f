"""TIFF files and colour profiles written byte by byte, for what Pillow cannot write."""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {2: "s", 3: "H", 4: "I", 8: "h", 9: "i"}  # TIFF's ASCII, SHORT, LONG, SSHORT, SLONG


def tiff(
    pixels: bytes,
    size: tuple[int, int],
    bits: int,
    photometric: int,
    samples: int = 1,
    *,
    big_endian: bool = False,
    planar: bool = False,
    tags: Mapping[int, tuple[int, Any]] = {},
) -> bytes:
    """An uncompressed TIFF of one strip, or one a plane; `tags` are {number: (type, values)}."""
    order, (width, height) = ">" if big_endian else "<", size
    strips = samples if planar else 1
    every: dict[int, tuple[int, Any]] = {
        256: (3, [width]),
        257: (3, [height]),
        258: (3, [bits] * samples),
        259: (3, [1]),
        262: (3, [photometric]),
        273: (4, [0] * strips),
        277: (3, [samples]),
        278: (3, [height]),
        279: (4, [len(pixels) // strips] * strips),
        284: (3, [2 if planar else 1]),
        **tags,
    }
    values = 8 + 2 + 12 * len(every) + 4  # where values stand that do not fit into their entry
    start = values + sum(len(b) for n in every if len(b := _packed(order, *every[n])) > 4)
    every[273] = (4, [start + k * (len(pixels) // strips) for k in range(strips)])
    entries, beside = b"", b""
    for number, (kind, value) in sorted(every.items()):
        body, count = _packed(order, kind, value), len(value)
        entries += struct.pack(order + "HHI", number, kind, count)
        if len(body) <= 4:
            entries += body.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", values + len(beside))
            beside += body
    head = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", len(every)) + entries + bytes(4) + beside + pixels


def _packed(order: str, kind: int, value: Any) -> bytes:
    if kind == 2:
        return bytes(value)
    return b"".join(struct.pack(order + _TYPES[kind], one) for one in value)


# colour profiles


D50 = (0.9642, 1.0, 0.8249)
PRIMARIES = {  # XYZ of red, green and blue under D50, as in the published profiles
    "srgb": ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141)),
    "p3": ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407)),
    "adobe": (
        (0.60974, 0.31111, 0.01947),
        (0.20528, 0.62567, 0.06087),
        (0.14919, 0.06322, 0.74457),
    ),
}


def rgb_profile(name: str, gamma: float) -> bytes:
    """A profile of these primaries with one gamma."""
    places = zip((b"rXYZ", b"gXYZ", b"bXYZ"), PRIMARIES[name], strict=True)
    curves = {tag: _curve(gamma) for tag in (b"rTRC", b"gTRC", b"bTRC")}
    return _profile(b"RGB ", b"XYZ ", {tag: _xyz(value) for tag, value in places} | curves)


def grey_profile(gamma: float) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk_profile(corners: NDArray[np.float64]) -> bytes:
    """A profile that gives the Lab colour [2, 2, 2, 2, 3] of all or nothing of each ink."""
    lab = corners * (255 / 100, 1, 1) + (0, 128, 128)
    identity = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0))
    table += b"".join(struct.pack(">i", 65536 * (k in (0, 4, 8))) for k in range(9))
    table += identity * 4 + np.rint(lab).astype(np.uint8).tobytes() + identity * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table})


def to_srgb(name: str, gamma: float, values: NDArray[Any]) -> NDArray[np.float64]:
    """Colours [..., 3], 0 to 255, of such a profile in sRGB by the formulas, 0 to 255."""
    linear = (np.asarray(values, np.float64) / 255) ** gamma
    return encode_srgb(linear @ np.array(PRIMARIES[name]) @ np.linalg.inv(PRIMARIES["srgb"]))


def lab_to_srgb(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = (lab[..., 0] + 16) / 116
    roots = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], -1)
    xyz = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * D50
    return encode_srgb(xyz @ np.linalg.inv(PRIMARIES["srgb"]))


def encode_srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curve of sRGB, from light in [0, 1] to 0 to 255."""
    light = linear.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _profile(space: bytes, connection: bytes, tags: Mapping[bytes, bytes]) -> bytes:
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78), **tags}
    tags = {**tags, b"wtpt": _xyz(D50), b"cprt": b"text" + bytes(4) + b"none\0"}
    place = 128 + 4 + 12 * len(tags)
    table, bodies = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += name + struct.pack(">II", place + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(">I", place + len(bodies)) + bytes(4) + b"\2\x40\0\0" + kind + space
    head += connection + bytes(12) + b"acsp" + bytes(28) + _fixed(D50)
    return head.ljust(128, b"\0") + table + bodies


def _fixed(values: Sequence[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
