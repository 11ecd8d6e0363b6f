"""`ssgan sample RUN`: writes images of a trained generator."""

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssgan.cli.config_args import import_trusted
from ssgan.cli.images.options import Sample
from ssgan.cli.progress import Meter, open_progress_bar
from ssgan.config.nearest import did_you_mean, nearest
from ssgan.files.animation import require_animation, save_animation
from ssgan.files.errors import require_writable
from ssgan.files.image_grid import image_grid, open_npz_images, save_png, stretch, to_picture
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock
from ssgan.files.names import readable
from ssgan.files.own_outputs import SAMPLE, refuse_other_images
from ssgan.runs.builtin import find_home
from ssgan.runs.checkpoint import Checkpoint
from ssgan.runs.config import DataConfig
from ssgan.runs.model_file import find_networks
from ssgan.runs.precision import resolve_device
from ssgan.runs.sample_folder import SampleFolder
from ssgan.runs.sampling import (
    BATCH,
    generate_batches,
    generate_pixels,
    interpolate,
    interpolate_loop,
    load_generator,
    refresh_batch_statistics,
    sample_latents,
    used_classes,
)
from ssgan.types import UserError

_MOST_ON_SHEET, _STOPS = 400, 8
_LISTED = 20  # classes named in an error
_GIF_MS = 80  # of a frame in interpolation.gif
_FRAMES, _MOST_FRAMES = 16, 2000  # of an animation, for each sample and in all


def main(given: Sample) -> int:
    """Write the images; returns the exit code."""
    saved, passed_over = find_networks(
        given.run, best=given.best, trusted_modules=import_trusted(given.trust)
    )
    for sentence in passed_over:
        print(f"skipped: {sentence}")
    out = _check_places(saved, given)
    generator = load_generator(saved, resolve_device(given.device))
    labels = _labels(saved, given)
    if given.refresh:
        with open_progress_bar("batch statistics", "samples") as progress:
            refresh_batch_statistics(generator, saved, given.refresh, progress)
    latents = _latents(saved, given)
    out.root.mkdir(parents=True, exist_ok=True)
    with hold_lock(out.lock):
        out.start(given.count, _facts(saved, given))
        # kernels may round a row otherwise in another batch: a seed's image is made alone
        batches = generate_batches(generator, latents, labels, 1 if given.seeds else BATCH)
        images = _write_images(batches, labels, out, given, saved.config.data)
        columns = max(1, round(min(given.count, _MOST_ON_SHEET) ** 0.5))
        save_png(out.sheet, image_grid(images, columns))
        where = f"{readable(out.images)}, together in {readable(out.sheet)}"
        print(f"{given.count} images of step {saved.step} in {where}")
        if given.npz is not None:
            print(f"the same as arrays: {readable(given.npz)}")
        spec, stops = saved.config.generator, latents[: _STOPS + 1]
        if len(stops) > 1:
            path = interpolate(spec, stops, given.steps)
            repeated = (
                None if labels is None else labels.repeat_interleave(given.steps)[: len(path)]
            )
            frames = stretch(generate_pixels(generator, path, repeated), saved.config.data.ratio)
            _write_interpolation(frames, given.steps, out, given.gif)
        elif given.gif:
            print("no animation: --gif goes from one image to the next, so --n must be 2 or more")
        if given.interpolate is not None:
            stops = latents if given.seeds else latents[:_STOPS]
            path, left = interpolate_loop(
                spec, stops, given.frames or min(_MOST_FRAMES, _FRAMES * len(stops))
            )
            frames = generate_pixels(generator, path, None if labels is None else labels[left])
            frames = stretch(frames, saved.config.data.ratio)
            save_animation(given.interpolate, frames, round(1000 / given.fps))
            print(f"animation of {len(frames)} images: {readable(given.interpolate)}")
    return 0


