"""Images from a trained generator."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from ssgan.config.merge import read_json
from ssgan.files.alpha import straighten
from ssgan.files.run_directory import RunDirectory, find_run_of
from ssgan.models.base import AbstractGeneratorConfig
from ssgan.models.norms import BatchStatistics, refresh_statistics
from ssgan.ops.pixels import to_uint8
from ssgan.ops.rng import Key, integers, uniform
from ssgan.runs.checkpoint import Checkpoint, StoredNetworks, load_part
from ssgan.runs.precision import run_dtype, to_device
from ssgan.runs.shapes import require_shapes
from ssgan.runs.state import build_discriminator, build_generator
from ssgan.types import Scalar, UserError

BATCH = 64  # images generated at once


def load_generator(checkpoint: StoredNetworks, device: torch.device) -> nn.Module:
    """The averaged G of a checkpoint, frozen and in evaluation mode, in the run's precision.

    It has its trained batch statistics. Raises UserError for tensors that do not fit.
    """
    require_shapes(checkpoint, "generator_ema")
    generator = build_generator(checkpoint.config, checkpoint.num_classes)
    return _load(generator, checkpoint, "generator_ema", device)


def load_discriminator(checkpoint: StoredNetworks, device: torch.device) -> nn.Module:
    """The D of a checkpoint, frozen and in evaluation mode, in the run's precision.

    Raises UserError for a state without D (the best one), and for tensors that do not fit.
    """
    if "discriminator" not in checkpoint.tensors:
        raise UserError(
            f"{checkpoint.path} holds the averaged generator alone and has no discriminator: give "
            "a run directory or one of its checkpoints"
        )
    require_shapes(checkpoint, "discriminator")
    discriminator = build_discriminator(checkpoint.config, checkpoint.num_classes)
    return _load(discriminator, checkpoint, "discriminator", device)


def _load(
    network: nn.Module, checkpoint: StoredNetworks, name: str, device: torch.device
) -> nn.Module:
    load_part(network, checkpoint, name)
    dtype = run_dtype(checkpoint.config.precision)
    return to_device(network, device, dtype).eval().requires_grad_(False)


def used_classes(checkpoint: Checkpoint) -> list[int]:
    """The classes of a conditional checkpoint that had images, by number.

    Runs of earlier versions count empty classes too; the manifest in their directory tells them.
    """
    every, run = list(range(checkpoint.num_classes)), find_run_of(checkpoint.path)
    if run is None:
        return every
    try:
        manifest = read_json(RunDirectory(run).manifest)
        named, counts = manifest["classes"], manifest["class_counts"]
        same = tuple(named) == checkpoint.classes
        used = [number for number in every if counts[number]] if same else []
    except (UserError, KeyError, TypeError, IndexError):  # a damaged record
        return every
    return used or every


def refresh_batch_statistics(
    generator: nn.Module,
    checkpoint: Checkpoint,
    samples: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Replace the batch statistics of a checkpoint's G by their mean over keyed samples.

    Samples are generated in whole batches of 64, with uniform labels if any; returns their number.
    The authors' code evaluates its large networks so, over 204,800 samples. `progress` gets
    (samples done, samples in total). Raises UserError for a G without such statistics.
    """
    if not any(isinstance(module, BatchStatistics) for module in generator.modules()):
        name = type(checkpoint.config.generator).__name__
        raise UserError(f"--refresh: {name} has no batch statistics of ssgan.models.norms")
    samples = -(-samples // BATCH) * BATCH
    weight, spec = next(generator.parameters()), checkpoint.config.generator
    conditional = checkpoint.config.method.conditional

    def draws() -> Iterator[tuple[Tensor, Tensor | None]]:
        for start in range(0, samples, BATCH):
            progress(start, samples)
            numbers = torch.arange(start, start + BATCH)
            labels = integers(Key(0, "refresh labels"), numbers, checkpoint.num_classes or 1)
            latents = spec.sample_latents(Key(0, "refresh latents"), numbers)
            yield latents.to(weight.device, weight.dtype), labels.to(weight.device)
        progress(samples, samples)

    refresh_statistics(generator, ((z, y if conditional else None) for z, y in draws()))
    return samples


def sample_latents(
    spec: AbstractGeneratorConfig,
    seed: int,
    purpose: str,
    count: int,
    truncation: float | None = None,
) -> Float[Tensor, "N Z"]:
    """Latents of the generator's distribution; the first n are the same however many there are.

    With `truncation` t, values of a magnitude above t are drawn again until they are not: the
    truncation trick of BigGAN (Brock et al., ICLR 2019). A small t trades diversity for quality.
    Other values stay, so a large t changes nothing. Raises UserError unless t is above 0.
    """
    key, index = Key(seed, purpose), torch.arange(count)
    latents = spec.sample_latents(key, index)
    if truncation is None:
        return latents
    if not 0 < truncation < math.inf:
        raise UserError(f"truncation must be a finite number above 0, not {truncation}")
    # one draw from the distribution within -t ... t, by its inverse, is what all redraws end in
    draws = 2 * uniform(Key(seed, purpose, 1), index, spec.latent_size).double() - 1
    if spec.latents == "uniform":
        inner = min(truncation, 1.0) * draws
    else:
        mass = math.erf(truncation / math.sqrt(2))
        inner = math.sqrt(2) * torch.erfinv(mass * draws)
    inner = inner.clamp(-truncation, truncation).to(latents.dtype)
    return torch.where(latents.abs() > truncation, inner, latents)


def interpolate(
    spec: AbstractGeneratorConfig, latents: Float[Tensor, "N Z"], steps: int
) -> Float[Tensor, "M Z"]:
    """`steps` points from each latent towards the next one: (N - 1) steps rows.

    Normal latents move on the great circle, with lengths in between: a straight line would pass
    through latents shorter than any in training. Uniform latents move on the straight line, because
    a circle would leave their cube; so do latents of size 1, which have no circle.
    """
    way, shares = _choose_way(spec), torch.arange(steps) / steps
    return torch.stack([way(a, b, t) for a, b in pairwise(latents) for t in shares])


def interpolate_loop(
    spec: AbstractGeneratorConfig, latents: Float[Tensor, "N Z"], frames: int
) -> tuple[Float[Tensor, "M Z"], Int[Tensor, " M"]]:
    """`frames` points at equal distances on the way through all latents and back to the first.

    The way is that of `interpolate`. Also returns the number of the latent that each point left.
    """
    way, count = _choose_way(spec), len(latents)
    left = torch.arange(frames) * count // frames
    shares = torch.arange(frames) * count % frames / frames
    pairs = zip(left.tolist(), shares, strict=True)
    points = [way(latents[n], latents[(n + 1) % count], share) for n, share in pairs]
    return torch.stack(points), left


def _choose_way(spec: AbstractGeneratorConfig) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    straight = spec.latents == "uniform" or spec.latent_size == 1
    return torch.lerp if straight else _on_great_circle


def _on_great_circle(
    start: Float[Tensor, " Z"], end: Float[Tensor, " Z"], t: Scalar
) -> Float[Tensor, " Z"]:
    angle = torch.arccos((start @ end / (start.norm() * end.norm())).clamp(-1, 1))
    length = (1 - t) * start.norm() + t * end.norm()
    a, b = torch.sin((1 - t) * angle), torch.sin(t * angle)
    direction = (a * start / start.norm() + b * end / end.norm()) / torch.sin(angle)
    point: Tensor = length * direction
    return point


@torch.no_grad()
def generate_images(
    generator: nn.Module, latents: Float[Tensor, "N Z"], labels: Tensor | None, batch: int = BATCH
) -> Iterator[Float[Tensor, "B C S S"]]:
    """Images in [-1, 1] in batches, in order; the generator is in evaluation mode."""
    weight = next(generator.parameters())
    for start in range(0, len(latents), batch):
        rows = slice(start, start + batch)
        classes = None if labels is None else labels[rows].to(weight.device)
        yield generator(latents[rows].to(weight.device, weight.dtype), classes)


def generate_batches(
    generator: nn.Module, latents: Float[Tensor, "N Z"], labels: Tensor | None, batch: int = BATCH
) -> Iterator[NDArray[np.uint8]]:
    """The images of `generate_images` as uint8 [n, S, S, C], with straight colours beside alpha."""
    for images in generate_images(generator, latents, labels, batch):
        yield straighten(to_pixels(images))


def generate_pixels(
    generator: nn.Module, latents: Float[Tensor, "N Z"], labels: Tensor | None
) -> NDArray[np.uint8]:
    """The images of `generate_batches` at once, uint8 [N, S, S, C]."""
    return np.concatenate(list(generate_batches(generator, latents, labels)))


def to_pixels(images: Float[Tensor, "N C S S"]) -> NDArray[np.uint8]:
    """Images in [-1, 1] to uint8 [N, S, S, C], rounded to the nearest; NaN becomes black."""
    finite = images.nan_to_num(nan=-1.0, posinf=1.0, neginf=-1.0)
    return to_uint8(finite).permute(0, 2, 3, 1).contiguous().cpu().numpy()
