"""Other initial weights than the layers' own."""

from typing import Literal, TypeAlias

from torch import nn

from ssgan.ops.spectral import SpectralLayer

Initial: TypeAlias = Literal["orthogonal", "normal"]


def start_orthogonal(network: nn.Module) -> None:
    """Draw every weight again, with orthonormal rows or columns; biases and norms stay.

    Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", ICLR 2014. A kernel is the matrix [outputs, all others].
    """
    for layer in network.modules():
        if isinstance(layer, SpectralLayer):
            nn.init.orthogonal_(layer.weight)
            restart_spectral_norm(layer)


def restart_spectral_norm(layer: SpectralLayer) -> None:
    """Fit the spectral vectors to a weight that was drawn again, if the layer is normed."""
    layer.start_spectral_norm(layer.spectral_u is not None)
