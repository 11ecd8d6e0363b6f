"""Variables of google/compare_gan in an .npz file as models of ours.

The names of the arrays are those of the variables, such as `generator/B1/up_conv1/kernel`; what
stands before `generator/` or `discriminator` is left out. Architectures: resnet_cifar, resnet5,
resnet_stl, resnet_biggan with split latents, sndcgan and dcgan.

Variables with ExponentialMovingAverage are the averaged G, and the others G without averaging.
"""

import re
from collections.abc import Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ssgan.files.archive import ArchiveError
from ssgan.files.environment import memory_bytes
from ssgan.files.links import require_file
from ssgan.files.npz import list_arrays, read_array
from ssgan.models import biggan
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from ssgan.models.norms import (
    AbstractNorm,
    BatchNorm,
    ConditionalBatchNorm,
    SelfModulatedBatchNorm,
)
from ssgan.models.resnet import (
    ResNet5Discriminator,
    ResNet5Generator,
    ResNetDiscriminator,
    ResNetGenerator,
    ResNetSTLDiscriminator,
    ResNetSTLGenerator,
)
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.runs.compare_gan_variables import (
    convert_discriminator,
    convert_generator,
    find_scaled,
)
from ssgan.runs.foreign_weights import ForeignWeights, build_model
from ssgan.runs.model_file import StoredModel
from ssgan.types import ImageShape, UserError

_AVERAGE = "/ExponentialMovingAverage"
_SLOTS = re.compile(r"/(Adam(_\d)?|update_accus)$")  # of optimizers, and switches
_OURS = re.compile(r"(?:^|/)((?:generator|discriminator|discriminator_rotation)/.+?)(?::0)?$")


class _Architecture(NamedTuple):
    """The networks of one architecture, and the channels of their first layers at width 1."""

    generator: type[AbstractGeneratorConfig]
    discriminator: type[AbstractDiscriminatorConfig]
    channels: int  # of G's first map
    d_channels: int  # of D's first layer
    times: int = 0  # side of an image in G's first maps; 0: of a residual network


_ARCHITECTURES = {
    "resnet_cifar": _Architecture(ResNetGenerator, ResNetDiscriminator, 256, 128),
    "resnet5": _Architecture(ResNet5Generator, ResNet5Discriminator, 512, 64),
    "resnet_stl": _Architecture(ResNetSTLGenerator, ResNetSTLDiscriminator, 512, 64),
    "dcgan": _Architecture(DCGANGenerator, DCGANDiscriminator, 512, 64, 16),
    "sndcgan": _Architecture(SNDCGANGenerator, SNDCGANDiscriminator, 512, 64, 8),
    **{
        f"resnet_biggan {size}": _Architecture(
            BigGANGenerator,
            BigGANDiscriminator,
            biggan.CHANNELS * biggan.GENERATOR_MULTIPLIERS[size][0],
            biggan.CHANNELS * biggan.DISCRIMINATOR_MULTIPLIERS[size][0],
        )
        for size in biggan.GENERATOR_MULTIPLIERS
    },
}


class _Family(NamedTuple):
    """What the shapes of G's variables say."""

    name: str  # of the architecture
    shape: ImageShape
    channels: int  # of G's first map
    latent_size: int
    norm: AbstractNorm
    num_classes: int


def import_compare_gan(path: Path) -> StoredModel:
    """The model in an .npz file of variables; classes get their numbers as names.

    Raises UserError, in one line, for a file that is damaged or holds other networks.
    """
    arrays, step = _read(path)
    raw = {name: value for name, value in arrays.items() if not name.endswith(_AVERAGE)}
    averaged = {name: arrays.get(name + _AVERAGE, value) for name, value in raw.items()}
    family = _find_family(ForeignWeights(path, raw))
    generator, discriminator = _choose_specs(family, ForeignWeights(path, raw))
    tensors = {"generator_ema": convert_generator(_part_of(path, averaged, "generator/"))}
    if len(arrays) > len(raw):
        tensors["generator"] = convert_generator(_part_of(path, raw, "generator/"))
    if any(name.startswith("discriminator/") for name in raw):
        tensors["discriminator"] = convert_discriminator(_part_of(path, raw, "discriminator"))
    classes = [str(number) for number in range(family.num_classes)]
    return build_model(path, family.shape, (generator, discriminator), tensors, classes, step)


