"""Gradient penalties: functions of a scoring function and images."""

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.types import Discriminator, Scalar


def wgan_gp(
    D: Discriminator,  # noqa: N803 - the paper's letter
    real: Float[Tensor, "B C S S"],
    fake: Float[Tensor, "B C S S"],
    labels: Tensor | None,
    mixing: Float[Tensor, " B"],
) -> Scalar:
    """E (s - 1)^2, s the norm of the real logit's gradient at real + a (fake - real).

    `mixing` holds a, one number in [0, 1) a sample (Gulrajani et al. 2017). As in the SS-GAN
    authors' code the norm is sqrt(1e-4 + sum of squares) and the gradient is taken with respect
    to images in [0, 1]; ours are in [-1, 1], hence the factor 2.
    """
    a = mixing.to(real.dtype)[:, None, None, None]
    between = (real + a * (fake - real)).detach().requires_grad_()
    logits = D(between, labels).real
    (gradient,) = torch.autograd.grad(logits.sum(), between, create_graph=True)
    slope = ((2 * gradient).square().sum(dim=(1, 2, 3)) + 1e-4).sqrt()
    return (slope - 1).square().mean()
