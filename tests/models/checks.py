"""What the tests of several network families share."""

import torch
from torch.nn import functional as F

from ssgan.models.layers import Conv2d


def parameter_count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def use_plain_form(network):
    """Compute every convolution by the plain operations, one after the other."""
    for module in network.modules():
        if isinstance(module, Conv2d):
            module.fused = False


def livened(network):
    """In float64, with all numbers far from zero, so that a lost term shows."""
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        else:
            parameter.data.add_(0.3 * torch.randn_like(parameter))
    return network.double()


def outputs_and_gradients(network, *inputs):
    """The outputs, and the gradients of a fixed functional of them in inputs and weights."""
    network.zero_grad()
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    outputs = network(*inputs)
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    total = torch.zeros((), dtype=torch.float64)
    for output in outputs:
        weights = torch.linspace(-1, 2, output.numel(), dtype=torch.float64)
        total = total + (output.flatten() * weights).sum()
    total.backward()
    gradients = [x.grad for x in inputs if x.is_floating_point()]
    return outputs + gradients + [parameter.grad for parameter in network.parameters()]


def assert_all_close(ours, theirs):
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        scale = max(1.0, their.abs().max().item())
        torch.testing.assert_close(our / scale, their / scale, atol=1e-10, rtol=0)


def convolved(module, x):
    """The module's convolution that keeps the size, with torch's own function."""
    return F.conv2d(x, module.weight, module.bias, padding=module.weight.shape[-1] // 2)


def normed(module, x):
    """ReLU of a plain batch norm in training mode, with torch's own function."""
    return F.relu(F.batch_norm(x, None, None, module.gain, module.shift, training=True))


def zeros_inserted(x):
    """Twice the size: every value at the top left of four, the others zero."""
    squares = F.pad(x[:, :, :, None, :, None], (0, 1, 0, 0, 0, 1))  # B C H 2 W 2
    return squares.flatten(4).flatten(2, 3)