def _read(path: Path) -> tuple[dict[str, Tensor], int]:
    """G's and D's variables, and the step; 0 where there is none."""
    require_file(path)
    try:
        headers = list_arrays(path)
        memory = memory_bytes()
        if memory is not None and 2 * sum(header.size for header in headers.values()) > memory:
            raise UserError(f"{path} has more numbers than fit into the memory here")
        found: dict[str, Tensor] = {}
        for name, header in headers.items():
            ours = _OURS.search(name)
            if ours is not None and not _SLOTS.search(ours[1]):
                if header.dtype.kind != "f":
                    raise UserError(f"{path}: {ours[1]} has {header.dtype} numbers, not floats")
                values = read_array(path, header, header.size).astype("float32")
                found[ours[1]] = torch.from_numpy(values)
        step = headers.get("global_step")
        at = 0 if step is None else int(read_array(path, step, 64).item())
    except ArchiveError as error:
        raise UserError(f"{path} is damaged or no .npz file: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return found, max(0, at)


def _part_of(path: Path, arrays: Mapping[str, Tensor], start: str) -> ForeignWeights:
    chosen = {name: value for name, value in arrays.items() if name.startswith(start)}
    return ForeignWeights(path, chosen)


def _find_family(weights: ForeignWeights) -> _Family:
    if "generator/g_fc1/kernel" in weights:
        return _find_convolutional(weights)
    if "generator/fc_noise/kernel" not in weights:
        raise UserError(
            f"{weights.path} holds no generator of compare_gan: it has no variable "
            "generator/fc_noise/kernel or generator/g_fc1/kernel"
        )
    latent_size, flat = weights.shape("generator/fc_noise/kernel", 2)
    convs = list(
        takewhile(bool, (find_scaled(weights, f"generator/B{n}/", "conv1") for n in count(1)))
    )
    if not convs:
        raise UserError(f"{weights.path} holds no blocks generator/B1, generator/B2, ...")
    channels = weights.shape(f"{convs[0]}/kernel", 4)[2]
    start, ups = round((flat / channels) ** 0.5), sum("/up_" in conv for conv in convs)
    size = start * 2**ups
    shape = ImageShape(weights.shape("generator/final_conv/kernel", 4)[3], size)
    norm, classes = _find_norm(weights, "generator/B1/bn1")
    shortcut = find_scaled(weights, "generator/B1/", "conv_shortcut")
    name = "resnet5" if len(convs) == 5 else "resnet_stl" if start == 6 else "resnet_cifar"
    if weights.shape(f"{shortcut}/kernel", 4)[0] == 1:
        name = f"resnet_biggan {size}"
        if "generator/embed_y/kernel" in weights:
            classes = weights.shape("generator/embed_y/kernel", 2)[0]
        if not norm.reads_nothing:
            latent_size *= len(convs) + 1
    return _Family(name, shape, channels, latent_size, norm, classes)


def _find_convolutional(weights: ForeignWeights) -> _Family:
    name, first, last = "sndcgan", "g_dc2", "g_dc5"
    if "generator/g_dc1/kernel" in weights:
        name, first, last = "dcgan", "g_dc1", "g_dc4"
    latent_size, flat = weights.shape("generator/g_fc1/kernel", 2)
    channels = weights.shape(f"generator/{first}/kernel", 4)[3]
    side = round((flat / channels) ** 0.5) * _ARCHITECTURES[name].times
    shape = ImageShape(weights.shape(f"generator/{last}/kernel", 4)[2], side)
    norm, classes = _find_norm(weights, "generator/g_bn2")
    return _Family(name, shape, channels, latent_size, norm, classes)


def _find_norm(weights: ForeignWeights, name: str) -> tuple[AbstractNorm, int]:
    """The norm at a place of G, and the number of labels that it reads."""
    if f"{name}/sbn/gamma/kernel" in weights:
        hidden = f"{name}/sbn/hidden/kernel"
        size = weights.shape(hidden, 2)[1] if hidden in weights else 0
        return SelfModulatedBatchNorm(hidden=size), 0
    if f"{name}/condition/gamma/kernel" in weights:
        return ConditionalBatchNorm(), weights.shape(f"{name}/condition/gamma/kernel", 2)[0]
    return BatchNorm(), 0


def _choose_specs(
    family: _Family, weights: ForeignWeights
) -> tuple[AbstractGeneratorConfig, AbstractDiscriminatorConfig]:
    """The settings of both networks."""
    found = _ARCHITECTURES.get(family.name)
    if found is None:
        raise UserError(f"{weights.path}: {family.name} pixels is no network of ours")
    width = family.channels / found.channels
    g: dict[str, Any] = {"latent_size": family.latent_size, "norm": family.norm, "width": width}
    d: dict[str, Any] = {}
    layers = ("d_conv1", "B0/same_conv1", "B1/same_conv1")
    kernels = [f"discriminator/{layer}/kernel" for layer in layers]
    if kernel := next((kernel for kernel in kernels if kernel in weights), None):
        d["width"] = weights.shape(kernel, 4)[3] / found.d_channels
        d["spectral"] = f"{kernel}/u_var" in weights
    if not found.times:
        g["spectral"] = "generator/B1/up_conv1/kernel/u_var" in weights
    if family.name.startswith("resnet_biggan"):
        theta = "non_local_block/conv2d_theta/kernel"
        g["attention"] = 64 if f"generator/{theta}" in weights else 0
        d["attention"] = 64 if f"discriminator/{theta}" in weights or not kernel else 0
        g["chunked"] = not family.norm.reads_nothing
        if "generator/embed_y/kernel" in weights:
            g["label_features"] = weights.shape("generator/embed_y/kernel", 2)[1]
    return found.generator(**g), found.discriminator(**d)
