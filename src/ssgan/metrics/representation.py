"""What features tell of the images they are of: cheap measures, in closed form.

They follow one run over its steps. They are no substitute for a trained linear probe on all
images: a ridge probe on a few hundred is lower, and compares only with itself.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ssgan.metrics.distances import distance_blocks
from ssgan.metrics.feature_rows import check_rows

RIDGE = 0.1  # weight of |W|^2 for each row the probe is fitted on; features are standardised
NEIGHBOURS = 5


def ridge_accuracy(
    fit: Float[Tensor, "N F"],
    fit_labels: Int[Tensor, " N"],
    test: Float[Tensor, "M F"],
    test_labels: Int[Tensor, " M"],
    num_classes: int,
) -> float:
    """Share of the test rows whose class a linear map tells, fitted by ridge regression.

    The map goes from features of mean 0 and deviation 1 (over the fitted rows) to one-hot labels.
    It is solved over rows where these are fewer than features: the result is the same.
    """
    x, y = fit.double(), F.one_hot(fit_labels, num_classes).double()
    mean, spread = x.mean(dim=0), x.std(dim=0, correction=0).clamp(min=1e-12)
    x, test = (x - mean) / spread, (test.double() - mean) / spread
    ridge = RIDGE * len(x)
    if len(x) < x.shape[1]:
        weights = x.T @ torch.linalg.solve(_plus(x @ x.T, ridge), y - y.mean(dim=0))
    else:
        weights = torch.linalg.solve(_plus(x.T @ x, ridge), x.T @ (y - y.mean(dim=0)))
    told = (test @ weights + y.mean(dim=0)).argmax(dim=1)
    return float((told == test_labels).double().mean())


def neighbour_accuracy(
    fit: Float[Tensor, "N F"],
    fit_labels: Int[Tensor, " N"],
    test: Float[Tensor, "M F"],
    test_labels: Int[Tensor, " M"],
    num_classes: int,
) -> float:
    """Share of the test rows whose class their 5 nearest fitted rows tell.

    Near is a high cosine, and each neighbour's vote counts as 1 plus its cosine.
    """
    cosines = F.normalize(test.double(), dim=1) @ F.normalize(fit.double(), dim=1).T
    near = cosines.topk(min(NEIGHBOURS, len(fit)), dim=1)
    votes = torch.zeros(len(test), num_classes, dtype=torch.float64, device=test.device)
    votes.scatter_add_(1, fit_labels[near.indices], 1 + near.values)
    return float((votes.argmax(dim=1) == test_labels).double().mean())


def linear_cka(a: Float[Tensor, "N F"], b: Float[Tensor, "N E"]) -> float:
    """How alike two sets of features of the same N images are, in [0, 1]; 1 for the same.

    Centred kernel alignment with linear kernels (Kornblith et al. 2019): blind to rotations and
    to one scale for all features. NaN when the features of a set are all the same.
    """
    first, second = _centred_gram(a), _centred_gram(b)
    return float((first * second).sum() / (first.norm() * second.norm()))


def _centred_gram(rows: Float[Tensor, "N F"]) -> Float[Tensor, "N N"]:
    centred = rows.double() - rows.double().mean(dim=0)
    return centred @ centred.T


def _plus(matrix: Float[Tensor, "K K"], ridge: float) -> Float[Tensor, "K K"]:
    return matrix + ridge * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)


def mean_distance(features: Float[Tensor, "N F"]) -> float:
    """The mean Euclidean distance over all pairs of different rows; 0 when all are the same.

    Raises UserError for fewer than 2 rows, NaN or infinity.
    """
    rows = check_rows(features, "given")
    total = torch.stack([block.sum() for _, block in distance_blocks(rows, rows)]).sum()
    return float(total) / (len(rows) * (len(rows) - 1))
