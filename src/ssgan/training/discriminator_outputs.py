"""What D says of fixed images between two steps, and the norms of a network's weights."""

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
    """D's answers on N images, on the CPU in float32."""

    real: Float[Tensor, " N"]  # logit of "this is a real image", upright
    features: Float[Tensor, "N F"]  # what both heads read, upright
    rotation_correct: (
        Float[Tensor, " N"] | None
    )  # share of an image's four turns recognised; None: no task


@torch.no_grad()
def compute_outputs(
    discriminator: nn.Module, method: Method, batches: Iterable[tuple[Tensor, Tensor | None]]
) -> DiscriminatorOutputs:
    """Ask D, in evaluation mode, about batches of images in [-1, 1] with the labels it needs.

    Batches [B, C, S, S] and [B] may be of different sizes.
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
    told = [part.rotation_correct for part in parts if part.rotation_correct is not None]
    return DiscriminatorOutputs(
        torch.cat([part.real for part in parts]),
        torch.cat([part.features for part in parts]),
        torch.cat(told) if told else None,
    )


def _outputs_of_batch(
    discriminator: nn.Module, method: Method, images: Images, labels: Labels | None
) -> DiscriminatorOutputs:
    upright = discriminator(images, labels)
    told = None
    if method.predicts_rotation:
        repeated = None if labels is None else labels.repeat(NUM_ROTATIONS - 1)
        turned = discriminator(rotated_copies(images), repeated)
        logits = torch.cat([upright.auxiliary, turned.auxiliary])
        guesses = method.rotation_logits(logits).argmax(dim=1)
        right = guesses == rotation_labels(len(images), guesses.device)
        told = right.view(NUM_ROTATIONS, -1).float().mean(dim=0).cpu()
    return DiscriminatorOutputs(upright.real.float().cpu(), upright.features.float().cpu(), told)


class Norms(NamedTuple):
    """The largest singular value in any weight of a network."""

    effective: float  # of the weights it computes with: about 1 where all layers are normed
    raw: float  # of the weights that the optimizer moves


@torch.no_grad()
def largest_norms(network: nn.Module) -> Norms:
    """Exact, over every weight with two axes or more, its first axis against all others."""
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
