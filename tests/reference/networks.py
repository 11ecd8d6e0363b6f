"""Small smooth networks in float64, for equations: every row is computed on its own."""

import torch
from torch import nn

from ssgan.types import Scores


class SmallGenerator(nn.Module):
    def __init__(self, size: int = 4, latent_size: int = 3, num_classes: int = 0) -> None:
        super().__init__()
        self.size = size
        self.linear = nn.Linear(latent_size, 3 * size * size)
        self.embedding = nn.Embedding(max(num_classes, 1), 3 * size * size)

    def forward(self, latents, labels=None):
        hidden = self.linear(latents)
        if labels is not None:
            hidden = hidden + self.embedding(labels)
        return torch.tanh(hidden).unflatten(1, (3, self.size, self.size))


class SmallDiscriminator(nn.Module):
    def __init__(self, size: int = 4, width: int = 4, num_classes: int = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.linear = nn.Linear(5 * size * size, 6)
        self.real = nn.Linear(6, 1)
        self.auxiliary = nn.Linear(6, width)
        self.embedding = nn.Embedding(max(num_classes, 1), 6)

    def forward(self, images, labels=None):
        hidden = torch.tanh(self.conv(images)).flatten(1)
        features = torch.tanh(self.linear(hidden))
        real = self.real(features)[:, 0]
        if labels is not None:
            real = real + (self.embedding(labels) * features).sum(1)
        return Scores(real, self.auxiliary(features), features)


def small_pair(seed: int = 0, num_classes: int = 0, width: int = 4):
    torch.manual_seed(seed)
    generator = SmallGenerator(num_classes=num_classes).double()
    discriminator = SmallDiscriminator(num_classes=num_classes, width=width).double()
    return generator, discriminator
