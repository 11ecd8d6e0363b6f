"""Find pictures that are in a source twice: files with the same bytes, and equal squares.

Files with the same bytes have the same size, which a listing knows of every file. So a sample of
files can be compared with all others, though only those of the same sizes are read. Squares are
compared within the sample alone.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssgan.data.base import AbstractCollection, Progress
from ssgan.data.image_files import NamedImageFiles
from ssgan.data.inspection.reading import map_chunks
from ssgan.data.inspection.survey import Survey
from ssgan.types import UNLABELLED

MOST_READ = 20_000  # files that are read to compare bytes


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Groups of items that are the same picture."""

    groups: list[list[int]]  # item numbers, two or more each; each ascending, in order
    compared: int  # items of the sample that were compared
    repeated: int  # of these, the items that have a copy
    by_bytes: bool  # whether bytes of all files were compared, not only squares of the sample

    def in_two_classes(self, labels: Sequence[int] | None) -> list[list[int]]:
        """The groups whose items have different labels."""
        if labels is None:
            return []
        return [
            group
            for group in self.groups
            if len({labels[number] for number in group} - {UNLABELLED}) > 1
        ]


def find_copies(
    collection: AbstractCollection,
    survey: Survey,
    seed: int,
    progress: Progress | None = None,
    most: int = MOST_READ,
) -> Copies:
    """The copies of the sample's items: by their bytes among all files, and by their squares.

    A group without an item of the sample is left out. At most `most` files are read; where more
    share a size, a random part of the sample is compared by bytes. A source without listed files,
    and crops, are compared by squares alone.
    """
    keys: dict[int, set[bytes]] = defaultdict(set)
    for number, digest in zip(survey.usable, survey.digests, strict=True):
        keys[number].add(digest)
    compared, candidates = survey.usable, list[int]()
    if isinstance(collection, NamedImageFiles):
        chosen, candidates = _candidates(collection, survey.usable, seed, most)
        compared = chosen or compared

        def work(chunk: Sequence[int]) -> list[tuple[int, bytes]]:
            return [(number, _digest(collection, number)) for number in chunk]

        for found in map_chunks(work, candidates, progress):
            for number, digest in found:
                if digest:
                    keys[number].add(b"bytes" + digest)
    sample = set(survey.usable)
    groups = [group for group in _group(keys) if not sample.isdisjoint(group)]
    in_group = {number for group in groups for number in group}
    repeated = sum(number in in_group for number in compared)
    return Copies(
        groups=groups,
        compared=len(compared),
        repeated=repeated,
        by_bytes=compared is not survey.usable,
    )


def _candidates(
    collection: NamedImageFiles, usable: Sequence[int], seed: int, most: int
) -> tuple[list[int], list[int]]:
    """The items of the sample that are compared, and every file that has the size of one."""
    sizes = np.asarray(collection.file_sizes(), np.int64)
    order = np.argsort(sizes, kind="stable")
    ascending = sizes[order]
    chosen, candidates = list[int](), list[int]()
    taken: set[int] = set()  # sizes whose files are candidates
    for number in np.random.default_rng(seed).permutation(usable).tolist():
        size = int(sizes[number])
        first, last = np.searchsorted(ascending, [size, size + 1]).tolist()
        if size not in taken and 1 < last - first <= most - len(candidates):
            taken.add(size)
            candidates += order[first:last].tolist()
        if size in taken or last - first == 1:
            chosen.append(number)
    return sorted(chosen), sorted(candidates)


def _digest(collection: NamedImageFiles, number: int) -> bytes:
    """The digest of a file; empty for one that cannot be read."""
    data = collection.read_bytes(number)
    return hashlib.blake2b(data, digest_size=16).digest() if isinstance(data, bytes) else b""


def _group(keys: dict[int, set[bytes]]) -> list[list[int]]:
    """Items that share a key, directly or by a third one; two or more in a group."""
    leader: dict[bytes, int] = {}
    above: dict[int, int] = {}

    def find(number: int) -> int:
        while above.get(number, number) != number:
            number = above[number]
        return number

    for number in sorted(keys):
        for key in keys[number]:
            first, own = find(leader.setdefault(key, number)), find(number)
            above[max(first, own)] = min(first, own)
    groups = defaultdict(list)
    for number in sorted(keys):
        groups[find(number)].append(number)
    return [group for group in groups.values() if len(group) > 1]
