"""The variables of google/compare_gan, layer by layer, as tensors of ours.

dense kernel         [inputs, outputs] transposed; of label embeddings as it is
convolution          [rows, columns, inputs, outputs] to [outputs, inputs, rows, columns]
transposed           [rows, columns, outputs, inputs] to [inputs, outputs, rows, columns];
convolution          with stride 1 it is a convolution with the kernel rotated by 180 degrees
statistics           `moving_mean`, or `accu_mean` divided by `accu_counter`; the epsilon of
                     batch norm is 1e-5, as in all published settings
`u_var`              one power iteration, as every forward of compare_gan does first
"""

from collections.abc import Callable
from itertools import count
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from ssgan.ops.spectral_norm import as_matrix
from ssgan.runs.foreign_weights import ForeignWeights, iterate_vectors
from ssgan.types import UserError

Tables: TypeAlias = dict[str, Tensor]
_Layout: TypeAlias = Callable[[Tensor], Tensor]  # from a kernel there to a weight here
_ATTENTION = {"theta": "query", "phi": "key", "g": "value", "attn_g": "out"}


def convert_generator(weights: ForeignWeights) -> Tables:
    """The state dict of the generator; raises UserError for variables of another kind."""
    tables: Tables = {}
    if "generator/fc_noise/kernel" in weights:
        _take_layer(weights, "generator/fc_noise", "first", tables, _transpose)
        _take_blocks(weights, "generator", tables)
        _take_norm(weights, "generator/final_norm", "norm", tables)
        _take_layer(weights, "generator/final_conv", "last", tables, _convolution)
        if "generator/embed_y/kernel" in weights:
            _take_layer(weights, "generator/embed_y", "embedding", tables, _as_it_is)
    else:
        _take_layer(weights, "generator/g_fc1", "first", tables, _transpose)
        _take_convolutional(weights, tables)
    weights.require_all_taken("a generator that can be imported")
    return tables


def convert_discriminator(weights: ForeignWeights) -> Tables:
    """The state dict of the discriminator, with its rotation head where there is one."""
    tables: Tables = {}
    if "discriminator/d_conv1/kernel" in weights:
        for number in count():
            if f"discriminator/d_conv{number + 1}/kernel" not in weights:
                break
            name = f"discriminator/d_conv{number + 1}"
            _take_layer(weights, name, f"convs.{number}", tables, _convolution)
    else:
        _take_blocks(weights, "discriminator", tables)
    names = ("disc_final_fc", "final_fc", "d_fc1", "d_fc4")
    name = next((name for name in names if f"discriminator/{name}/kernel" in weights), names[0])
    _take_layer(weights, f"discriminator/{name}", "heads.real", tables, _transpose)
    rotation, projection = "discriminator_rotation/score_classify", "discriminator/embedding_fc"
    if f"{projection}/kernel" in weights:
        _take_layer(weights, projection, "heads.projection", tables, _as_it_is)
    if f"{rotation}/kernel" in weights:
        _take_layer(weights, rotation, "heads.auxiliary", tables, _transpose)
    weights.require_all_taken("a discriminator that can be imported")
    return tables


def find_scaled(weights: ForeignWeights, block: str, conv: str) -> str:
    """The full name of a block's convolution, by its resampling; empty if there is none."""
    names = (f"{block}{scale}_{conv}" for scale in ("up", "same", "down"))
    return next((name for name in names if f"{name}/kernel" in weights), "")


def _take_blocks(weights: ForeignWeights, part: str, tables: Tables) -> None:
    """All residual blocks, numbered from 0 or 1, and the attention between them."""
    first = 0 if find_scaled(weights, f"{part}/B0/", "conv1") else 1
    for number in count():
        block, into = f"{part}/B{first + number}/", f"blocks.{number}"
        if not find_scaled(weights, block, "conv1"):
            break
        for theirs, ours in (("conv1", "conv1"), ("conv2", "conv2"), ("conv_shortcut", "shortcut")):
            if name := find_scaled(weights, block, theirs):
                _take_layer(weights, name, f"{into}.{ours}", tables, _convolution)
        for norm in "12" if part == "generator" else "":
            _take_norm(weights, f"{block}bn{norm}", f"{into}.norm{norm}", tables)
    attention = f"{part}/non_local_block"
    if f"{attention}/sigma" in weights:
        tables["attention.sigma"] = weights.take(f"{attention}/sigma")
        for theirs, ours in _ATTENTION.items():
            name = f"{attention}/conv2d_{theirs}"
            _take_layer(weights, name, f"attention.{ours}", tables, _pointwise)


