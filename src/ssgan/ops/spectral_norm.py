"""Spectral normalisation: a weight divided by its largest singular value.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018.

    sigma = u' W v      W reshaped to [first axis, all others]; u, v unit vectors, constants
    effective weight = W / sigma

u and v follow the singular vectors by power iteration. Here they move in `advance_spectral_norm`
and nowhere else: a forward pass, in training or evaluation, changes nothing. So all forwards
between two updates see one weight, and evaluating a network cannot move it. The official SS-GAN
code does one iteration in every forward of D instead.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.types import Scalar

FIRST_ITERATIONS = 15
_EPSILON = 1e-12  # of the vectors' norms, as in the official code


class SpectralLayer(nn.Module):
    """A layer with a `weight` that may be spectrally normed: a base for layers, not for networks.

    A subclass sets `weight`, initialises it, then calls `start_spectral_norm`. Its forward uses
    `effective_weight()`. `spectral_u` and `spectral_v` are float32 buffers, or None when the
    layer is not normed.
    """

    weight: nn.Parameter
    spectral_u: Tensor | None
    spectral_v: Tensor | None

    def start_spectral_norm(self, spectral: bool) -> None:
        """Draw u from torch's global generator and iterate 15 times on the initial weight.

        The official code starts at one iteration, torch.nn.utils.parametrizations at 15: with
        fewer the first updates see a sigma that is too small, and so weights above norm 1.
        """
        u = v = None
        if spectral:
            matrix = as_matrix(self.weight.detach())
            u, v = torch.randn_like(matrix[:, 0]), torch.zeros_like(matrix[0])
        self.register_buffer("spectral_u", u)
        self.register_buffer("spectral_v", v)
        advance_spectral_norm(self, iterations=FIRST_ITERATIONS)

    def effective_weight(self) -> Tensor:
        """The weight the layer computes with: divided by sigma if the layer is normed.

        In float32 at least, under autocast too. A plain copy of it makes a plain layer.
        """
        if self.spectral_u is None or self.spectral_v is None:
            return self.weight
        return self.weight / spectral_sigma(self.weight, self.spectral_u, self.spectral_v)


def spectral_sigma(
    weight: Float[Tensor, "O ..."], u: Float[Tensor, " O"], v: Float[Tensor, " rest"]
) -> Scalar:
    """u' W v: at most the largest singular value, and close to it when u and v are settled.

    The gradient reaches the weight only. Never computed in less than float32.
    """
    with torch.autocast(weight.device.type, enabled=False):
        return torch.dot(u, torch.mv(as_matrix(weight), v))


def as_matrix(weight: Float[Tensor, "O ..."]) -> Float[Tensor, "O rest"]:
    """The weight as a matrix, its first axis against all others."""
    return weight.flatten(1)


def spectral_layers(*modules: nn.Module) -> Iterator[SpectralLayer]:
    """Every spectrally normed layer in the modules, each once, in order of registration."""
    for module in nn.ModuleList(modules).modules():
        if isinstance(module, SpectralLayer) and module.spectral_u is not None:
            yield module


@torch.no_grad()
def advance_spectral_norm(*modules: nn.Module, iterations: int = 1) -> None:
    """Power iterations, in place, on every spectrally normed layer in the modules.

    Call it once before each update, outside the update's own graph: moving the vectors between a
    forward and its backward is an error that autograd reports.
    """
    for layer in spectral_layers(*modules):
        u, v = layer.spectral_u, layer.spectral_v
        assert u is not None
        assert v is not None
        with torch.autocast(u.device.type, enabled=False):
            matrix = as_matrix(layer.weight)
            for _ in range(iterations):
                v.copy_(F.normalize(torch.mv(matrix.T, u), dim=0, eps=_EPSILON))
                u.copy_(F.normalize(torch.mv(matrix, v), dim=0, eps=_EPSILON))
