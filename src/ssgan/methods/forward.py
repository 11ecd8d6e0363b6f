"""The forward passes of all losses: generate fakes, rotate images, score them with D."""

import torch
from torch import Tensor

from ssgan.ops.rotation import rotated_copies
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Scores


def generate(G: Generator, draw: GeneratorInput) -> Batch:
    """The fakes of G, with the labels and indices of their inputs."""
    return Batch(G(draw.latents, draw.labels), draw.labels, draw.index, draw.global_size)


def select(batch: Batch, rows: slice) -> Batch:
    """These rows of the batch, with their labels and indices."""
    labels = None if batch.labels is None else batch.labels[rows]
    return Batch(batch.images[rows], labels, batch.index[rows], batch.global_size)


def rotate(batch: Batch, rows: slice) -> Batch:
    """These rows rotated by 90, then 180, then 270 degrees; copies keep their label and index."""
    labels = None if batch.labels is None else batch.labels[rows].repeat(3)
    return Batch(
        rotated_copies(batch.images[rows]), labels, batch.index[rows].repeat(3), batch.global_size
    )


def score(D: Discriminator, *batches: Batch) -> list[Scores]:
    """The scores of each batch, from one forward pass of D over all of them."""
    images = torch.cat([batch.images for batch in batches])
    known = [batch.labels for batch in batches if batch.labels is not None]
    labels = torch.cat(known) if known else None
    sizes = [len(batch.images) for batch in batches]
    parts: list[tuple[Tensor, ...]] = [torch.split(part, sizes) for part in D(images, labels)]
    return [Scores(*part) for part in zip(*parts, strict=True)]
