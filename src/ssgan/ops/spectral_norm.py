"""Spectral normalization: a weight divided by its largest singular value.

Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018.

    sigma = u' W v      W reshaped to [first axis, all others]; u, v unit vectors, constants
    effective weight = W / sigma

u and v approximate the singular vectors by power iteration. Only `advance_spectral_norm` updates
them; a forward pass never does, in training or evaluation. So all forward passes between two
updates use one weight, and evaluation does not change a network. The official SS-GAN code does one
iteration in every forward pass of D instead.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.ops.collective import sum_over_ranks
from ssgan.ops.sharded import is_sharded, local_part, local_rows
from ssgan.types import Scalar

FIRST_ITERATIONS = 15
_EPSILON = 1e-12  # lower bound of the vectors' norms, as in the official code


class SpectralLayer(nn.Module):
    """A base class for layers (not networks) whose `weight` can have spectral norm.

    A subclass sets and initializes `weight`, then calls `start_spectral_norm`. Its forward uses
    `effective_weight()`. `spectral_u` and `spectral_v` are float32 buffers; both are None without
    spectral norm.
    """

    advances = True  # whether power iterations update u and v
    weight: nn.Parameter
    spectral_u: Tensor | None
    spectral_v: Tensor | None

    def start_spectral_norm(self, spectral: bool) -> None:
        """Draw u from torch's global generator and run 15 iterations on the initial weight.

        15 is the number of torch.nn.utils.parametrizations; the official code runs one. With few
        iterations sigma is too small at first, and the effective weight has a norm above 1.
        """
        u = v = None
        if spectral:
            matrix = as_matrix(self.weight.detach())
            u, v = torch.randn_like(matrix[:, 0]), torch.zeros_like(matrix[0])
        self.register_buffer("spectral_u", u)
        self.register_buffer("spectral_v", v)
        advance_spectral_norm(self, iterations=FIRST_ITERATIONS)

    def effective_weight(self) -> Tensor:
        """The weight that the layer uses: with spectral norm, divided by sigma.

        At least in float32, also under autocast.
        """
        if self.spectral_u is None or self.spectral_v is None:
            return self.weight
        return self.weight / spectral_sigma(self.weight, self.spectral_u, self.spectral_v)


def spectral_sigma(
    weight: Float[Tensor, "O ..."], u: Float[Tensor, " O"], v: Float[Tensor, " rest"]
) -> Scalar:
    """u' W v: at most the largest singular value, and close to it once u and v have converged.

    The gradient reaches only the weight. At least in float32.
    """
    with torch.autocast(weight.device.type, enabled=False):
        return torch.dot(u, torch.mv(as_matrix(weight), v))


def as_matrix(weight: Float[Tensor, "O ..."]) -> Float[Tensor, "O rest"]:
    """The weight as a matrix: its first axis by all others."""
    return weight.flatten(1)


def spectral_layers(*modules: nn.Module) -> Iterator[SpectralLayer]:
    """Every layer of the modules with spectral norm, once, in order of registration."""
    for module in nn.ModuleList(modules).modules():
        if isinstance(module, SpectralLayer) and module.spectral_u is not None:
            yield module


@torch.no_grad()
def advance_spectral_norm(*modules: nn.Module, iterations: int = 1) -> None:
    """Run power iterations, in place, on every layer of the modules with spectral norm.

    Call it once before each update and outside its graph: autograd reports an error if the vectors
    change between a forward pass and its backward.
    """
    for layer in spectral_layers(*modules):
        u, v = layer.spectral_u, layer.spectral_v
        assert u is not None
        assert v is not None
        if u.is_meta or not layer.advances:  # a network of shapes only, or a frozen block
            continue
        with torch.autocast(u.device.type, enabled=False):
            for _ in range(iterations):
                _iterate(layer.weight, u, v)


def _iterate(weight: Tensor, u: Tensor, v: Tensor) -> None:
    """v becomes W' u, then u becomes W v, both with norm 1; of a sharded W each rank has rows."""
    matrix = as_matrix(local_part(weight))
    if not is_sharded(weight):
        v.copy_(F.normalize(torch.mv(matrix.T, u), dim=0, eps=_EPSILON))
        u.copy_(F.normalize(torch.mv(matrix, v), dim=0, eps=_EPSILON))
        return
    rows = local_rows(weight)
    v.copy_(F.normalize(sum_over_ranks(torch.mv(matrix.T, u[rows])), dim=0, eps=_EPSILON))
    found = torch.zeros_like(u)
    found[rows] = torch.mv(matrix, v)
    u.copy_(F.normalize(sum_over_ranks(found), dim=0, eps=_EPSILON))
