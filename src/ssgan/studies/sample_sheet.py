"""Samples of every arm from the same latents, a row each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ssgan.report.sample_rows import SampleRow, sample_rows
from ssgan.studies.cell import Cell
from ssgan.studies.drawing import AbstractDrawing, Drawn
from ssgan.studies.markdown import markdown


@dataclass(frozen=True)
class SampleSheet(AbstractDrawing):
    """The figure of samples."""

    def draw(self, cells: Sequence[Cell]) -> Drawn:
        """A row a run; column k is one latent vector, of arms whose G reads equally many numbers.

        A conditional arm shows its classes in turn.
        """
        rows, lines = [], [["row", "training seed", "images"]]
        for cell in cells:
            folder = cell.measuring[-1].result.parent
            files = sorted(folder.glob("image-*.png"))
            pictures = [Image.open(file).convert("RGB") for file in files]
            images = np.stack([np.asarray(picture) for picture in pictures])
            rows.append(SampleRow(f"{cell.arm.title}, seed {cell.seed}", images))
            lines.append([cell.arm.title, str(cell.seed), str(folder)])
        text = (
            "The averaged generators' first samples of seed 0, not chosen; a column is one latent "
            "vector, and a conditional GAN shows its classes in turn."
        )
        facts = {"latents": "of `ssgan sample --seed 0`, the first ones", "rows": lines[1:]}
        return Drawn(f"{text}\n\n{markdown(lines)}", facts, sample_rows(rows))
