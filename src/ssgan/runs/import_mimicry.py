"""torch-mimicry's residual networks as models of ours: SNGAN, SSGAN and cGAN-PD, 32 to 128 pixels.

Their names, and what is done to the numbers:

    G  l1                     rows in the order (channel, row, column), ours (row, column, channel)
       block2, block3, ...    c1, c2, c_sc: convolutions; b1, b2: batch norms; all as they are
       b5, c5 (b6, c6 ...)    norm and convolution before tanh(x), ours before tanh(x / 2): twice
    D  block1, block2, ...    as they are
       l5 (l6, l7)            real head
       l_y                    rotation head, or without a bias the projection of labels

A weight with spectral norm has one of three layouts: `weight` and `sn_u` (torch-mimicry), of which
every forward does one power iteration first; `weight_orig`, `weight_u` and maybe `weight_v`
(torch.nn.utils); `parametrizations.weight` (torch.nn.utils.parametrizations).
"""

import re
from pathlib import Path

import torch
from torch import Tensor

from ssgan.models.norms import AbstractNorm, BatchNorm, ConditionalBatchNorm
from ssgan.models.sngan import SNGAN, SNGANDiscriminator, SNGANGenerator
from ssgan.runs.foreign_weights import ForeignWeights, build_model, iterate_vectors
from ssgan.runs.model_file import StoredModel
from ssgan.runs.pth_file import read_pth
from ssgan.types import ImageShape, UserError

_KIND = "a residual network of torch-mimicry (SNGAN, SSGAN, cGAN-PD)"


def import_mimicry(generator: Path, discriminator: Path | None = None) -> StoredModel:
    """The model in netG's file, and in netD's where it is given.

    Classes get their numbers as names. Raises UserError, in one line, for files that are damaged
    or hold other networks.
    """
    tensors, step = read_pth(generator)
    weights = ForeignWeights(generator, tensors)
    if "block1.c1.bias" in weights:
        raise UserError(
            f"{generator} holds a discriminator: give netG's file first, and this one as "
            "--discriminator"
        )
    spec, shape, classes, tables = _import_generator(weights)
    parts = {"generator_ema": tables}
    d_spec = SNGANDiscriminator()
    if discriminator is not None:
        d_weights = ForeignWeights(discriminator, read_pth(discriminator).tensors)
        d_spec, parts["discriminator"] = _import_discriminator(d_weights, shape)
    return build_model(generator, shape, (spec, d_spec), parts, classes, step)


def _import_generator(
    weights: ForeignWeights,
) -> tuple[SNGANGenerator, ImageShape, list[str], dict[str, Tensor]]:
    rows, latent_size = weights.shape("l1.weight", 2)
    channels = weights.shape("block2.c1.weight", 4)[1]
    doubling = _count(weights, "block{}.c1.weight", 2)
    start, last = round((rows / channels) ** 0.5), doubling + 2
    shape = ImageShape(weights.shape(f"c{last}.weight", 4)[0], start * 2**doubling)
    _check_size(weights.path, shape.size)
    classes: list[str] = []
    if "block2.b1.embed.weight" in weights:
        classes = [str(n) for n in range(weights.shape("block2.b1.embed.weight", 2)[0])]
    tables: dict[str, Tensor] = {}
    for name in ("weight", "bias"):
        flat = weights.take(f"l1.{name}")
        if len(flat) != channels * start**2:
            raise UserError(f"{weights.path}: l1 has {len(flat)} rows, for {channels} channels")
        by_channel = flat.reshape(channels, start**2, -1).transpose(0, 1)
        tables[f"first.{name}"] = by_channel.reshape(flat.shape)
    for number in range(doubling):
        _take_block(weights, f"block{number + 2}", f"blocks.{number}", tables)
        for norm in "12":
            _take_norm(weights, f"block{number + 2}.b{norm}", f"blocks.{number}.norm{norm}", tables)
    _take_norm(weights, f"b{last}", "norm", tables, len(classes))
    _take_layer(weights, f"c{last}", "last", tables)
    for name in ("last.weight", "last.bias"):
        tables[name] = 2 * tables[name]
    weights.require_all_taken(f"the generator of {_KIND}")
    norm_spec: AbstractNorm = ConditionalBatchNorm(gamma_offset=True) if classes else BatchNorm()
    width = channels / SNGAN[shape.size].generator.channels[0]
    return (
        SNGANGenerator(latent_size=latent_size, width=width, norm=norm_spec),
        shape,
        classes,
        tables,
    )


