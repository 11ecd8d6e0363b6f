"""`ssgan sample RUN`: writes images of a trained generator."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ssgan.cli.config_args import import_trusted
from ssgan.cli.options import Sample
from ssgan.cli.progress import Meter, open_progress_bar
from ssgan.data.scan import readable
from ssgan.files.image_grid import image_grid, save_gif, save_png
from ssgan.files.links import refuse_links
from ssgan.files.run_directory import find_run_of
from ssgan.runs.checkpoint import Checkpoint, find_state
from ssgan.runs.precision import resolve_device
from ssgan.runs.sampling import (
    generate_batches,
    generate_pixels,
    interpolate,
    load_generator,
    refresh_batch_statistics,
    sample_latents,
)
from ssgan.types import UserError

_MOST_ON_SHEET, _STOPS = 400, 8


def main(given: Sample) -> int:
    """Write the images; returns the exit code."""
    saved, passed_over = find_state(
        given.run, best=given.best, trusted_modules=import_trusted(given.trust)
    )
    for sentence in passed_over:
        print(f"skipped: {sentence}")
    root = find_run_of(saved.path) or saved.path.parent
    out = given.out or root / f"generated-seed-{given.seed}"
    if given.out is None:
        refuse_links(root, out, out / "images")
    generator = load_generator(saved, resolve_device(given.device))
    labels = _labels(saved, given)
    if given.refresh:
        with open_progress_bar("batch statistics", "samples") as progress:
            refresh_batch_statistics(generator, saved, given.refresh, progress)
    latents = sample_latents(saved.config.generator, given.seed, "sample", given.n)
    images = _write_images(generator, latents, labels, out)
    columns = max(1, round(min(given.n, _MOST_ON_SHEET) ** 0.5))
    save_png(out / "sheet.png", image_grid(images, columns))
    where = f"{readable(out)}, together in {readable(out / 'sheet.png')}"
    print(f"{given.n} images of step {saved.step} in {where}")
    stops = latents[: _STOPS + 1]
    if len(stops) > 1:
        path = interpolate(saved.config.generator, stops, given.steps)
        _write_interpolation(generator, path, labels, given.steps, out, given.gif)
    return 0


def _labels(saved: Checkpoint, given: Sample) -> Tensor | None:
    name = given.class_name
    if not saved.config.method.conditional:
        if name is not None:
            raise UserError(f"--class {name}: this run has no classes")
        return None
    if name is None:
        return torch.arange(given.n) % saved.num_classes
    if name not in saved.classes:
        raise UserError(f"no class {name!r}; the classes are {', '.join(saved.classes)}")
    return torch.full((given.n,), saved.classes.index(name))


def _write_images(
    generator: nn.Module, latents: Tensor, labels: Tensor | None, out: Path
) -> NDArray[np.uint8]:
    """Write every image to its file; returns those for the sheet."""
    kept: list[NDArray[np.uint8]] = []
    done = 0
    with Meter("image", len(latents), 0) as meter:
        for images in generate_batches(generator, latents, labels):
            for image in images:
                picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
                save_png(out / f"image-{done:05d}.png", picture)
                done += 1
                if done <= _MOST_ON_SHEET:
                    kept.append(image)
            meter.advance(done)
    return np.stack(kept)


def _write_interpolation(
    generator: nn.Module, path: Tensor, labels: Tensor | None, steps: int, out: Path, gif: bool
) -> None:
    """Write a row for each pair of samples, with the label of the first."""
    repeated = None if labels is None else labels.repeat_interleave(steps)[: len(path)]
    frames = generate_pixels(generator, path, repeated)
    save_png(out / "interpolation.png", image_grid(frames, steps))
    print(f"interpolation: {readable(out / 'interpolation.png')}")
    if gif:
        save_gif(out / "interpolation.gif", frames)
        print(f"animation: {readable(out / 'interpolation.gif')}")
