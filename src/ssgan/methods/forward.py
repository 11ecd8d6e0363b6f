"""Steps that all losses share: make fakes, turn images, ask D once about everything."""

import torch
from torch import Tensor

from ssgan.ops.rotation import rotated_copies
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Scores


def generate(G: Generator, draw: GeneratorInput) -> Batch:
    """What G makes of a draw, with the draw's labels and places."""
    return Batch(G(draw.latents, draw.labels), draw.labels, draw.index, draw.global_size)


def select(batch: Batch, rows: slice) -> Batch:
    """Those rows as they are, with their labels and places."""
    labels = None if batch.labels is None else batch.labels[rows]
    return Batch(batch.images[rows], labels, batch.index[rows], batch.global_size)


def rotate(batch: Batch, rows: slice) -> Batch:
    """Those rows at 90, then 180, then 270 degrees, each copy with its own label and place."""
    labels = None if batch.labels is None else batch.labels[rows].repeat(3)
    return Batch(
        rotated_copies(batch.images[rows]), labels, batch.index[rows].repeat(3), batch.global_size
    )


def score(D: Discriminator, *batches: Batch) -> list[Scores]:
    """One forward pass over all batches, split back in the order given."""
    images = torch.cat([batch.images for batch in batches])
    given = [batch.labels for batch in batches if batch.labels is not None]
    labels = torch.cat(given) if given else None
    sizes = [len(batch.images) for batch in batches]
    parts: list[tuple[Tensor, ...]] = [torch.split(part, sizes) for part in D(images, labels)]
    return [Scores(*part) for part in zip(*parts, strict=True)]
