"""Samples of every arm from the same latents, a row each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ssgan.plots.samples import SampleRow, draw_samples
from ssgan.studies.markdown import markdown
from ssgan.studies.rendering import AbstractRenderer, Rendered
from ssgan.studies.trial import Trial


@dataclass(frozen=True)
class SampleSheet(AbstractRenderer):
    """The figure of samples."""

    def draw(self, trials: Sequence[Trial]) -> Rendered:
        """A row a run; column k is one latent vector, of arms whose G reads equally many numbers.

        A conditional arm shows its classes in turn.
        """
        rows, lines = [], [["row", "training seed", "images"]]
        for trial in trials:
            folder = trial.measuring[-1].result.parent
            files = sorted(folder.glob("image-*.png"))
            pictures = [Image.open(file).convert("RGB") for file in files]
            images = np.stack([np.asarray(picture) for picture in pictures])
            rows.append(SampleRow(f"{trial.variant.title}, seed {trial.seed}", images))
            lines.append([trial.variant.title, str(trial.seed), str(folder)])
        text = (
            "The averaged generators' first samples of seed 0, not chosen; a column is one latent "
            "vector, and a conditional GAN shows its classes in turn."
        )
        facts = {"latents": "of `ssgan sample --seed 0`, the first ones", "rows": lines[1:]}
        return Rendered(f"{text}\n\n{markdown(lines)}", facts, draw_samples(rows))
