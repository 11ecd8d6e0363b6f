"""The Inception Score (Salimans et al. 2016): exp of the mean divergence of p(y|x) from p(y).

It is between 1 (all predictions equal) and the number of classes. It uses no real image. More
splits give lower scores: 10 is customary, the authors' SS-GAN code uses a single one.
"""

import itertools
import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.metrics.features import require_finite
from ssgan.types import UserError


class InceptionScore(NamedTuple):
    """The mean of the score over splits, and their standard deviation."""

    value: float
    std_within: float  # standard deviation over splits (over n, not n - 1)
    splits: int


def inception_score(log_probabilities: Float[Tensor, "N K"], *, splits: int = 10) -> InceptionScore:
    """The score from log p(y|x), one normalised row an image; -inf is a probability of 0.

    Split i holds rows i N // splits to (i + 1) N // splits, in this order: shuffle images that
    are sorted by class. Raises UserError for fewer images than splits, NaN, or rows whose
    probabilities do not sum to 1.
    """
    count = len(log_probabilities)
    if splits < 1 or count < splits:
        raise UserError(f"an Inception Score in {splits} splits needs as many images, not {count}")
    logp = log_probabilities.detach().double()
    require_finite(logp.exp(), "given")
    if not torch.allclose(logp.exp().sum(dim=1), logp.new_ones(count), atol=1e-4):
        raise UserError("log_probabilities do not sum to 1 in every row; apply log_softmax first")
    edges = [i * count // splits for i in range(splits + 1)]
    scores = torch.stack([_score(logp[a:b]) for a, b in itertools.pairwise(edges)])
    return InceptionScore(float(scores.mean()), float(scores.std(correction=0)), splits)


def _score(logp: Float[Tensor, "N K"]) -> Float[Tensor, ""]:
    marginal = logp.logsumexp(dim=0) - math.log(len(logp))
    p = logp.exp()
    # where p is 0 the term is 0, though log p and the marginal may both be -inf
    divergence = torch.where(p > 0, p * (logp - marginal), 0.0).sum(dim=1)
    return divergence.mean().exp()
