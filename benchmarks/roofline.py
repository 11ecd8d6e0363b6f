"""How fast a step could be: its convolutions each alone, and a large matrix product.

Every convolution of a step is recorded with its shapes and done again alone, warmed up, channels
last, in the type it had. The sum over the step is the time that the convolutions need; the
highest rate among them and the matrix product's is the ceiling in GFLOP/s. Convolutions of
`ssgan.ops.kernels.amx` are recorded too.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import timed, times_of
from ssgan.ops.kernels import amx  # defines the two operations

_CONVOLUTION = torch.ops.aten.convolution.default
_BACKWARD = torch.ops.aten.convolution_backward.default
_TRANSPOSED = torch.ops.ssgan.convolve_transposed
_WEIGHT_GRADIENT = torch.ops.ssgan.convolution_weight_gradient


@dataclass(frozen=True)
class Call:
    """One kind of call: equal calls take equal time."""

    kind: str  # forward, input gradient, weight gradient
    shapes: tuple[tuple[int, ...], ...]  # input, weight; the output's gradient before them if any
    dtype: torch.dtype
    bias: int  # its length; 0: none
    settings: tuple[Any, ...]  # stride, padding, dilation, transposed, output padding, groups
    ours: bool = False  # computed by `amx`, whose settings follow its tensors

    def action(self, device: torch.device) -> Callable[[], object]:
        """The call with tensors of its own."""
        made = [_maps(shape, self.dtype, device) for shape in self.shapes]
        if self.ours and self.kind == "forward":
            bias = torch.zeros(self.bias) if self.bias else None
            return lambda: amx.convolve_transposed(*made, bias, *self.settings)
        if self.ours:
            return lambda: amx.convolution_weight_gradient(*made, *self.settings)
        if self.kind == "forward":
            bias = torch.zeros(self.bias, dtype=self.dtype, device=device) if self.bias else None
            return lambda: _CONVOLUTION(*made, bias, *self.settings)
        by_input = self.kind == "input gradient"
        mask = [by_input, not by_input, not by_input and bool(self.bias)]
        sizes = [self.bias] if self.bias else None
        return lambda: _BACKWARD(*made, sizes, *self.settings, mask)


class ConvolutionCounter(TorchDispatchMode):
    """Within, counts every convolution call by its kind."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Call] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if function is _CONVOLUTION:
            self._count("forward", args[:2], args[2], args[3:])
        elif function is _BACKWARD:
            *settings, mask = args[4:]
            if mask[0]:
                self._count("input gradient", args[:3], None, settings)
            if mask[1]:
                bias = args[3] if mask[2] else None
                self._count("weight gradient", args[:3], bias, settings)
        elif function is _TRANSPOSED.default:
            self._count("forward", args[:2], args[2], args[3:], ours=True)
        elif function is _WEIGHT_GRADIENT.default:
            self._count("weight gradient", args[:2], None, args[2:], ours=True)
        return function(*args, **(kwargs or {}))

    def _count(
        self,
        kind: str,
        tensors: Any,
        bias: Tensor | list[int] | None,
        rest: Any,
        ours: bool = False,
    ) -> None:
        length = 0 if bias is None else int(bias[0]) if isinstance(bias, list) else len(bias)
        shapes = tuple(tuple(tensor.shape) for tensor in tensors)
        settings = tuple(tuple(s) if isinstance(s, list) else s for s in rest)
        self.calls[Call(kind, shapes, tensors[0].dtype, length, settings, ours)] += 1


def convolutions_of(step: Callable[[], object]) -> Counter[Call]:
    """How often each kind of call occurs in one step."""
    with ConvolutionCounter() as counter:
        step()
    return counter.calls


def layer_rows(calls: Counter[Call], device: torch.device, repeats: int) -> list[dict[str, Any]]:
    """Each kind of call alone, the costliest first: seconds a call and rate."""
    rows = []
    for call, count in calls.items():
        action = call.action(device)
        with FlopCounterMode(display=False) as flops:
            action()
        seconds = times_of(lambda do=action: timed(do, device), repeats).minimum
        rows.append(
            {
                "call": f"{call.kind}, ours" if call.ours else call.kind,
                "input": "x".join(map(str, call.shapes[0 if call.ours else -2])),
                **_form_of(call),
                "count": count,
                "seconds": seconds,
                "gigaflop": flops.get_total_flops() / 1e9,
                "gigaflop_per_second": flops.get_total_flops() / 1e9 / seconds,
            }
        )
    return sorted(rows, key=lambda row: -row["seconds"] * row["count"])


def _form_of(call: Call) -> dict[str, Any]:
    weight, settings = call.shapes[-1], call.settings
    if not call.ours:
        stride, transposed = settings[0][0], settings[3]
    elif call.kind == "forward":
        stride, transposed = settings[0], True
    else:
        images, gradient = call.shapes
        weight = (gradient[1], images[1], settings[0], settings[0])
        stride, transposed = settings[1], False
    return {"weight": "x".join(map(str, weight)), "stride": stride, "transposed": transposed}


def matrix_product(side: int, dtype: torch.dtype, device: torch.device) -> Callable[[], object]:
    """A product of two square matrices, to be done any number of times."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return lambda: a @ b


def ceiling_row(
    step: Callable[[], object], device: torch.device, repeats: int, matrix: float
) -> dict[str, Any]:
    """The ceilings of a step, and the layers they come from; `matrix` is a product's GFLOP/s."""
    layers = layer_rows(convolutions_of(step), device, repeats)
    kinds: Counter[str] = Counter()
    for row in layers:
        kinds[row["call"]] += row["seconds"] * row["count"]
    return {
        "convolution_seconds": sum(kinds.values()),
        "convolution_seconds_by_call": dict(kinds),
        "ceiling_gigaflop_per_second": max(matrix, *(r["gigaflop_per_second"] for r in layers)),
        "layers": layers,
    }


def _maps(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    maps = torch.randn(shape, device=device).to(dtype)
    return maps.contiguous(memory_format=torch.channels_last)
