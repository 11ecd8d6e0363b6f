"""Figure 5: samples of every variant from the same latents."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ssgan.files.image_grid import image_grid
from ssgan.plots.figures import encode_figure
from ssgan.studies.rendering import AbstractRenderer, Rendered, markdown
from ssgan.studies.trials import Trial
from ssgan.types import UserError

_INCHES = 9.0  # width of a strip


@dataclass(frozen=True)
class SampleSheet(AbstractRenderer):
    """A picture with one row of samples per run."""

    def render(self, trials: Sequence[Trial]) -> Rendered:
        """One row per run. Column k is one latent vector, if all G have the same latent size.

        A conditional variant cycles through its classes.
        """
        strips, lines = {}, [["row", "training seed", "images"]]
        for trial in trials:
            folder = trial.measuring[-1].result.parent
            strips[f"{trial.variant.title}, seed {trial.seed}"] = read_strip(folder)
            lines.append([trial.variant.title, str(trial.seed), str(folder)])
        text = (
            "The first samples of the averaged generators for seed 0, not selected. A column is "
            "one latent vector; a conditional GAN cycles through its classes."
        )
        facts = {"latents": "of `ssgan sample --seed 0`, the first ones", "rows": lines[1:]}
        return Rendered(f"{text}\n\n{markdown(lines)}", facts, draw_strips(strips))


def read_strip(folder: Path) -> Image.Image:
    """The images that `ssgan sample` wrote to a folder, side by side; UserError without any."""
    files = sorted(folder.glob("image-*.png"))
    if not files:
        raise UserError(f"{folder} holds no image-*.png: remove it, and run the same command again")
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return image_grid(images, len(images)).convert("RGB")


def draw_strips(strips: dict[str, Image.Image]) -> bytes:
    """PNG with a labelled row per strip; every pixel of an image is a square of equal pixels."""
    first = next(iter(strips.values()))
    height = len(strips) * (_INCHES * first.height / first.width + 0.1)
    figure = Figure(figsize=(_INCHES + 2, height))
    grid = figure.subplots(
        len(strips), 1, squeeze=False, gridspec_kw={"hspace": 0.04, "left": 2 / (_INCHES + 2)}
    )
    figure.subplots_adjust(right=0.995, top=0.995, bottom=0.005)
    for axes, (label, strip) in zip(grid[:, 0], strips.items(), strict=True):
        axes.imshow(np.asarray(strip), interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    return encode_figure(figure)
