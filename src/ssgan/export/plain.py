"""Networks in the plain operations that every program has, in float32.

Fast forms of our layers do not survive a conversion: ONNX has no average pooling with a divisor of
its own, and a converter drops it without a word. So every layer is replaced by one of `torch.nn`
that computes the same; the results are compared afterwards, each time (`compare`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ssgan.models.layers import Conv2d, Resample
from ssgan.ops.convolution import transpose_kernel
from ssgan.ops.spectral_norm import spectral_layers
from ssgan.runs.model_file import StoredModel
from ssgan.runs.sampling import load_discriminator, load_generator, sample_latents
from ssgan.types import Images, Labels, Latents, Scores

ROWS = 64  # latents, and images, on which a file is compared
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Graph:
    """A network for other programs, with an example of its inputs and outputs."""

    name: str  # "generator" or "discriminator"
    module: nn.Module  # called with the inputs in order
    inputs: dict[str, Tensor]  # by name, each of 64 rows
    outputs: dict[str, Tensor]  # of our own network


class PlainDiscriminator(nn.Module):
    """D with its outputs as a tuple: real [B], auxiliary [B, K] if K > 0, features [B, F]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Images, labels: Labels | None = None) -> tuple[Tensor, ...]:
        """The logits and the features of images in [-1, 1]."""
        scores = self.network(images, labels)
        return tuple(scores) if scores.auxiliary.shape[1] else (scores.real, scores.features)


class HalfGenerator(nn.Module):
    """G in float16; its inputs and outputs stay float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, latents: Latents, labels: Labels | None = None) -> Images:
        """Images in [-1, 1]."""
        images: Tensor = self.network(latents.half(), labels)
        return images.float()


def build_generator_graph(model: StoredModel) -> Graph:
    """The averaged G: latents [B, Z] float32, and labels [B] int64 if it is conditional."""
    network = load_generator(model, _CPU).float()
    spec = model.config.generator
    inputs = {"latents": sample_latents(spec, 0, "sample", ROWS)}
    if model.config.method.conditional:
        inputs["labels"] = torch.arange(ROWS) % model.num_classes
    with torch.no_grad():
        outputs = {"images": torch.cat([network(*part) for part in _split(inputs)])}
    return Graph("generator", make_plain(network), inputs, outputs)


def build_half_graph(model: StoredModel) -> Graph:
    """The averaged G in float16, with the outputs of the one in float32 to compare with."""
    graph = build_generator_graph(model)
    return replace(graph, module=HalfGenerator(graph.module))


def build_discriminator_graph(model: StoredModel, images: Images) -> Graph:
    """D: images [B, C, S, S] in [-1, 1] float32, and labels [B] int64 if it is conditional.

    It is compared on these images.
    """
    network = load_discriminator(model, _CPU).float()
    inputs = {"images": images}
    if model.config.method.conditional:
        inputs["labels"] = torch.arange(len(images)) % model.num_classes
    with torch.no_grad():
        parts = [network(*part) for part in _split(inputs)]
    scores = Scores(*(torch.cat(same) for same in zip(*parts, strict=True)))
    outputs = {name: value for name, value in scores._asdict().items() if value.shape[-1] > 0}
    return Graph("discriminator", PlainDiscriminator(make_plain(network)), inputs, outputs)


def _split(inputs: dict[str, Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """The inputs in parts of 8 rows, for attention takes much memory."""
    return zip(*(torch.split(value, 8) for value in inputs.values()), strict=True)


def make_plain(network: nn.Module) -> nn.Module:
    """The network itself, with plain layers and spectral norm divided out; it cannot be trained."""
    for layer in spectral_layers(network):
        weight = layer.effective_weight().detach()
        layer.weight = nn.Parameter(weight, requires_grad=False)
        layer.spectral_u = layer.spectral_v = None
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv2d):
                setattr(parent, name, _plain_convolution(child))
    return network.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload, no-any-return]


def _plain_convolution(layer: Conv2d) -> nn.Module:
    if layer.resample is Resample.UP_ZERO:
        kernel = transpose_kernel(layer.weight)
        inner, outer, size, _ = kernel.shape
        shape = (inner, outer, size, 2, layer.padding, 1)
        return _with_weights(nn.ConvTranspose2d(*shape), kernel, layer.bias)
    outer, inner, size, _ = layer.weight.shape
    plain = nn.Conv2d(inner, outer, size, layer.stride, layer.padding)
    _with_weights(plain, layer.weight, layer.bias)
    if layer.resample is Resample.DOWN:
        return nn.Sequential(plain, nn.AvgPool2d(2))
    if layer.resample is Resample.UP_NEAREST:
        return nn.Sequential(nn.Upsample(scale_factor=2), plain)
    if layer.resample is Resample.UP_BILINEAR:
        return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), plain)
    return plain


def _with_weights(
    layer: nn.Conv2d | nn.ConvTranspose2d,
    weight: Float[Tensor, "A B K K"],
    bias: Float[Tensor, " O"],
) -> nn.Module:
    layer.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    layer.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return layer
