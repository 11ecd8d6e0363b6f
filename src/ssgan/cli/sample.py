"""`ssgan sample RUN --n 64 --seed 0 --out DIR`: images from a trained generator."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ssgan.cli.arguments import Options, take_options, whole_number
from ssgan.cli.images import bar
from ssgan.cli.progress import Meter
from ssgan.cli.trust import trusted_modules
from ssgan.data.scan import readable
from ssgan.files.image_grid import image_grid, save_gif, save_png
from ssgan.files.run_directory import find_run_of
from ssgan.runs.checkpoint import Checkpoint, find_state
from ssgan.runs.precision import resolve_device
from ssgan.runs.sampling import (
    generate,
    generate_batches,
    interpolate,
    load_generator,
    refresh_batch_statistics,
    sample_latents,
)
from ssgan.types import UserError

USAGE = """usage: ssgan sample RUN [--n 64] [--seed 0] [--out DIR] [--class NAME] [--best]
                    [--refresh N] [--steps 8] [--gif] [--device auto] [--trust MODULE]

  RUN      a run directory, or one checkpoint file
  --n      how many images: image-00000.png, ..., at most 100,000, and sheet.png (of 400 at most)
  --seed   of the latents; the first images are the same however many are asked for
  --out    where to write; by default RUN/generated-seed-SEED
  --class  one class of a conditional run; by default the classes in turn
  --best   use the generator with the best score instead of the newest
  --refresh  compute the statistics of G's batch norms anew from this many samples; by default as
           trained
  --steps  images from one sample to the next in interpolation.png, 2 to 256
  --gif    write interpolation.gif, which moves through the samples, as well
  --trust  modules of your own, by commas, whose classes the run uses; they are imported
"""
_MOST_IMAGES = 100_000  # all latents are drawn at once, and five digits name a file
_MOST_ON_SHEET, _STOPS, _MOST_STEPS = 400, 8, 256


def main(argv: list[str]) -> int:
    """Write the images; returns the exit code."""
    valued = ("n", "seed", "out", "class", "refresh", "steps", "device", "trust")
    options, rest = take_options(argv, valued, ("best", "gif", "help"))
    if options.on("help"):
        print(USAGE, end="")
        return 0
    if len(rest) != 1 or rest[0].startswith("-"):
        given = " ".join(rest) or "nothing"
        raise UserError(f"sample takes one run directory or checkpoint, not {given}")
    count = whole_number(options, "n", 64, 1, _MOST_IMAGES)
    seed = whole_number(options, "seed", 0, 0)
    steps = whole_number(options, "steps", 8, 2, _MOST_STEPS)
    refreshing = whole_number(options, "refresh", 0, 1)
    saved, passed_over = find_state(
        Path(rest[0]), best=options.on("best"), trusted_modules=trusted_modules(options)
    )
    for sentence in passed_over:
        print(f"passed over: {sentence}")
    root = find_run_of(saved.path) or saved.path.parent
    out = Path(options.get("out") or root / f"generated-seed-{seed}")
    generator = load_generator(saved, resolve_device(options.get("device") or "auto"))
    labels = _labels(saved, options, count)
    if refreshing:
        with bar("batch statistics", "samples") as progress:
            refresh_batch_statistics(generator, saved, refreshing, progress)
    latents = sample_latents(saved.config.generator, seed, "sample", count)
    images = _write_images(generator, latents, labels, out)
    columns = max(1, round(min(count, _MOST_ON_SHEET) ** 0.5))
    save_png(out / "sheet.png", image_grid(images, columns))
    where = f"{readable(out)}, together in {readable(out / 'sheet.png')}"
    print(f"{count} images of step {saved.step} in {where}")
    stops = latents[: _STOPS + 1]
    if len(stops) > 1:
        path = interpolate(saved.config.generator, stops, steps)
        _write_interpolation(generator, path, labels, steps, out, options.on("gif"))
    return 0


def _labels(saved: Checkpoint, options: Options, count: int) -> Tensor | None:
    name = options.get("class")
    if not saved.config.method.conditional:
        if name is not None:
            raise UserError(f"--class {name}: this run has no classes")
        return None
    if name is None:
        return torch.arange(count) % saved.num_classes
    if name not in saved.classes:
        raise UserError(f"no class {name!r}; the classes are {', '.join(saved.classes)}")
    return torch.full((count,), saved.classes.index(name))


def _write_images(
    generator: nn.Module, latents: Tensor, labels: Tensor | None, out: Path
) -> NDArray[np.uint8]:
    """Every image into its file; returns those for the sheet."""
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
    """A row a pair of samples, from the one to the other; the label is the first one's."""
    repeated = None if labels is None else labels.repeat_interleave(steps)[: len(path)]
    frames = generate(generator, path, repeated)
    save_png(out / "interpolation.png", image_grid(frames, steps))
    print(f"from sample to sample: {readable(out / 'interpolation.png')}")
    if gif:
        save_gif(out / "interpolation.gif", frames)
        print(f"the same, moving: {readable(out / 'interpolation.gif')}")
