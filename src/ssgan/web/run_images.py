"""Training images of a run, read from where they are; nothing is downloaded or prepared."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ssgan.data.base import AbstractCollection, DecodedWithWarning, Preprocessing, Rejected
from ssgan.data.preprocessing import quiet_pillow
from ssgan.export.model import Model
from ssgan.files.run_directory import RunDirectory
from ssgan.ops.rng import Key, permutation
from ssgan.types import UNLABELLED, UserError
from ssgan.web.catalogue import RunCatalogue

_MOST_OPEN = 2  # collections; a large one lists a million files


class ChosenImages(NamedTuple):
    """Some images of a set."""

    pixels: NDArray[np.uint8]  # [N, S, S, C]
    numbers: list[int]  # in the set
    labels: list[int | None]
    classes: tuple[str, ...]


class ImageSources:
    """The sources of runs that were opened last. Two threads use it."""

    def __init__(self, catalogue: RunCatalogue) -> None:
        self._catalogue = catalogue
        self._open: OrderedDict[Path, tuple[AbstractCollection, Preprocessing]] = OrderedDict()
        self._lock = Lock()

    def choose(self, layout: RunDirectory, count: int, seed: int) -> ChosenImages:
        """So many random images of a run's source; fewer where the source has fewer.

        Raises UserError where the images are no longer there, or would have to be downloaded.
        """
        collection, preprocessing = self._get(layout)
        order = permutation(Key(seed, "page"), len(collection))[: 2 * count].tolist()
        found, numbers = list[NDArray[np.uint8]](), list[int]()
        with quiet_pillow():
            for number in order:
                if len(found) == count:
                    break
                for image in collection.read(range(number, number + 1), preprocessing):
                    if isinstance(image, Rejected):
                        continue
                    pixels = image.pixels if isinstance(image, DecodedWithWarning) else image
                    found.append(pixels)
                    numbers.append(number)
        if not found:
            raise UserError("none of the images of this run can be read")
        labels = collection.labels()
        known = [None if labels is None else labels[number] for number in numbers]
        return ChosenImages(
            np.stack(found),
            numbers,
            [None if label == UNLABELLED else label for label in known],
            collection.classes(),
        )

    def _get(self, layout: RunDirectory) -> tuple[AbstractCollection, Preprocessing]:
        with self._lock:
            known = self._open.get(layout.root)
            if known is None:
                data = self._catalogue.read_config(layout).data
                known = data.source.open(), data.preprocessing
                self._open[layout.root] = known
                while len(self._open) > _MOST_OPEN:
                    self._open.popitem(last=False)
            return known


def find_label(model: Model, chosen: ChosenImages, label: int | None) -> int | None:
    """The class of the model with the name of an image's class; None without one."""
    name = None if label is None else chosen.classes[label]
    return model.classes.index(name) if name in model.classes else None


def to_batch(pixels: NDArray[np.uint8]) -> torch.Tensor:
    """Pixels [N, S, S, C] as a tensor uint8 [N, C, S, S]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
