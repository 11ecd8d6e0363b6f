"""Messages on files that are not read: each names a way out."""

import os
from collections.abc import Iterable

from ssgan.data.decoding.heif import HEIF_ENDINGS, HEIF_INSTALLED
from ssgan.data.scan import ENDINGS, Listing
from ssgan.files.names import readable

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz")
_UNPACK = "unpack it and give the folder that holds the images"
_FRAMES = "write its frames into a folder, such as with `ffmpeg -i VIDEO frames/%06d.png`"
_TABLE = (
    "write its images into a folder, or as uint8 [N, H, W, C] with "
    "numpy.savez('images.npz', images, labels)"
)
_WAYS = {  # ending: what to do
    **dict.fromkeys((".rar", ".7z", ".xz", ".txz", ".zst", ".gz", ".bz2", ".iso", ".cab"), _UNPACK),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv"), _FRAMES),
    **dict.fromkeys((".h5", ".hdf5", ".tfrecord", ".tfrecords", ".lmdb", ".mdb", ".mat"), _TABLE),
    **dict.fromkeys((".npy", ".pkl", ".pickle", ".beton", ".rec"), _TABLE),
    **dict.fromkeys(
        (".zip", ".tar", ".tgz", ".tbz2", ".tbz"),
        "give the archive itself, as zip:PATH or tar:PATH",
    ),
    ".npz": "give the file itself, as npz:PATH",
    **dict.fromkeys((".parquet", ".arrow"), "give its folder as hub:FOLDER"),
}
_PICTURES = {".avif", ".jp2", ".jxl", ".svg", ".psd", ".eps", ".tga", ".dng"}
UNREAD = {  # endings that are named when they are passed over: they may have been meant
    *_WAYS, *_PICTURES, *(() if HEIF_INSTALLED else HEIF_ENDINGS)
}  # fmt: skip
HEIF_WAY = "HEIC pictures require the package pillow-heif: pip install pillow-heif (extra [heic])"
PYTHON_EDITION = (
    "this is the Python edition of CIFAR, which is stored as pickles, and a pickle may run code; "
    "give the binary edition, cifar-10-binary.tar.gz (cifar10 alone downloads it)"
)


def names_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a file of that name is read as a zip or a tar."""
    return os.fspath(path).lower().endswith(ARCHIVE_ENDINGS)


def find_way_out(path: str) -> str | None:
    """What to do with a file of that ending, which is not read; None if nothing is known."""
    return _WAYS.get(os.path.splitext(path)[1].lower())


def describe_missing(listing: Listing, names: Iterable[str], place: str) -> str:
    """Why a folder or an archive, the `place`, has no usable image, with the way out.

    `names` are those of its files, without their folders.
    """
    if listing.found:
        first = listing.found[0]
        return f"no image can be read; the first: {readable(first.name)}: {first.reject}"
    if listing.passed_over:
        return (
            f"no image but output of ssgan (the first: {readable(listing.passed_over[0])}); to use "
            "samples, give the folder that ssgan sample wrote"
        )
    others = listing.others
    if not others:
        return f"the {place} is empty"
    seen = ", ".join(f"{count} {ending}" for ending, count in others.most_common(3))
    return f"no image among {others.total()} files ({seen}); {_find_way(set(names), others)}"


def _find_way(names: set[str], endings: Iterable[str]) -> str:
    """What to do about a place that holds these files and no image."""
    if names & {"data_batch_1", "test_batch"}:
        return PYTHON_EDITION
    if "data_batch_1.bin" in names:
        return "this is the binary edition of CIFAR-10: give cifar10:PATH"
    if not HEIF_INSTALLED and set(endings) & set(HEIF_ENDINGS):
        return HEIF_WAY
    ways = (_WAYS[ending] for ending in endings if ending in _WAYS)
    return next(ways, f"images end in {' '.join(sorted(ENDINGS))}")
