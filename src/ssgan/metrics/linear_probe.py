"""Linear classifiers on frozen features: logistic regression, and ridge regression.

`fit_lbfgs` and `fit_sgd` fit a multinomial logistic regression, for a probe on all images:

    minimise over W, b:   mean cross-entropy of softmax(W x + b)  +  l2 / 2 |W|^2

The bias is not penalised. In scikit-learn's terms l2 = 1 / (C N). Rows may be float32; weights,
losses and the solver's own arithmetic are float64. Products are written with the few classes
first, W x^T and (error)^T x: for tall rows they are several times faster than their transposes.

`ridge_accuracy` is a closed form for a few hundred rows, which follows a run over its steps in
milliseconds. It is lower than a logistic regression and compares only with itself.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from ssgan.ops.rng import Key, permutation

TOLERANCE = 1e-4  # largest entry of the gradient at which L-BFGS stops
MAX_ITERATIONS = 4000
PENALTIES = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)  # l2 to choose from, strongest first
SGD_BATCH, SGD_RATE, SGD_EPOCHS, SGD_DROPS = 128, 0.1, 50, (30, 40)  # the paper's, from memory
_HISTORY = 20  # pairs of steps and gradients from which L-BFGS estimates the curvature
_ROWS_AT_ONCE = 4096
RIDGE = 0.1  # weight of |W|^2 for each fitted row; features are standardised
NORMAL_95 = 1.959963984540054  # 95 % of a normal distribution is within this

Progress = Callable[[int], None]  # called with the number of passes over the rows so far


class Fit(NamedTuple):
    """A fitted classifier, and where its solver ended."""

    weight: Float[Tensor, "K F"]
    bias: Float[Tensor, " K"]
    loss: float  # the minimised sum, in nats
    max_gradient: float  # largest entry of its gradient
    iterations: int  # passes over all rows

    def classes(self, features: Float[Tensor, "N F"]) -> Int[Tensor, " N"]:
        """The most probable class of every row."""
        return self.logits(features).argmax(dim=1)

    def logits(self, features: Float[Tensor, "N F"]) -> Float[Tensor, "N K"]:
        """The inputs of the softmax."""
        return (self.weight.to(features) @ features.T + self.bias.to(features)[:, None]).T

    def correct(self, features: Float[Tensor, "N F"], labels: Int[Tensor, " N"]) -> int:
        """How many rows are classified correctly."""
        return int((self.classes(features) == labels).sum())


class Proportion(NamedTuple):
    """`correct` of `total`, with Wilson's 95 % interval."""

    correct: int
    total: int

    @property
    def share(self) -> float:
        """correct / total, in [0, 1]."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (1927) of independent trials: within [0, 1], even at 0 and 1.

        It covers the choice of test images alone, not that of training images or of a seed.
        """
        z2 = NORMAL_95**2
        centre = (self.correct + z2 / 2) / (self.total + z2)
        square = self.correct * (self.total - self.correct) / self.total + z2 / 4
        half = NORMAL_95 * math.sqrt(square) / (self.total + z2)
        low = 0.0 if self.correct == 0 else centre - half  # exactly, whatever rounding does
        return low, 1.0 if self.correct == self.total else centre + half


class Tried(NamedTuple):
    """One penalty, and its scores on the held-out rows."""

    l2: float
    top1: float  # accuracy
    loss: float  # mean cross-entropy, in nats
    fit: Fit  # to the other rows


def standardise(training: Float[Tensor, "N F"], *more: Float[Tensor, "_ F"]) -> None:
    """Give every column of `training` mean 0 and deviation 1, in place; map `more` alike.

    Statistics are float64. A column that is constant in `training`, to float32's rounding,
    becomes its differences from that constant.
    """
    mean = squares = torch.zeros_like(training[0], dtype=torch.float64)
    for part in torch.split(training, _ROWS_AT_ONCE):
        mean = mean + part.double().sum(dim=0) / len(training)
    for part in torch.split(training, _ROWS_AT_ONCE):
        squares = squares + (part.double() - mean).square().sum(dim=0)
    deviation = (squares / len(training)).sqrt()
    deviation[deviation <= 1e-6 * mean.abs()] = 1.0
    for rows in (training, *more):
        rows.sub_(mean.to(rows)).div_(deviation.to(rows))


def fit_lbfgs(
    features: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    num_classes: int,
    l2: float,
    start: Fit | None = None,
    progress: Progress = lambda iterations: None,
    *,
    tolerance: float = TOLERANCE,
) -> Fit:
    """L-BFGS with a strong-Wolfe line search on all rows, from `start` or from zeros.

    Ends when no entry of the gradient exceeds the tolerance, when the loss changes by less than
    1e-12, or after 4000 iterations; `max_gradient` tells which of them it was. The minimum
    is unique for l2 > 0, but for a number added to all biases.
    """
    weight, bias = _start(features, num_classes, start)
    solver = torch.optim.LBFGS(
        [weight, bias],
        max_iter=MAX_ITERATIONS,
        tolerance_grad=tolerance,
        tolerance_change=1e-12,
        history_size=_HISTORY,
        line_search_fn="strong_wolfe",
    )
    iterations = 0

    def closure() -> Tensor:
        nonlocal iterations
        iterations += 1
        progress(iterations)
        return _loss_with_gradient(features, labels, weight, bias, l2)

    with torch.enable_grad():
        solver.step(closure)  # type: ignore[no-untyped-call]
    return _finish(features, labels, weight, bias, l2, iterations)


