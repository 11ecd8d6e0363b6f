"""The tables of `amx.c`, used by plain float64 products, against PyTorch's convolutions."""

import pytest
import torch
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from ssgan.ops.kernels.amx_tables import TILE, gradient_tables, spread_tables

# height, width, kernel, stride, padding: of every network's layers, and of awkward sides
CONVOLUTIONS = [
    *[(8, 8, 3, 1, 1), (4, 7, 3, 1, 1), (2, 2, 3, 1, 1), (9, 5, 1, 1, 0), (6, 6, 1, 2, 0)],
    *[(8, 6, 4, 1, 1), (7, 5, 3, 1, 0), (5, 6, 3, 1, 2)],
    *[(9, 9, 4, 2, 0), (9, 5, 2, 2, 0), (8, 8, 3, 3, 0), (11, 9, 3, 3, 1)],  # rest at the edge
    *[(17, 13, 3, 2, 0), (16, 20, 3, 2, 1), (16, 6, 4, 2, 1), (12, 12, 5, 2, 1), (13, 9, 5, 2, 2)],
]


def gather(image, source):
    """[C, pixels] to [C, positions], zeros where there is no pixel."""
    padded = torch.cat([image, image.new_zeros(len(image), 1)], 1)
    return padded[:, source.long()]  # -1 is the last one


@pytest.mark.parametrize(("height", "width", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_a_transposed_convolution_by_its_tables_is_pytorch_s(
    height, width, kernel, stride, padding
):
    torch.manual_seed(0)
    rows, columns = ((s + 2 * padding - kernel) // stride + 1 for s in (height, width))
    rest = tuple((s + 2 * padding - kernel) % stride for s in (height, width))
    image = torch.randn(3, rows, columns, dtype=torch.float64)
    weight = torch.randn(3, 2, kernel, kernel, dtype=torch.float64)
    tables = spread_tables(rows, columns, kernel, stride, padding, rest)
    assert (tables.out_height, tables.out_width) == (height, width)
    grid = F.pad(gather(image.flatten(1), tables.source), (0, 1))
    taps = weight.flatten(2)[..., tables.order]
    found = torch.full((2, height * width), torch.nan, dtype=torch.float64)
    for phase, targets in enumerate(tables.targets):
        total = torch.zeros(2, len(targets), dtype=torch.float64)
        for tap in range(tables.first[phase], tables.first[phase + 1]):
            begin = tables.origin + int(tables.offsets[tap])
            total += taps[..., tap].T @ grid[:, begin : begin + len(targets)]
        found[:, targets[targets >= 0].long()] = total[:, targets >= 0]
    expected = F.conv_transpose2d(image[None], weight, None, stride, padding, rest)[0]
    torch.testing.assert_close(found.view_as(expected), expected)


@pytest.mark.parametrize(("height", "width", "kernel", "stride", "padding"), CONVOLUTIONS)
def test_a_weight_s_gradient_by_its_tables_is_pytorch_s(height, width, kernel, stride, padding):
    torch.manual_seed(0)
    image = torch.randn(3, height, width, dtype=torch.float64)
    shape = (2, *((s + 2 * padding - kernel) // stride + 1 for s in (height, width)))
    gradient = torch.randn(shape, dtype=torch.float64)
    tables = gradient_tables(height, width, kernel, stride, padding)
    assert tables.targets.shape[1] % TILE == 0
    grids = [gather(image.flatten(1), source) for source in tables.sources]
    rows = [gather(gradient.flatten(1), targets) for targets in tables.targets]
    found = torch.stack(
        [
            rows[odd] @ grids[phase][:, offset - odd : offset - odd + len(rows[0].T)].T
            for phase, offset in zip(tables.tap_phase, tables.offsets, strict=True)
            for odd in (int(offset % 2),)
        ],
        -1,
    )
    expected = conv2d_weight(image[None], (2, 3, kernel, kernel), gradient[None], stride, padding)
    torch.testing.assert_close(found.view_as(expected), expected)
