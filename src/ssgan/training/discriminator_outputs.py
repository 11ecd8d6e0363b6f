"""The outputs of D on fixed images, and the spectral norms of a network's weights."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ssgan.methods.base import Method
from ssgan.ops.rotation import NUM_ROTATIONS, rotated_copies, rotation_labels
from ssgan.ops.spectral_norm import SpectralLayer, as_matrix
from ssgan.types import Images, Labels


class DiscriminatorOutputs(NamedTuple):
    """D's outputs on N images, on the CPU in float32."""

    real: Float[Tensor, " N"]  # logit of "this is a real image", upright
    features: Float[Tensor, "N F"]  # the input of both heads, upright
    # share of an image's four rotations recognised; None: no rotation task
    rotation_correct: Float[Tensor, " N"] | None


@torch.no_grad()
def compute_outputs(
    discriminator: nn.Module, method: Method, batches: Iterable[tuple[Tensor, Tensor | None]]
) -> DiscriminatorOutputs:
    """The outputs on batches of images [B, C, S, S] in [-1, 1] with labels [B] where D needs them.

    D must be in evaluation mode; batches may be of different sizes.
    """
    weight = next(discriminator.parameters())
    parts = [
        _outputs_of_batch(
            discriminator,
            method,
            images.to(weight.device, weight.dtype).contiguous(memory_format=torch.channels_last),
            None if labels is None else labels.to(weight.device),
        )
        for images, labels in batches
    ]
    correct = [part.rotation_correct for part in parts if part.rotation_correct is not None]
    return DiscriminatorOutputs(
        torch.cat([part.real for part in parts]),
        torch.cat([part.features for part in parts]),
        torch.cat(correct) if correct else None,
    )


def _outputs_of_batch(
    discriminator: nn.Module, method: Method, images: Images, labels: Labels | None
) -> DiscriminatorOutputs:
    upright = discriminator(images, labels)
    correct = None
    if method.predicts_rotation:
        repeated = None if labels is None else labels.repeat(NUM_ROTATIONS - 1)
        rotated = discriminator(rotated_copies(images), repeated)
        logits = torch.cat([upright.auxiliary, rotated.auxiliary])
        predicted = method.rotation_logits(logits).argmax(dim=1)
        right = predicted == rotation_labels(len(images), predicted.device)
        correct = right.view(NUM_ROTATIONS, -1).float().mean(dim=0).cpu()
    return DiscriminatorOutputs(upright.real.float().cpu(), upright.features.float().cpu(), correct)


class Norms(NamedTuple):
    """The largest spectral norm of any weight of a network."""

    effective: float  # of the weights used in the forward pass: about 1 with spectral norm
    raw: float  # of the weights that the optimizer updates


@torch.no_grad()
def largest_norms(network: nn.Module) -> Norms:
    """Exact, over all weights with two axes or more, as matrices of the first axis and the rest."""
    pairs = [(_norm(effective), _norm(raw)) for effective, raw in _weights(network)]
    return Norms(max(pair[0] for pair in pairs), max(pair[1] for pair in pairs))


def _weights(network: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
    for module in network.modules():
        if isinstance(module, SpectralLayer):
            yield module.effective_weight(), module.weight
            continue
        for weight in module.parameters(recurse=False):
            if weight.ndim > 1:
                yield weight, weight


def _norm(weight: Tensor) -> float:
    """The root of the largest eigenvalue of the smaller of W W' and W' W, in float64."""
    matrix = as_matrix(weight.detach()).cpu().double()
    small = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    if not small.isfinite().all():
        return float("nan")
    return float(torch.linalg.eigvalsh(small @ small.T)[-1].clamp(min=0).sqrt())
