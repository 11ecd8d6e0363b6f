"""Attention over the places of a map, as in SAGAN and BigGAN."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.layers import ChannelMap
from ssgan.ops.activation_checkpointing import CheckpointedModule


class Attention(CheckpointedModule):
    """Every place adds what it reads at others; a no-op at the start.

    Zhang et al., "Self-Attention Generative Adversarial Networks", ICML 2019, as in
    google/compare_gan: queries and keys of C/8 channels, values of C/2, all 1x1 convolutions
    without bias; keys and values are reduced by the maximum over 2x2.

        output = x + sigma out(softmax(query(x)' key(x)) value(x))      sigma starts at 0
    """

    def __init__(self, channels: int, spectral: bool) -> None:
        super().__init__()
        inner, read = max(1, channels // 8), max(1, channels // 2)
        self.query = ChannelMap(channels, inner, spectral=spectral)
        self.key = ChannelMap(channels, inner, spectral=spectral)
        self.value = ChannelMap(channels, read, spectral=spectral)
        self.out = ChannelMap(read, channels, spectral=spectral)
        self.sigma = nn.Parameter(torch.zeros(()))

    def compute(self, maps: Float[Tensor, "B C S S"]) -> Float[Tensor, "B C S S"]:
        """The maps, each place with its share of the others; the side must be even."""
        query = self.query(maps).flatten(2)  # B, C/8, N places
        key = F.max_pool2d(self.key(maps), 2).flatten(2)
        value = F.max_pool2d(self.value(maps), 2).flatten(2)
        shares = torch.softmax(query.transpose(1, 2) @ key, dim=2)  # B, N, N/4
        rows = shares.to(value.dtype) @ value.transpose(1, 2)  # B, N, C/2: channels are last
        read = rows.transpose(1, 2).reshape(len(maps), -1, *maps.shape[2:])
        attended: Tensor = maps + self.sigma.to(maps.dtype) * self.out(read)
        return attended
