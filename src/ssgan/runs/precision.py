"""The device and the precision of a run, with "auto" resolved."""

from typing import Literal

import torch
from torch import nn

from ssgan.types import UserError

Precision = Literal["auto", "float32", "bfloat16", "float64"]


def resolve_device(name: str) -> torch.device:
    """The device of that name; "auto" is the accelerator if there is one, else the CPU."""
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found if found is not None else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()  # copying back fails for "meta"
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device {name!r} cannot be used here: {reason}") from None
    return device


def resolve_precision(name: Precision, device: torch.device) -> Precision:
    """ "auto" is bfloat16 where the hardware multiplies it fast, else float32."""
    if name != "auto":
        return name
    if device.type == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    elif device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = False
    return "bfloat16" if fast else "float32"


def to_device(network: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The network on the device, with weights in channels-last memory format."""
    return network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def run_dtype(precision: str) -> torch.dtype:
    """The type of weights, images and losses: bfloat16 is used only inside the networks."""
    return torch.float64 if precision == "float64" else torch.float32
