"""Of one rank the batch norm over ranks is PyTorch's; that of several is in tests/training."""

import pytest
import torch
from torch.nn import functional as F

from ssgan.ops.batch_norm import batch_norm_over_ranks


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_in_bfloat16_gradients_are_rounded_once_as_in_pytorch(layout):
    """Statistics, gain and shift are in float32, as under autocast; upstream has a large mean."""
    torch.manual_seed(0)
    shape, rows = (16, 8, 6, 6), {"dtype": torch.bfloat16, "memory_format": layout}
    inputs, upstream = (torch.randn(shape).add(3).to(**rows) for _ in range(2))
    exact = inputs.double().requires_grad_()
    F.batch_norm(exact, None, None, None, None, True).backward(upstream.double())

    def error(norm):
        ours = inputs.clone().requires_grad_()
        gain, shift = torch.ones(8, requires_grad=True), torch.zeros(8, requires_grad=True)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = norm(ours, torch.zeros(8), torch.ones(8), gain, shift)
        outputs.backward(upstream)
        assert outputs.dtype == ours.grad.dtype == torch.bfloat16
        assert outputs.is_contiguous(memory_format=layout)
        return (ours.grad - exact.grad).square().mean().sqrt()

    plain = error(lambda *given: F.batch_norm(*given, True, 0.1, 1e-5))
    assert error(lambda *given: batch_norm_over_ranks(*given, 0.1, 1e-5)) < 1.1 * plain
