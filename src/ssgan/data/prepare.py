"""Decode a source once into a folder of the cache, where training reads it.

    <cache>/<source>-<16 hex of key>/   images.npy, labels.npy (with labels), manifest.json and
                                        hashes.json, by which the others are verified
    <cache>/<...>.partial/              the pieces of an unfinished preparation, see `pieces`

The key covers the source's name and fingerprint, the preprocessing and the version of the
decoding: changed images are prepared again, but not what an earlier version decodes alike. A killed
preparation continues with the pieces it has. Processes that prepare the same images share the work,
and one of them assembles the pieces. The order and the bytes of the result depend on neither.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from platformdirs import user_cache_path

from ssgan.data.assemble import Preparation, assemble
from ssgan.data.base import AbstractCollection, AbstractSource, HeaderStats, Preprocessing, Progress
from ssgan.data.dataset import MANIFEST, Dataset, load_prepared
from ssgan.data.image_files import ImageFiles
from ssgan.data.pieces import Pieces, find_inode
from ssgan.data.pixel_file import HASHES, WHOLE_BYTES
from ssgan.data.preprocessing import quiet_pillow
from ssgan.files.atomic import DiskFull, free_bytes, write_json
from ssgan.files.links import read_regular, refuse_links
from ssgan.files.locks import wait_for_lock
from ssgan.files.nesting import parse_json
from ssgan.files.ownership import warn_of_other_writers
from ssgan.files.sealed_file import Damaged
from ssgan.types import UserError

CACHE = "SSGAN_CACHE"  # environment variable naming the cache folder
SIZES = (32, 48, 64, 128)  # sides in pixels that the networks of the recipes have
_CHECKED = "decoding.json"
_CHUNK_ITEMS = 512
_LOG = logging.getLogger("ssgan")


def prepare(
    source: AbstractSource,
    preprocessing: Preprocessing,
    cache: Path | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    *,
    strict: bool = False,
    verify: bool = False,
    on_wait: Callable[[], None] | None = None,
    collection: AbstractCollection | None = None,
) -> Dataset:
    """The preprocessed images of `source`, decoded now or found in the cache.

    `cache` is `default_cache()` when None. `progress` is called from this thread a few times a
    second. `workers` threads decode; None is one per core, at most 8. With `strict` a rejected
    item is an error. What is found is verified, in full with `verify` (see `load_prepared`), and
    prepared again, with a warning, when it is damaged. Processes that prepare the same data share
    its pieces; `on_wait` is called when this one waits for another to end. `collection` is
    `source.open()` when None: give it if it is open.
    Raises UserError when nothing is usable or a part of the cache is a link, DiskFull when it
    cannot fit.
    """
    collection = source.open() if collection is None else collection
    cache = default_cache() if cache is None else cache
    job = _plan(source, collection, preprocessing, cache)
    locks = cache / ".locks"
    refuse_links(cache, job.partial, locks, locks / job.folder.name)
    warn_of_other_writers(cache)
    dataset, _ = _existing(job.folder, verify, progress)
    dataset = dataset or _find_unchanged(job, verify, progress)
    if dataset is None:
        dataset = _make(job, progress, workers, verify, on_wait)
    if notes := collection.notes():
        manifest = {**dataset.manifest, "warnings": [*notes, *dataset.manifest["warnings"]]}
        dataset = replace(dataset, manifest=manifest)
    rejected = dataset.manifest["rejected"]
    if strict and rejected:
        raise UserError(
            f"{source.name()}: {len(rejected)} of {dataset.manifest['num_items']} items cannot be "
            f"used, which --strict refuses; the first: {rejected[0][0]}: {rejected[0][1]}"
        )
    return dataset


def find_prepared(key: str, cache: Path | None = None) -> Dataset | None:
    """The images that the manifest of a run names by `key`, if they are whole in the cache.

    Nothing is decoded, downloaded or written.
    """
    cache = default_cache() if cache is None else cache
    if not re.fullmatch(r"[0-9a-f]{64}", key):
        return None
    for folder in cache.glob(f"*-{key[:16]}"):
        with suppress(UserError):
            dataset, _ = _existing(folder, verify=False, progress=None)
            if dataset is not None and dataset.manifest.get("key") == key:
                return dataset
    return None


def choose_size(stats: HeaderStats, most: int = SIZES[-1]) -> int:
    """The largest of SIZES, at most `most`, that enlarges at most half of the images; or 32."""
    longest = min(stats.short_side, most)
    return max((size for size in SIZES if size <= longest), default=SIZES[0])


def default_cache() -> Path:
    """`$SSGAN_CACHE`, else the system's cache folder for `ssgan`; it need not exist.

    That is `$XDG_CACHE_HOME/ssgan` or `~/.cache/ssgan` on Linux, `~/Library/Caches/ssgan` on
    macOS and `%LOCALAPPDATA%\\ssgan\\Cache` on Windows.
    """
    named = os.environ.get(CACHE)
    return Path(named) if named else user_cache_path("ssgan", appauthor=False)


def _plan(
    source: AbstractSource,
    collection: AbstractCollection,
    preprocessing: Preprocessing,
    cache: Path,
) -> Preparation:
    (channels, size), background = preprocessing.shape, list(preprocessing.background)
    identity = [source.name(), channels, size, background, collection.fingerprint()]
    if preprocessing.fit != "crop":
        identity.append(preprocessing.fit)
    text = json.dumps([_version(collection, preprocessing), *identity])
    key = hashlib.sha256(text.encode("ascii")).hexdigest()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", source.name())[-60:].strip("-").lower() or "data"
    # Small collections have small pieces, so that every worker has some. The number of workers
    # does not matter: another run may continue with the pieces.
    items = min(_CHUNK_ITEMS, max(8, len(collection) // 64))
    ranges, groups = _cut_pieces(collection, items)
    folder = cache / f"{slug}-{key[:16]}"
    before = find_inode(folder)
    return Preparation(source, collection, preprocessing, folder, key, ranges, groups, before)


def _cut_pieces(collection: AbstractCollection, items: int) -> tuple[list[range], list[range]]:
    """The item numbers of each piece, and the groups of pieces that are decoded in order."""
    spans = collection.spans()
    ranges, groups = list[range](), list[range]()
    for span in spans or [range(len(collection))]:
        first = len(ranges)
        ranges += [span[start : start + items] for start in range(0, len(span), items)]
        groups.append(range(first, len(ranges)))
    if spans is None:
        groups = [range(index, index + 1) for index in range(len(ranges))]
    return ranges, groups


def _version(collection: AbstractCollection, preprocessing: Preprocessing) -> int:
    """The version of the decoding; 1 where no image file is decoded."""
    return preprocessing.decoding if isinstance(collection, ImageFiles) else 1


def _existing(folder: Path, verify: bool, progress: Progress | None) -> tuple[Dataset | None, str]:
    """The prepared images; else None, and what is wrong with the folder if there is one.

    UserError for a link in its place; a warning where others can write it.
    """
    refuse_links(folder.parent, folder)
    warn_of_other_writers(folder)
    if not folder.exists():
        return None, ""
    try:
        return load_prepared(folder, verify=verify, progress=progress), ""
    except OSError as error:
        return None, f"{error.filename or folder}: {error.strerror}"
    except (Damaged, ValueError) as error:
        return None, str(error) if str(folder) in str(error) else f"{folder}: {error}"
    except (KeyError, TypeError, AttributeError, RecursionError):
        return None, f"{folder}: {MANIFEST} or {HASHES} lacks what it should have"


def _find_unchanged(job: Preparation, verify: bool, progress: Progress | None) -> Dataset | None:
    """What an earlier version of the decoding prepared, if this one makes the same of each file.

    The headers of all files are read once, and a file beside the images then says so.
    """
    wanted, cache = _version(job.collection, job.preprocessing), job.folder.parent
    for version in range(wanted - 1, 0, -1):
        earlier = replace(job.preprocessing, decoding=version)
        folder = _plan(job.source, job.collection, earlier, cache).folder
        dataset, _ = _existing(folder, verify, progress)
        if dataset is None:
            continue
        if _checked_decoding(folder) >= wanted:
            return dataset
        if decodes_as_before(job.collection, progress):
            with suppress(OSError):  # of another user: it is checked again
                write_json(folder / _CHECKED, {"decoding": wanted})
            return dataset
    return None


def _checked_decoding(folder: Path) -> int:
    """The newest version of the decoding that was found to make the same images; 1: none."""
    try:
        return int(parse_json(read_regular(folder / _CHECKED))["decoding"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1


def decodes_as_before(collection: AbstractCollection, progress: Progress | None = None) -> bool:
    """Whether all versions of the decoding make the same of each file, by the headers."""
    if not isinstance(collection, ImageFiles):
        return True
    total = len(collection) // collection.views
    with quiet_pillow(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
        for start in range(0, total, _CHUNK_ITEMS):
            numbers = range(start, min(start + _CHUNK_ITEMS, total))
            if not all(threads.map(collection.decodes_as_before, numbers)):
                return False
            if progress is not None:
                progress(numbers.stop, total)
    return True


def _make(
    job: Preparation,
    progress: Progress | None,
    workers: int | None,
    verify: bool,
    on_wait: Callable[[], None] | None,
) -> Dataset:
    """Decode a part of the pieces; then finish the data set, unless another process has."""
    lock = job.folder.parent / ".locks" / job.folder.name
    lock.parent.mkdir(parents=True, exist_ok=True)
    _check_disk(job)
    pieces = Pieces(job, progress, workers or min(8, os.cpu_count() or 1))
    pieces.make()
    with wait_for_lock(lock, on_wait):
        dataset, damage = _existing(job.folder, verify, progress)
        if damage:
            _LOG.warning("the prepared images are damaged and prepared again: %s", damage)
        dataset = dataset or _finish(job, pieces)
        shutil.rmtree(job.partial, ignore_errors=True)
    return dataset


def _finish(job: Preparation, pieces: Pieces) -> Dataset:
    """Complete the pieces, assemble them, and rename the result.

    The folder of the result has the host's name: locks may not reach other hosts.
    """
    ready = job.partial / f"ready-{socket.gethostname()}"
    try:
        kept = pieces.complete()
        shutil.rmtree(ready, ignore_errors=True)
        ready.mkdir()
        channels, size = job.preprocessing.shape
        if (whole := kept * size * size * channels) > WHOLE_BYTES:
            _LOG.info("joining %.1f GB of prepared images", whole / 1e9)
        assemble(ready, job, kept)
        load_prepared(ready)  # which stores the digests
    except Damaged as damage:
        raise UserError(f"{damage}, at once: the disk or the memory is faulty") from None
    except (FileNotFoundError, UserError):  # another host, which has finished, removed the pieces
        if not pieces.is_done():
            raise
    if not pieces.is_done():
        _put_in_place(ready, job, pieces)
    return load_prepared(job.folder)


def _put_in_place(ready: Path, job: Preparation, pieces: Pieces) -> None:
    """Rename the result, and what was damaged at the start; the result of another host stays."""
    damaged = job.partial / f"damaged-{socket.gethostname()}"
    shutil.rmtree(damaged, ignore_errors=True)
    try:
        if job.before is not None and find_inode(job.folder) == job.before:
            job.folder.rename(damaged)
        ready.rename(job.folder)  # no folder with files is replaced
    except OSError:
        if not pieces.is_done():
            raise


def _check_disk(job: Preparation) -> None:
    """Raise DiskFull if the pieces and the result, which coexist for a moment, cannot fit."""
    channels, size = job.preprocessing.shape
    try:
        written = sum(path.stat().st_size for path in job.partial.glob("chunk-*"))
    except FileNotFoundError:  # another process finished and removes the pieces
        return
    needed = 2 * len(job.collection) * (size * size * channels + 64) - written
    free = free_bytes(job.folder.parent)
    if needed > free:
        raise DiskFull(job.folder, needed, free)
