"""`ssgan sample RUN`: writes images of a trained generator."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ssgan.cli.config_args import import_trusted
from ssgan.cli.images.options import Sample
from ssgan.cli.launching.shared_work import run_shared
from ssgan.cli.progress import Meter, open_progress_bar
from ssgan.config.nearest import did_you_mean, nearest
from ssgan.files.animation import require_animation, save_animation
from ssgan.files.errors import require_writable
from ssgan.files.image_grid import image_grid, open_npz_images, save_png, stretch, to_picture
from ssgan.files.links import refuse_links
from ssgan.files.locks import hold_lock
from ssgan.files.names import readable
from ssgan.files.own_outputs import SAMPLE, refuse_other_images
from ssgan.ops.collective import rank, share_work, wait_for_ranks
from ssgan.runs.builtin import find_home
from ssgan.runs.checkpoint import Checkpoint, FoundState
from ssgan.runs.config import DataConfig, RunConfig
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
from ssgan.training.ranks.distributed import share_words
from ssgan.types import UserError

_MOST_ON_SHEET, _STOPS = 400, 8
_LISTED = 20  # classes named in an error
_GIF_MS = 80  # of a frame in interpolation.gif
_FRAMES, _MOST_FRAMES = 16, 2000  # of an animation, for each sample and in all


def main(given: Sample) -> int:
    """Write the images; returns the exit code."""
    return run_shared(
        ["sample", *given.words],
        given.processes,
        given.device,
        check=lambda: _check_places(_find(given, given.run).checkpoint, given),
        work=lambda: _sample(given),
    )


def _find(given: Sample, place: Path) -> FoundState:
    trusted = import_trusted(given.trust)
    return find_networks(place, best=given.best, trusted_modules=trusted)


def _find_alike(given: Sample) -> Checkpoint:
    """The state in the file that rank 0 finds; raises UserError where another rank reads another.

    A run in training may replace it meanwhile.
    """
    found = None
    if rank() == 0:
        found = _find(given, given.run)
        for sentence in found.passed_over:
            print(f"skipped: {sentence}")
    words = () if found is None else (str(found.checkpoint.path), str(found.checkpoint.step))
    path, step = share_words(words)
    saved = _find(given, Path(path)).checkpoint if found is None else found.checkpoint
    if str(saved.step) != step:
        raise UserError(f"{path} was replaced meanwhile: run the same command again")
    return saved


def _sample(given: Sample) -> None:
    saved = _find_alike(given)
    out = _check_places(saved, given)
    generator = load_generator(saved, resolve_device(given.device))
    labels = _labels(saved, given)
    if given.refresh:
        with open_progress_bar("batch statistics", "samples") as progress:
            refresh_batch_statistics(generator, saved, given.refresh, progress)
    latents = _latents(saved, given)
    # kernels may round a row otherwise in another batch: a seed's image is made alone
    size = 1 if given.seeds else BATCH

    def generate(start: int) -> NDArray[np.uint8]:
        rows = slice(start, start + size)
        classes = None if labels is None else labels[rows]
        (images,) = generate_batches(generator, latents[rows], classes, size)
        return images

    wait_for_ranks()  # until all have checked the folder
    if rank() == 0:
        out.root.mkdir(parents=True, exist_ok=True)
    with hold_lock(out.lock) if rank() == 0 else nullcontext():
        if rank() == 0:
            out.start(given.count, _facts(saved, given))
        wait_for_ranks()
        images = _write_images(generate, size, labels, out, given, saved.config.data)
        if rank() == 0:
            _write_sheet(images, out, given, saved)
            _write_ways(generator, latents, labels, out, given, saved.config)


def _write_sheet(
    images: NDArray[np.uint8], out: SampleFolder, given: Sample, saved: Checkpoint
) -> None:
    """All images as one picture; says where they are."""
    columns = max(1, round(min(given.count, _MOST_ON_SHEET) ** 0.5))
    save_png(out.sheet, image_grid(images, columns))
    where = f"{readable(out.images)}, together in {readable(out.sheet)}"
    print(f"{given.count} images of step {saved.step} in {where}")
    if given.npz is not None:
        print(f"the same as arrays: {readable(given.npz)}")


def _write_ways(
    generator: nn.Module,
    latents: Tensor,
    labels: Tensor | None,
    out: SampleFolder,
    given: Sample,
    config: RunConfig,
) -> None:
    """The interpolation between the images, and their animations."""
    spec, stops = config.generator, latents[: _STOPS + 1]
    if len(stops) > 1:
        path = interpolate(spec, stops, given.steps)
        repeated = None if labels is None else labels.repeat_interleave(given.steps)[: len(path)]
        frames = stretch(generate_pixels(generator, path, repeated), config.data.ratio)
        _write_interpolation(frames, given.steps, out, given.gif)
    elif given.gif:
        print("no animation: --gif goes from one image to the next, so --n must be 2 or more")
    if given.interpolate is not None:
        stops = latents if given.seeds else latents[:_STOPS]
        path, left = interpolate_loop(
            spec, stops, given.frames or min(_MOST_FRAMES, _FRAMES * len(stops))
        )
        frames = generate_pixels(generator, path, None if labels is None else labels[left])
        frames = stretch(frames, config.data.ratio)
        save_animation(given.interpolate, frames, round(1000 / given.fps))
        print(f"animation of {len(frames)} images: {readable(given.interpolate)}")


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
    generate: Callable[[int], NDArray[np.uint8]],
    size: int,
    labels: Tensor | None,
    out: SampleFolder,
    given: Sample,
    data: DataConfig,
) -> NDArray[np.uint8]:
    """Write every image to its file, and all to --npz; returns those for the sheet.

    `generate` makes `size` images from a number on. Of several ranks each makes a share and writes
    its files. The files have the ratio of the source; the arrays are squares, as G makes them.
    """
    shape, first = data.shape, rank() == 0
    kept: list[NDArray[np.uint8]] = []
    numbers = None if labels is None else labels.numpy()

    def write(start: int) -> Tensor:
        images = generate(start)
        for number, image in enumerate(stretch(images, data.ratio), start):
            save_png(out.image(number), to_picture(image), SAMPLE)
        return torch.from_numpy(images if given.npz or start < _MOST_ON_SHEET else images[:0])

    arrays: AbstractContextManager[Callable[[NDArray[np.uint8]], None] | None] = nullcontext()
    if given.npz is not None and first:
        whole = (given.count, shape.size, shape.size, shape.channels)
        arrays = open_npz_images(given.npz, whole, numbers)
    starts = range(0, given.count, size)
    with arrays as add, Meter("image", given.count, 0) if first else nullcontext() as meter:
        for start, images in zip(starts, share_work(starts, write), strict=first):
            if add is not None:
                add(images.numpy())
            if start < _MOST_ON_SHEET:
                kept.extend(stretch(images.numpy(), data.ratio)[: _MOST_ON_SHEET - start])
            if meter is not None:
                meter.advance(min(start + size, given.count))
    return np.array(kept, np.uint8)


def _write_interpolation(
    frames: NDArray[np.uint8], steps: int, out: SampleFolder, gif: bool
) -> None:
    """Write a row for each pair of samples."""
    save_png(out.interpolation, image_grid(frames, steps))
    print(f"interpolation: {readable(out.interpolation)}")
    if gif:
        save_animation(out.animation, frames, _GIF_MS)
        print(f"animation: {readable(out.animation)}")
