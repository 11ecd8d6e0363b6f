"""Gradient penalties: functions of a scoring function and images.

Both ask for a slope of 1, measured as in the SS-GAN authors' code: the norm is sqrt(1e-4 + sum of
squares), and the gradient is taken with respect to images in [0, 1]; ours are in [-1, 1], hence
the factor 2.
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
    """E (s - 1)^2, s the slope of the real logit at real + a (fake - real).

    `mixing` holds a, one number in [0, 1) a sample (Gulrajani et al. 2017).
    """
    a = mixing.to(real.dtype)[:, None, None, None]
    return _unit_slope(D, real + a * (fake - real), labels)


def dragan(
    D: Discriminator,  # noqa: N803 - the paper's letter
    real: Float[Tensor, "B C S S"],
    labels: Tensor | None,
    noise: Float[Tensor, "B C S S"],
) -> Scalar:
    """E (s - 1)^2, s the slope of the real logit at real + std(real) (u - 1/2), kept in range.

    `noise` holds u, a number in [0, 1) for every number of an image (Kodali et al. 2017, in the
    SS-GAN authors' form). std is one number, over all axes; over ranks it is that of all their
    images. The point is cut to [-1, 1] before the gradient is taken, which so knows no cut.
    """
    near = real + std_over_ranks(real) * (noise.to(real.dtype) - 0.5)
    return _unit_slope(D, near.clamp(-1, 1), labels)


def std_over_ranks(ours: Float[Tensor, "..."]) -> Scalar:
    """The standard deviation (of a population) of the numbers of all ranks; without gradients."""
    ours = ours.detach()
    mean = sum_over_ranks(ours.mean()) / num_ranks()
    return (sum_over_ranks((ours - mean).square().mean()) / num_ranks()).sqrt()


def _unit_slope(
    D: Discriminator,  # noqa: N803 - the paper's letter
    at: Float[Tensor, "B C S S"],
    labels: Tensor | None,
) -> Scalar:
    at = at.detach().requires_grad_()
    logits = D(at, labels).real
    (gradient,) = torch.autograd.grad(logits.sum(), at, create_graph=True)
    slope = ((2 * gradient).square().sum(dim=(1, 2, 3)) + 1e-4).sqrt()
    return (slope - 1).square().mean()