def _import_discriminator(
    weights: ForeignWeights, shape: ImageShape
) -> tuple[SNGANDiscriminator, dict[str, Tensor]]:
    names = sorted(weights.left)
    heads = [found[1] for name in names if (found := re.fullmatch(r"(l\d+)\.bias", name))]
    if "block1.c1.bias" not in weights or len(heads) != 1:
        raise UserError(f"{weights.path} holds no discriminator of {_KIND}")
    tables: dict[str, Tensor] = {}
    for number in range(_count(weights, "block{}.c1.bias", 1)):
        _take_block(weights, f"block{number + 1}", f"blocks.{number}", tables)
    _take_layer(weights, heads[0], "heads.real", tables)
    if "l_y.bias" in weights:
        _take_layer(weights, "l_y", "heads.auxiliary", tables)
    elif any(name.startswith("l_y.") for name in names):
        _take_layer(weights, "l_y", "heads.projection", tables)
    weights.require_all_taken(f"the discriminator of {_KIND}")
    width = len(tables["blocks.0.conv1.bias"]) / SNGAN[shape.size].discriminator.channels[0]
    spectral = "heads.real.spectral_u" in tables
    return SNGANDiscriminator(width=width, spectral=spectral), tables


def _check_size(path: Path, size: int) -> None:
    if size not in SNGAN:
        known = ", ".join(map(str, SNGAN))
        raise UserError(f"{path}: G makes {size} pixels; {_KIND} makes {known}")


def _count(weights: ForeignWeights, name: str, first: int) -> int:
    """How many names there are with ascending numbers."""
    count = 0
    while name.format(first + count) in weights:
        count += 1
    return count


def _take_block(weights: ForeignWeights, name: str, into: str, tables: dict[str, Tensor]) -> None:
    for theirs, ours in (("c1", "conv1"), ("c2", "conv2"), ("c_sc", "shortcut")):
        if f"{name}.{theirs}.bias" in weights:  # some have no shortcut convolution
            _take_layer(weights, f"{name}.{theirs}", f"{into}.{ours}", tables)


def _take_layer(weights: ForeignWeights, name: str, into: str, tables: dict[str, Tensor]) -> None:
    """A weight, in whichever layout, its bias if any, and its singular vectors if any."""
    layouts = {"weight": "sn_u", "weight_orig": "weight_u"}
    new = f"{name}.parametrizations.weight"
    vectors: dict[str, Tensor] = {}
    if f"{new}.original" in weights:
        weight = weights.take(f"{new}.original")
        stored = [weights.take(f"{new}.0._{letter}") for letter in "uv"]
        vectors = dict(zip(("spectral_u", "spectral_v"), stored, strict=True))
    else:
        kind = next((kind for kind in layouts if f"{name}.{kind}" in weights), "weight")
        weight, vector = weights.take(f"{name}.{kind}"), f"{name}.{layouts[kind]}"
        if vector in weights:
            u = weights.take(vector).flatten()
            if len(u) != len(weight):
                raise UserError(f"{weights.path}: {vector} has {len(u)} numbers, not {len(weight)}")
            vectors = iterate_vectors(weight, u)
            if f"{name}.weight_v" in weights:
                vectors = {"spectral_u": u, "spectral_v": weights.take(f"{name}.weight_v")}
    weights.left.pop(f"{name}.sn_sigma", None)  # follows from the vectors
    tables[f"{into}.weight"] = weight
    if f"{name}.bias" in weights:
        tables[f"{into}.bias"] = weights.take(f"{name}.bias")
    tables |= {f"{into}.{key}": value for key, value in vectors.items()}


def _take_norm(
    weights: ForeignWeights, name: str, into: str, tables: dict[str, Tensor], num_classes: int = 0
) -> None:
    """A batch norm; for the last one of a conditional G every class gets its gain and shift."""
    inner = f"{name}.bn" if f"{name}.embed.weight" in weights else name
    for statistic in ("running_mean", "running_var"):
        tables[f"{into}.statistics.{statistic}"] = weights.take(f"{inner}.{statistic}")
    weights.left.pop(f"{inner}.num_batches_tracked", None)
    if inner != name:
        gain, shift = weights.take(f"{name}.embed.weight").chunk(2, dim=1)
    else:
        gain, shift = weights.take(f"{name}.weight"), weights.take(f"{name}.bias")
        if num_classes == 0:
            tables |= {f"{into}.gain": gain, f"{into}.shift": shift}
            return
        gain, shift = (value.expand(num_classes, -1) for value in (gain, shift))
    tables[f"{into}.gain.weight"] = gain - 1  # ours adds 1
    tables[f"{into}.shift.weight"] = torch.clone(shift)
