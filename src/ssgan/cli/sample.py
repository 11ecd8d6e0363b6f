"""`ssgan sample RUN`: writes images of a trained generator."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ssgan.cli.config_args import import_trusted
from ssgan.cli.options import Sample
from ssgan.cli.progress import Meter, open_progress_bar
from ssgan.config.nearest import did_you_mean, nearest
from ssgan.files.errors import require_writable
from ssgan.files.image_grid import image_grid, open_npz_images, save_gif, save_png
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock
from ssgan.files.names import readable
from ssgan.files.own_outputs import SAMPLE, refuse_other_images
from ssgan.files.run_directory import find_run_of
from ssgan.runs.checkpoint import Checkpoint
from ssgan.runs.model_file import find_networks
from ssgan.runs.precision import resolve_device
from ssgan.runs.sample_folder import SampleFolder
from ssgan.runs.sampling import (
    generate_batches,
    generate_pixels,
    interpolate,
    load_generator,
    refresh_batch_statistics,
    sample_latents,
    used_classes,
)
from ssgan.types import ImageShape, UserError

_MOST_ON_SHEET, _STOPS = 400, 8
_LISTED = 20  # classes named in an error


def main(given: Sample) -> int:
    """Write the images; returns the exit code."""
    saved, passed_over = find_networks(
        given.run, best=given.best, trusted_modules=import_trusted(given.trust)
    )
    for sentence in passed_over:
        print(f"skipped: {sentence}")
    root = find_run_of(saved.path) or saved.path.parent
    folder = given.out or root / f"generated-seed-{given.seed}"
    if given.out is None:
        refuse_links(root, folder)
    out = SampleFolder(folder)
    out.refuse_other_files()
    if given.npz is not None:
        require_writable(given.npz.parent)
        if given.npz.is_dir():
            raise UserError(f"--npz {given.npz} is a folder; give the name of a file")
        refuse_other_images(given.npz)
    generator = load_generator(saved, resolve_device(given.device))
    labels = _labels(saved, given)
    if given.refresh:
        with open_progress_bar("batch statistics", "samples") as progress:
            refresh_batch_statistics(generator, saved, given.refresh, progress)
    latents = sample_latents(saved.config.generator, given.seed, "sample", given.n)
    facts = {"run": str(given.run), "step": saved.step, "seed": given.seed}
    out.root.mkdir(parents=True, exist_ok=True)
    with hold_lock(out.lock):
        out.start(given.n, facts)
        shape = saved.config.data.shape
        images = _write_images(generator, latents, labels, out, given.npz, shape)
        columns = max(1, round(min(given.n, _MOST_ON_SHEET) ** 0.5))
        save_png(out.sheet, image_grid(images, columns))
        where = f"{readable(out.images)}, together in {readable(out.sheet)}"
        print(f"{given.n} images of step {saved.step} in {where}")
        if given.npz is not None:
            print(f"the same as arrays: {readable(given.npz)}")
        stops = latents[: _STOPS + 1]
        if len(stops) > 1:
            path = interpolate(saved.config.generator, stops, given.steps)
            _write_interpolation(generator, path, labels, given.steps, out, given.gif)
        elif given.gif:
            print("no animation: --gif goes from one image to the next, so --n must be 2 or more")
    return 0


def _labels(saved: Checkpoint, given: Sample) -> Tensor | None:
    name = given.class_name
    if not saved.config.method.conditional:
        if name is not None:
            raise UserError(f"--class {name}: this run has no classes")
        return None
    used = used_classes(saved)
    if name is None:
        return torch.tensor(used)[torch.arange(given.n) % len(used)]
    names = [saved.classes[number] for number in used]
    if name not in names:
        near = did_you_mean(nearest(name, names))
        listed = ", ".join([*names[:_LISTED], *["..."] * (len(names) > _LISTED)])
        raise UserError(f"no class {name!r}; {near or f'the classes are {listed}'}")
    return torch.full((given.n,), saved.classes.index(name))


def _write_images(
    generator: nn.Module,
    latents: Tensor,
    labels: Tensor | None,
    out: SampleFolder,
    npz: Path | None,
    shape: ImageShape,
) -> NDArray[np.uint8]:
    """Write every image to its file, and all to `npz`; returns those for the sheet."""
    kept: list[NDArray[np.uint8]] = []
    done, size = 0, (len(latents), shape.size, shape.size, shape.channels)
    numbers = None if labels is None else labels.numpy()
    arrays = nullcontext() if npz is None else open_npz_images(npz, size, numbers)
    with arrays as add, Meter("image", len(latents), 0) as meter:
        for images in generate_batches(generator, latents, labels):
            if add is not None:
                add(images)
            for image in images:
                picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
                save_png(out.image(done), picture, SAMPLE)
                done += 1
                if done <= _MOST_ON_SHEET:
                    kept.append(image)
            meter.advance(done)
    return np.stack(kept)


def _write_interpolation(
    generator: nn.Module,
    path: Tensor,
    labels: Tensor | None,
    steps: int,
    out: SampleFolder,
    gif: bool,
) -> None:
    """Write a row for each pair of samples, with the label of the first."""
    repeated = None if labels is None else labels.repeat_interleave(steps)[: len(path)]
    frames = generate_pixels(generator, path, repeated)
    save_png(out.interpolation, image_grid(frames, steps))
    print(f"interpolation: {readable(out.interpolation)}")
    if gif:
        save_gif(out.animation, frames)
        print(f"animation: {readable(out.animation)}")
