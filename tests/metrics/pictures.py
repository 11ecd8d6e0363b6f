"""Small synthetic pictures with a sky, a ground and an object, and ways to damage them."""

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 32


def pictures(count: int, seed: int, *, kind: int | None = None) -> Tensor:
    """uint8 [count, 3, 32, 32]: disc, box, bar or cross on a gradient; `kind` fixes which."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(count, 12, generator=generator)
    kinds = torch.randint(4, (count,), generator=generator) if kind is None else None
    shape = torch.full((count,), kind) if kinds is None else kinds
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, SIDE)] * 2, indexing="ij")
    sky = (uniform[:, 0:3] * 0.5 + 0.5) * torch.tensor([0.4, 0.7, 1.0])
    colour = uniform[:, 3:6]
    ground = 0.5 * uniform[:, 6:9] * torch.tensor([0.6, 1.0, 0.4])
    horizon = (y > uniform[:, 9, None, None] * 0.4)[:, None]
    image = torch.where(horizon, ground[..., None, None], sky[..., None, None] * (1 - 0.3 * y))
    dx, dy = x - (uniform[:, 10, None, None] - 0.5), y - 0.3 * uniform[:, 11, None, None]
    masks = torch.stack(
        [
            dx**2 + dy**2 < 0.16,
            torch.maximum(dx.abs(), dy.abs()) < 0.35,
            (dx.abs() < 0.12) & (dy.abs() < 0.7),
            ((dx - dy).abs() < 0.15) | ((dx + dy).abs() < 0.15),
        ]
    )
    mask = masks[shape, torch.arange(count)][:, None]
    image = torch.where(mask, colour[..., None, None] * (0.8 - 0.2 * dy[:, None]), image)
    return (image * 255).round().clamp(0, 255).to(torch.uint8)


def blurred(images: Tensor, width: int) -> Tensor:
    padded = F.pad(images.float(), (width // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, width, 1).round().to(torch.uint8)


def noisy(images: Tensor, sigma: float) -> Tensor:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(5))
    return (images.float() + sigma * noise).round().clamp(0, 255).to(torch.uint8)
