"""Gradient penalties, as functions of a discriminator and images.

`wgan_gp` and `dragan` pull the gradient norm of the real logit towards 1, measured as in the SS-GAN
authors' code: the norm is sqrt(1e-4 + sum of squares), and the gradient is with respect to images
in [0, 1]. The images here are in [-1, 1], hence a factor of 2. `zero_centred` pulls it towards 0,
with respect to images in [-1, 1].
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.ops.collective import num_ranks, sum_over_ranks
from ssgan.types import Discriminator, Scalar


def wgan_gp(
    D: Discriminator,  # noqa: N803 - the paper's letter
    real: Float[Tensor, "B C S S"],
    fake: Float[Tensor, "B C S S"],
    labels: Tensor | None,
    mixing: Float[Tensor, " B"],
) -> Scalar:
    """E (g - 1)^2, with g the gradient norm of the real logit at real + a (fake - real).

    `mixing` holds a, one number in [0, 1) per sample (Gulrajani et al. 2017).
    """
    a = mixing.to(real.dtype)[:, None, None, None]
    return _penalty_at(D, real + a * (fake - real), labels)


def dragan(
    D: Discriminator,  # noqa: N803 - the paper's letter
    real: Float[Tensor, "B C S S"],
    labels: Tensor | None,
    noise: Float[Tensor, "B C S S"],
) -> Scalar:
    """E (g - 1)^2, with g the gradient norm at real + std(real) (u - 1/2), clamped to [-1, 1].

    `noise` holds u, one number in [0, 1) per value of an image (Kodali et al. 2017, in the SS-GAN
    authors' form). std is one number over all axes, and over the images of all ranks. Clamping
    comes before the gradient is taken, so the gradient does not pass through it.
    """
    near = real + std_over_ranks(real) * (noise.to(real.dtype) - 0.5)
    return _penalty_at(D, near.clamp(-1, 1), labels)


def std_over_ranks(ours: Float[Tensor, "..."]) -> Scalar:
    """The population standard deviation of the values of all ranks; without gradients."""
    ours = ours.detach()
    mean = sum_over_ranks(ours.mean()) / num_ranks()
    return (sum_over_ranks((ours - mean).square().mean()) / num_ranks()).sqrt()


def _penalty_at(
    D: Discriminator,  # noqa: N803 - the paper's letter
    at: Float[Tensor, "B C S S"],
    labels: Tensor | None,
) -> Scalar:
    norm = (_squared_norm(D, at, labels, scale=2) + 1e-4).sqrt()
    return (norm - 1).square().mean()


def zero_centred(
    D: Discriminator,  # noqa: N803 - the paper's letter
    at: Float[Tensor, "B C S S"],
    labels: Tensor | None,
) -> Scalar:
    """E g^2, with g the gradient norm of the real logit at these images (Mescheder et al. 2018)."""
    return _squared_norm(D, at, labels, scale=1).mean()


def _squared_norm(
    D: Discriminator,  # noqa: N803 - the paper's letter
    at: Float[Tensor, "B C S S"],
    labels: Tensor | None,
    scale: int,
) -> Float[Tensor, " B"]:
    """The squared norm of `scale` times the gradient of each image's real logit."""
    at = at.detach().requires_grad_()
    logits = D(at, labels).real
    (gradient,) = torch.autograd.grad(logits.sum(), at, create_graph=True)
    return (scale * gradient).square().sum(dim=(1, 2, 3))