def _check_places(saved: Checkpoint, given: Sample) -> SampleFolder:
    """The folder to write to; raises UserError where a file of the user would be replaced."""
    root = find_home(saved.path)
    name = f"generated-seed-{given.seed or 0}" if given.seeds is None else "generated-seeds"
    if given.out is None:
        refuse_links(root, root / name)
    out = SampleFolder(given.out or root / name)
    out.refuse_other_files()
    if given.npz is not None:
        require_writable(given.npz.parent)
        if given.npz.is_dir():
            raise UserError(f"--npz {given.npz} is a folder; give the name of a file")
        refuse_other_images(given.npz)
    if given.interpolate is not None:
        require_writable(given.interpolate.parent)
        require_animation(given.interpolate)
    return out


def _latents(saved: Checkpoint, given: Sample) -> Tensor:
    spec, truncation = saved.config.generator, given.truncation
    if given.seeds is None:
        return sample_latents(spec, given.seed or 0, "sample", given.count, truncation)
    seeds = given.list_seeds()
    return torch.cat([sample_latents(spec, seed, "sample", 1, truncation) for seed in seeds])


def _facts(saved: Checkpoint, given: Sample) -> dict[str, object]:
    """What the record of the folder says."""
    drawn: dict[str, object] = {"seed": given.seed or 0}
    if given.seeds is not None:
        drawn = {"seeds": given.list_seeds()}
    if given.truncation is not None:
        drawn["truncation"] = given.truncation
    if saved.config.data.ratio is not None:
        drawn["ratio"] = saved.config.data.ratio
    return {"run": str(given.run), "step": saved.step, **drawn}


def _labels(saved: Checkpoint, given: Sample) -> Tensor | None:
    """The class of each image: that of --class, else all in turn, by the seed or the number."""
    if given.class_name is not None:
        return torch.full((given.count,), find_class(saved, given.class_name))
    if not saved.config.method.conditional:
        return None
    used = torch.tensor(used_classes(saved))
    numbers = range(given.count) if given.seeds is None else given.list_seeds()
    return used[torch.tensor([number % len(used) for number in numbers])]


def find_class(saved: Checkpoint, words: str) -> int:
    """The number of the class that --class names; raises UserError for none with images."""
    if not saved.config.method.conditional:
        raise UserError(f"--class {words}: this run has no classes")
    used = used_classes(saved)
    names = {saved.classes[number]: number for number in used}
    if words in names:
        return names[words]
    if words.isascii() and words.isdigit() and len(words) < 10 and int(words) in used:
        return int(words)
    near = did_you_mean(nearest(words, list(names)))
    listed = ", ".join([*list(names)[:_LISTED], *["..."] * (len(names) > _LISTED)])
    raise UserError(f"no class {words!r}; the classes are {listed}{f'; {near}' * bool(near)}")


def _write_images(
    batches: Iterator[NDArray[np.uint8]],
    labels: Tensor | None,
    out: SampleFolder,
    given: Sample,
    data: DataConfig,
) -> NDArray[np.uint8]:
    """Write every image to its file, and all to --npz; returns those for the sheet.

    The files have the ratio of the source; the arrays are squares, as G makes them.
    """
    shape = data.shape
    kept: list[NDArray[np.uint8]] = []
    done, size = 0, (given.count, shape.size, shape.size, shape.channels)
    numbers = None if labels is None else labels.numpy()
    arrays = nullcontext() if given.npz is None else open_npz_images(given.npz, size, numbers)
    with arrays as add, Meter("image", given.count, 0) as meter:
        for images in batches:
            if add is not None:
                add(images)
            for image in stretch(images, data.ratio):
                save_png(out.image(done), to_picture(image), SAMPLE)
                done += 1
                if done <= _MOST_ON_SHEET:
                    kept.append(image)
            meter.advance(done)
    return np.stack(kept)


def _write_interpolation(
    frames: NDArray[np.uint8], steps: int, out: SampleFolder, gif: bool
) -> None:
    """Write a row for each pair of samples."""
    save_png(out.interpolation, image_grid(frames, steps))
    print(f"interpolation: {readable(out.interpolation)}")
    if gif:
        save_animation(out.animation, frames, _GIF_MS)
        print(f"animation: {readable(out.animation)}")