def fit_sgd(
    features: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    num_classes: int,
    l2: float,
    seed: int,
    progress: Progress = lambda iterations: None,
) -> Fit:
    """The schedule of the paper's probe, from memory and not verified.

    Batch 128, 50 epochs, rate 0.1, divided by 10 after epochs 30 and 40. Gradient descent without
    momentum; every epoch has its own order, keyed by the seed.
    """
    weight, bias = (start.to(features.dtype) for start in _start(features, num_classes, None))
    rate = SGD_RATE
    for epoch in range(SGD_EPOCHS):
        if epoch in SGD_DROPS:
            rate /= 10
        progress(epoch)
        order = permutation(Key(seed, "probe order", epoch), len(features)).to(features.device)
        for rows in torch.split(order, SGD_BATCH):
            batch = features[rows]
            error = _error(weight @ batch.T + bias[:, None], labels[rows])
            weight -= rate * (error @ batch + l2 * weight)
            bias -= rate * error.sum(dim=1)
    return _finish(features, labels, weight.double(), bias.double(), l2, SGD_EPOCHS)


def choose_penalty(
    features: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    num_classes: int,
    held_out: int,
    penalties: Sequence[float] = PENALTIES,
    progress: Progress = lambda iterations: None,
) -> list[Tried]:
    """Fit all but the last `held_out` rows with one penalty after the other; the best comes first.

    From the first penalty on (which should be the strongest), each fit starting from the one
    before, until the held-out loss rises: weaker ones overfit more. The best has the highest
    accuracy on the held-out rows, and of equals the lowest loss.
    """
    fitted, tested = features[:-held_out], features[-held_out:]
    fit: Fit | None = None
    tried: list[Tried] = []
    for l2 in penalties:
        fit = fit_lbfgs(fitted, labels[:-held_out], num_classes, l2, fit, progress)
        logits, truth = fit.logits(tested).double(), labels[-held_out:]
        top1 = float((logits.argmax(dim=1) == truth).double().mean())
        tried.append(Tried(l2, top1, float(F.cross_entropy(logits, truth)), fit))
        if len(tried) > 1 and tried[-1].loss > tried[-2].loss:
            break
    return sorted(tried, key=lambda one: (-one.top1, one.loss))


def _start(features: Tensor, num_classes: int, start: Fit | None) -> tuple[Tensor, Tensor]:
    if start is not None:
        return start.weight.clone(), start.bias.clone()
    weight = features.new_zeros(num_classes, features.shape[1], dtype=torch.float64)
    return weight, weight.new_zeros(num_classes)


def _error(logits: Float[Tensor, "K N"], labels: Int[Tensor, " N"]) -> Float[Tensor, "K N"]:
    """The gradient of the mean cross-entropy by the logits."""
    error = logits.softmax(dim=0)
    error[labels, torch.arange(len(labels), device=labels.device)] -= 1
    return error / len(labels)


def _loss_with_gradient(
    features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, l2: float
) -> Tensor:
    """The loss; its gradient is put beside the weights, where the solver reads it."""
    logits = (weight.to(features.dtype) @ features.T).double() + bias[:, None]
    error = _error(logits, labels)
    weight.grad = (error.to(features.dtype) @ features).double() + l2 * weight
    bias.grad = error.sum(dim=1)
    return F.cross_entropy(logits.T, labels) + l2 / 2 * weight.square().sum()


def _finish(
    features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, l2: float, iterations: int
) -> Fit:
    loss = float(_loss_with_gradient(features, labels, weight, bias, l2))
    assert weight.grad is not None
    assert bias.grad is not None
    max_gradient = float(torch.maximum(weight.grad.abs().max(), bias.grad.abs().max()))
    weight.grad = bias.grad = None
    return Fit(weight, bias, loss, max_gradient, iterations)


def ridge_accuracy(
    training: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    test: Float[Tensor, "M F"],
    test_labels: Int[Tensor, " M"],
    num_classes: int,
) -> float:
    """The accuracy of a ridge regression from standardised features to one-hot labels.

    Mean and deviation are those of the training rows. All arithmetic is float64.
    """
    x, y = training.double(), F.one_hot(labels, num_classes).double()
    mean, deviation = x.mean(dim=0), x.std(dim=0, correction=0).clamp(min=1e-12)
    x, test = (x - mean) / deviation, (test.double() - mean) / deviation
    weights = solve_ridge(x, y - y.mean(dim=0), RIDGE * len(x))
    classes = (test @ weights + y.mean(dim=0)).argmax(dim=1)
    return float((classes == test_labels).double().mean())


def solve_ridge(
    x: Float[Tensor, "N F"], y: Float[Tensor, "N K"], penalty: float
) -> Float[Tensor, "F K"]:
    """The W that minimises |x W - y|^2 + penalty |W|^2.

    It is solved over rows where these are fewer than features: the result is the same.
    """
    if len(x) < x.shape[1]:
        weights: Tensor = x.T @ torch.linalg.solve(_add_to_diagonal(x @ x.T, penalty), y)
        return weights
    solved: Tensor = torch.linalg.solve(_add_to_diagonal(x.T @ x, penalty), x.T @ y)
    return solved


def _add_to_diagonal(matrix: Float[Tensor, "K K"], value: float) -> Float[Tensor, "K K"]:
    return matrix + value * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
