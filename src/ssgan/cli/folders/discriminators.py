"""The discriminator of --model, as the functions that `ssgan orient` and `ssgan similar` need."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ssgan.cli.config_args import import_trusted
from ssgan.cli.progress import fetch_source
from ssgan.data.base import AbstractCollection, AbstractSource, Progress, Rejected
from ssgan.data.inspection.reading import read_pictures
from ssgan.data.sources import parse_source
from ssgan.evaluation.orientation import RotationHead
from ssgan.evaluation.similarity import BlockMaps
from ssgan.export.model import Model, load
from ssgan.files.names import printable
from ssgan.types import UserError


def load_model(name: str, device: str, trust: tuple[str, ...]) -> Model:
    """The model with its discriminator, on the device; raises UserError without one."""
    model = load(name, trusted_modules=import_trusted(trust))
    if model.discriminator is None:
        raise UserError(
            f"--model {printable(name)} holds no discriminator: give the run directory, or export "
            "the newest state"
        )
    return model.to(device)


def describe_model(name: str, model: Model) -> str:
    """The model in a few words."""
    method, size = type(model.config.method).__name__, model.shape.size
    return f"D of {printable(name)} ({method}, step {model.step:,}, {size} x {size} pixels)"


def require_rotation_head(name: str, model: Model) -> None:
    """Raise UserError for a model whose D does not predict rotations."""
    method = model.config.method
    if not method.predicts_rotation:
        raise UserError(
            f"--model {printable(name)}: D of {type(method).__name__} does not predict rotations; "
            "give a model of SS-GAN, or of another method with the rotation task"
        )


def rotation_head(model: Model) -> RotationHead:
    """From uint8 images to the logits of the four rotations."""
    labels = 0 if model.classes else None  # the head does not read them

    def predict(pixels: NDArray[np.uint8]) -> Tensor:
        return model.config.method.rotation_logits(model.logits(pixels, labels).auxiliary)

    return predict


def block_maps(model: Model) -> BlockMaps:
    """From uint8 images to the map after each block of D."""

    def compute(pixels: NDArray[np.uint8]) -> Sequence[Tensor]:
        return model.features(pixels)

    return compute


def open_source(text: str) -> tuple[AbstractSource, AbstractCollection]:
    """The source of these words, and its items; raises UserError."""
    source = fetch_source(parse_source(text))
    return source, source.open()


def read_squares(
    collection: AbstractCollection,
    numbers: Sequence[int],
    model: Model,
    rejected: list[Rejected],
    progress: Progress,
) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    """The usable items of these numbers as the model reads them, chunk by chunk.

    Items that cannot be used are added to `rejected`.
    """
    preprocessing = model.config.data.preprocessing
    for chunk in read_pictures(collection, numbers, preprocessing, progress):
        rejected += chunk.rejected
        if chunk.numbers:
            yield chunk.numbers, chunk.pixels
