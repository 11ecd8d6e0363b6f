"""Networks compared with a file or with the memory before they are built.

A few bytes of settings can ask for any width. On torch's meta device a network has shapes and no
content, so nothing is allocated.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ssgan.files.environment import memory_bytes
from ssgan.files.names import readable
from ssgan.runs.checkpoint import StoredNetworks
from ssgan.runs.config import RunConfig
from ssgan.runs.state import build_discriminator, build_generator
from ssgan.types import UserError

Build = Callable[[RunConfig, int], nn.Module]
BUILDERS: Mapping[str, Build] = {
    "generator": build_generator,
    "discriminator": build_discriminator,
    "generator_ema": build_generator,
}
_TOO_LARGE = ("overflow", "too large", "too big")  # said by torch
# Bytes of a weight in a checkpoint, which is made in memory: float32, with two moments of Adam; G
# also has its average.
_BYTES_G, _BYTES_D = 4 * 4, 3 * 4


class _NothingDrawn(TorchFunctionMode):
    """Leaves out initial content: to draw it, the meta device would load SymPy, which is slow."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in ("normal_", "uniform_", "trunc_normal_"):
            return args[0] if args else kwargs["tensor"]
        if name in ("randn_like", "rand_like", "zeros_like", "ones_like", "empty_like"):
            return torch.empty(args[0].shape, dtype=args[0].dtype)
        return func(*args, **(kwargs or {}))


def require_shapes(checkpoint: StoredNetworks, name: str) -> None:
    """Raise UserError unless the tensors of that name fit the network of the settings.

    Nothing is allocated, so it costs milliseconds for settings of any size.
    """
    stored = checkpoint.tensors.get(name)
    if not isinstance(stored, dict):
        raise UserError(f"{checkpoint.path} does not fit {name}: it has no such table")
    wanted = shapes(BUILDERS[name], checkpoint.config, checkpoint.num_classes)
    if wanted is None:
        return
    for key in sorted({*wanted, *stored}, key=str):
        tensor = stored.get(key)
        found = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else None
        if found != wanted.get(key):
            raise UserError(
                f"{checkpoint.path} does not fit {name}: its settings ask for "
                f"{readable(str(key))} of shape {_words(wanted.get(key))}, and it holds "
                f"{_words(found)}"
            )


def require_memory(config: RunConfig, num_classes: int) -> None:
    """Raise UserError when a run of these settings cannot be in this machine's memory.

    Counted are a checkpoint, the pixels of one part of a batch, and the latents of an evaluation:
    less than any run needs.
    """
    memory, data = memory_bytes(), config.data
    if memory is None:
        return
    needed = {
        "generator": _BYTES_G * _numbers(build_generator, config, num_classes),
        "discriminator": _BYTES_D * _numbers(build_discriminator, config, num_classes),
        "batch_size": config.batch_size // config.accumulation * data.image_size**2 * data.channels,
    }
    if config.evaluate.every:
        needed["evaluate.images"] = 4 * config.evaluate.images * config.generator.latent_size
    largest = max(needed, key=lambda name: needed[name])
    total = sum(needed.values())
    if total > memory:
        raise UserError(
            f"this run needs more than {total / 1e9:,.0f} GB, and this machine has "
            f"{memory / 1e9:,.0f} GB of memory: most of it is for {largest}"
        )


def shapes(build: Build, config: RunConfig, num_classes: int) -> dict[str, tuple[int, ...]] | None:
    """The shape of every tensor of a network; None for one that cannot be built without content.

    Raises UserError for settings that no network has.
    """
    try:
        with torch.device("meta"), _NothingDrawn(), torch.random.fork_rng(devices=[]):
            state = build(config, num_classes).state_dict()
    except UserError:
        raise
    except Exception as error:  # of somebody's own network, which may need content
        if any(word in str(error).lower() for word in _TOO_LARGE):
            raise UserError(
                "the networks of these settings have more weights than can be counted: "
                "give a smaller width, latent_size or image_size"
            ) from None
        return None
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _numbers(build: Build, config: RunConfig, num_classes: int) -> int:
    found = shapes(build, config, num_classes) or {}
    return sum(torch.Size(shape).numel() for shape in found.values())


def _words(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else " x ".join(map(str, shape)) or "a single number"
