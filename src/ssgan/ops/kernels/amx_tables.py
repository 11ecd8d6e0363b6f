"""Where the pixels of a map are in the grids of `amx.c`.

A grid numbers positions row by row and has zeros at its borders, so that each tap of a kernel is a
constant offset of the position. With stride 2 a map is split into phases, by odd and even row and
column; every phase is a grid of half the size. Taps are in the order of the kernel, row by row.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

TILE = 32  # positions that a product of tiles takes or gives


@dataclass(frozen=True)
class SpreadTables:
    """Those of a transposed convolution: one grid of its inputs, its outputs by phases."""

    out_height: int
    out_width: int
    order: Tensor  # [taps], the taps of phase 0, then of phase 1, ...
    first: Tensor  # [phases + 1], where the taps of each phase begin
    offsets: Tensor  # [taps], in that order
    source: Tensor  # [size], the pixel at each position of the grid, or -1
    origin: int  # the position of the first output
    targets: Tensor  # [phases, positions], the output's pixel, or -1


@lru_cache(maxsize=256)
def spread_tables(
    height: int, width: int, kernel: int, stride: int, padding: int, output_padding: tuple[int, int]
) -> SpreadTables:
    """For inputs of height x width pixels."""
    more = (kernel - 1) // stride  # rows of outputs beyond the inputs'
    out_height, out_width = (
        (side - 1) * stride + kernel - 2 * padding + beyond
        for side, beyond in zip((height, width), output_padding, strict=True)
    )
    rows, columns = (  # and those that only output padding asks for
        max(side + more, (out - 1 + padding) // stride + 1)
        for side, out in ((height, out_height), (width, out_width))
    )
    origin = more * columns + more
    source = _none(origin + rows * columns + 1)
    source[origin:-1].view(rows, columns)[:height, :width] = _numbers(height, width)
    order, first, offsets, targets = [], [0], [], []
    for row, column in _pairs(stride):
        for tap_row in range(row, kernel, stride):
            for tap_column in range(column, kernel, stride):
                order.append(tap_row * kernel + tap_column)
                offsets.append(-(tap_row // stride * columns + tap_column // stride))
        first.append(len(order))
        target_rows = torch.arange(rows) * stride + row - padding
        target_columns = torch.arange(columns) * stride + column - padding
        targets.append(_pixels(target_rows, target_columns, out_height, out_width).flatten())
    return SpreadTables(
        out_height,
        out_width,
        torch.tensor(order),
        _integers(first),
        _integers(offsets),
        source,
        origin,
        torch.stack(targets),
    )


@dataclass(frozen=True)
class GradientTables:
    """Those of a weight's gradient: the inputs' grids by phases, and the outputs' positions."""

    sources: Tensor  # [phases, width], the pixel at each position, or -1
    tap_phase: Tensor  # [taps], the phase that a tap reads
    offsets: Tensor  # [taps], by how many positions
    targets: Tensor  # [moves, step], the output's pixel at each position, or -1; with moves 2 the
    # second row is one position later, for odd offsets; step is a multiple of TILE


@lru_cache(maxsize=256)
def gradient_tables(
    height: int, width: int, kernel: int, stride: int, padding: int
) -> GradientTables:
    """For inputs of height x width pixels of a convolution."""
    out_height, out_width = ((s + 2 * padding - kernel) // stride + 1 for s in (height, width))
    more = (kernel - 1) // stride
    # zeros at the right of a row are those at the left of the next one, where both are there
    columns = out_width + (padding if stride == 1 and 2 * padding == kernel - 1 else more)
    rows = out_height + more
    sources = _none(stride * stride, _round_up(rows * columns + more) + TILE)
    for phase, (row, column) in enumerate(_pairs(stride)):
        source_rows = torch.arange(rows) * stride + row - padding
        source_columns = torch.arange(columns) * stride + column - padding
        pixels = _pixels(source_rows, source_columns, height, width).flatten()
        sources[phase, : len(pixels)] = pixels
    targets = _none(2 if kernel > 1 else 1, _round_up(out_height * columns))
    seen = targets[0, : out_height * columns].view(out_height, columns)
    seen[:, :out_width] = _numbers(out_height, out_width)
    targets[1:, 1:] = targets[0, :-1]  # the last position is never a pixel
    taps = _pairs(kernel)
    return GradientTables(
        sources,
        _integers([row % stride * stride + column % stride for row, column in taps]),
        _integers([row // stride * columns + column // stride for row, column in taps]),
        targets,
    )


def _pixels(rows: Tensor, columns: Tensor, height: int, width: int) -> Tensor:
    """The number of the pixel at every row and column, or -1 outside of height x width."""
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    return torch.where(inside, rows[:, None] * width + columns, -1).to(torch.int32)


def _numbers(height: int, width: int) -> Tensor:
    return torch.arange(height * width, dtype=torch.int32).view(height, width)


def _none(*shape: int) -> Tensor:
    return torch.full(shape, -1, dtype=torch.int32)


def _integers(values: list[int]) -> Tensor:
    return torch.tensor(values, dtype=torch.int32)


def _pairs(count: int) -> list[tuple[int, int]]:
    return [(row, column) for row in range(count) for column in range(count)]


def _round_up(count: int) -> int:
    return -(-count // TILE) * TILE