def _take_convolutional(weights: ForeignWeights, tables: Tables) -> None:
    """The layers after the first one of dcgan's or sndcgan's generator."""
    is_dcgan = "generator/g_dc1/kernel" in weights
    norms = ["norms.0" if is_dcgan else "first_norm"]
    norms += [f"norms.{number}" for number in ((1, 2, 3) if is_dcgan else (0, 1, 2))]
    for number, into in enumerate(norms, start=1):
        _take_norm(weights, f"generator/g_bn{number}", into, tables)
    for number in range(4 if is_dcgan else 3):
        name = f"generator/g_dc{number + (1 if is_dcgan else 2)}"
        _take_layer(weights, name, f"convs.{number}", tables, _convolution)  # the same axes
    if not is_dcgan:
        _take_layer(weights, "generator/g_dc5", "last", tables, _rotated_convolution)


def _take_norm(weights: ForeignWeights, name: str, into: str, tables: Tables) -> None:
    if f"{name}/accu/accu_mean" in weights:
        number = weights.take(f"{name}/accu/accu_counter").clamp(min=1e-12)
        found = [weights.take(f"{name}/accu/accu_{which}") for which in ("mean", "variance")]
        mean, variance = (value / number for value in found)
    else:
        mean, variance = (weights.take(f"{name}/moving_{which}") for which in ("mean", "variance"))
    tables[f"{into}.statistics.running_mean"] = mean
    tables[f"{into}.statistics.running_var"] = variance
    if f"{name}/sbn/gamma/kernel" in weights:
        for theirs, ours in (("hidden", "hidden"), ("gamma", "gain"), ("beta", "shift")):
            if f"{name}/sbn/{theirs}/kernel" in weights:
                _take_layer(weights, f"{name}/sbn/{theirs}", f"{into}.{ours}", tables, _transpose)
        return
    layout = _transpose if "generator/embed_y/kernel" in weights else _as_it_is
    for theirs, ours in (("gamma", "gain"), ("beta", "shift")):
        if f"{name}/condition/{theirs}/kernel" in weights:
            _take_layer(weights, f"{name}/condition/{theirs}", f"{into}.{ours}", tables, layout)
        else:
            tables[f"{into}.{ours}"] = weights.take(f"{name}/{theirs}")


def _take_layer(
    weights: ForeignWeights, name: str, into: str, tables: Tables, layout: _Layout
) -> None:
    """A kernel, its bias if any, and its singular vectors if it has spectral norm."""
    kernel = weights.take(f"{name}/kernel")
    try:
        weight = layout(kernel).contiguous()
    except (RuntimeError, IndexError):
        shape = list(kernel.shape)
        raise UserError(f"{weights.path}: {name}/kernel has the shape {shape}") from None
    tables[f"{into}.weight"] = weight
    if f"{name}/bias" in weights:
        tables[f"{into}.bias"] = weights.take(f"{name}/bias")
    if f"{name}/kernel/u_var" not in weights:
        return
    stored = weights.take(f"{name}/kernel/u_var")
    inputs, outputs = kernel[..., 0].numel(), kernel.shape[-1]
    is_column = tuple(stored.shape) == (inputs, 1)  # one number per input there
    if not is_column and tuple(stored.shape) != (1, outputs):
        raise UserError(f"{weights.path}: {name}/kernel/u_var has the shape {list(stored.shape)}")
    if is_column != (layout is _as_it_is):  # per input here, too
        v = stored.flatten()
        if is_column:
            v = layout(stored.reshape(*kernel.shape[:-1], 1)).flatten()
        u = F.normalize(torch.mv(as_matrix(weight), v), dim=0)
        vectors = {
            "spectral_u": u,
            "spectral_v": F.normalize(torch.mv(as_matrix(weight).T, u), dim=0),
        }
    else:
        vectors = iterate_vectors(weight, stored)
    tables |= {f"{into}.{key}": value for key, value in vectors.items()}


def _transpose(kernel: Tensor) -> Tensor:
    return kernel.permute(1, 0)


def _as_it_is(kernel: Tensor) -> Tensor:
    return kernel


def _convolution(kernel: Tensor) -> Tensor:
    return kernel.permute(3, 2, 0, 1)


def _rotated_convolution(kernel: Tensor) -> Tensor:
    """What a transposed convolution with stride 1 is; the kernel has outputs before inputs."""
    return kernel.permute(2, 3, 0, 1).flip(2, 3)


def _pointwise(kernel: Tensor) -> Tensor:
    return kernel[0, 0].permute(1, 0)
