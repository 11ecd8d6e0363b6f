"""Self-attention over the positions of a feature map, as in SAGAN and BigGAN."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ssgan.models.layers import ChannelMap
from ssgan.ops.activation_checkpointing import CheckpointedModule


class Attention(CheckpointedModule):
    """Every position adds a weighted mean of the values at others; the identity at the start.

    Zhang et al., "Self-Attention Generative Adversarial Networks", ICML 2019, as in
    google/compare_gan: queries and keys have C/8 channels, values C/2; all maps are 1x1
    convolutions without bias. Max pooling over 2x2 reduces the keys and values.

        output = x + sigma out(softmax(query(x)' key(x)) value(x))      sigma starts at 0
    """

    def __init__(self, channels: int, spectral: bool) -> None:
        super().__init__()
        key_channels, value_channels = max(1, channels // 8), max(1, channels // 2)
        self.query = ChannelMap(channels, key_channels, spectral=spectral)
        self.key = ChannelMap(channels, key_channels, spectral=spectral)
        self.value = ChannelMap(channels, value_channels, spectral=spectral)
        self.out = ChannelMap(value_channels, channels, spectral=spectral)
        self.sigma = nn.Parameter(torch.zeros(()))

    def compute(self, maps: Float[Tensor, "B C S S"]) -> Float[Tensor, "B C S S"]:
        """The maps plus sigma times the attended values; S must be even."""
        query = self.query(maps).flatten(2)  # B, C/8, N positions
        key = F.max_pool2d(self.key(maps), 2).flatten(2)
        value = F.max_pool2d(self.value(maps), 2).flatten(2)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=2)  # B, N, N/4
        rows = weights.to(value.dtype) @ value.transpose(1, 2)  # B, N, C/2: channels are last
        attended = rows.transpose(1, 2).reshape(maps.shape[0], -1, *maps.shape[2:])
        outputs: Tensor = maps + self.sigma.to(maps.dtype) * self.out(attended)
        return outputs
