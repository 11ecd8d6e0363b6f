"""Multinomial logistic regression: what a linear classifier can read from frozen features.

    minimise over W, b:   mean cross-entropy of softmax(W x + b)  +  l2 / 2 |W|^2

The bias is not penalised. In scikit-learn's terms l2 = 1 / (C N). Rows may be float32; weights,
losses and the solver's own arithmetic are float64. Products are written with the few classes
first, W x^T and (error)^T x: for tall rows they are several times faster than their transposes.
"""

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
_HISTORY = 20  # pairs of steps and gradients from which L-BFGS knows the curvature
_ROWS_AT_ONCE = 4096

Watch = Callable[[int], None]  # called with the number of passes over the rows so far


class Fit(NamedTuple):
    """A fitted classifier, and how far its solver came."""

    weight: Float[Tensor, "K F"]
    bias: Float[Tensor, " K"]
    loss: float  # the minimised sum, in nats
    slope: float  # largest entry of its gradient
    passes: int  # over all rows

    def classes(self, features: Float[Tensor, "N F"]) -> Int[Tensor, " N"]:
        """The most probable class of every row."""
        return self.logits(features).argmax(dim=1)

    def logits(self, features: Float[Tensor, "N F"]) -> Float[Tensor, "N K"]:
        """What the softmax is taken of."""
        return (self.weight.to(features) @ features.T + self.bias.to(features)[:, None]).T

    def right(self, features: Float[Tensor, "N F"], labels: Int[Tensor, " N"]) -> int:
        """How many rows get their own class."""
        return int((self.classes(features) == labels).sum())


class Tried(NamedTuple):
    """What a penalty came to on the held-out rows."""

    l2: float
    top1: float  # share that is right
    loss: float  # mean cross-entropy, in nats
    fit: Fit  # to the other rows


def standardise(training: Float[Tensor, "N F"], *others: Float[Tensor, "_ F"]) -> None:
    """Give every column of `training` mean 0 and deviation 1, in place; the others follow it.

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
    for rows in (training, *others):
        rows.sub_(mean.to(rows)).div_(deviation.to(rows))


def fit_lbfgs(
    features: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    num_classes: int,
    l2: float,
    start: Fit | None = None,
    watch: Watch | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> Fit:
    """L-BFGS with a strong-Wolfe line search on all rows, from `start` or from zeros.

    Ends when no entry of the gradient exceeds the tolerance, when the loss changes by less than
    1e-12, or after 4000 iterations; compare `slope` with the tolerance to see which. The minimum
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
    passes = 0

    def closure() -> Tensor:
        nonlocal passes
        passes += 1
        if watch is not None:
            watch(passes)
        return _loss_with_gradient(features, labels, weight, bias, l2)

    with torch.enable_grad():
        solver.step(closure)  # type: ignore[no-untyped-call]
    return _finished(features, labels, weight, bias, l2, passes)


def fit_sgd(
    features: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    num_classes: int,
    l2: float,
    seed: int,
    watch: Watch | None = None,
) -> Fit:
    """The schedule that the paper's probe is remembered to have.

    Batch 128, rate 0.1, 50 epochs, a tenth of it after epochs 30 and 40.
    Plain gradient descent without momentum; every epoch has its own order, keyed by the seed.
    """
    weight, bias = (start.to(features.dtype) for start in _start(features, num_classes, None))
    rate = SGD_RATE
    for epoch in range(SGD_EPOCHS):
        if epoch in SGD_DROPS:
            rate /= 10
        if watch is not None:
            watch(epoch)
        order = permutation(Key(seed, "probe order", epoch), len(features)).to(features.device)
        for rows in torch.split(order, SGD_BATCH):
            batch = features[rows]
            error = _error(weight @ batch.T + bias[:, None], labels[rows])
            weight -= rate * (error @ batch + l2 * weight)
            bias -= rate * error.sum(dim=1)
    return _finished(features, labels, weight.double(), bias.double(), l2, SGD_EPOCHS)


def choose_penalty(
    features: Float[Tensor, "N F"],
    labels: Int[Tensor, " N"],
    num_classes: int,
    held_out: int,
    penalties: Sequence[float] = PENALTIES,
    watch: Watch | None = None,
) -> list[Tried]:
    """Fit all but the last `held_out` rows with one penalty after the other; the best comes first.

    From the first penalty on (which should be the strongest), each fit starting from the one
    before, until the held-out loss rises: weaker ones overfit more. The best has most held-out
    rows right, and of equals the lowest loss.
    """
    fitted, asked = features[:-held_out], features[-held_out:]
    fit: Fit | None = None
    tried: list[Tried] = []
    for l2 in penalties:
        fit = fit_lbfgs(fitted, labels[:-held_out], num_classes, l2, fit, watch)
        logits, wanted = fit.logits(asked).double(), labels[-held_out:]
        top1 = float((logits.argmax(dim=1) == wanted).double().mean())
        tried.append(Tried(l2, top1, float(F.cross_entropy(logits, wanted)), fit))
        if len(tried) > 1 and tried[-1].loss > tried[-2].loss:
            break
    return sorted(tried, key=lambda one: (-one.top1, one.loss))


def _start(features: Tensor, num_classes: int, start: Fit | None) -> tuple[Tensor, Tensor]:
    options = {"dtype": torch.float64, "device": features.device}
    if start is None:
        sizes = ((num_classes, features.shape[1]), (num_classes,))
        return torch.zeros(sizes[0], **options), torch.zeros(sizes[1], **options)  # type: ignore[call-overload]
    return start.weight.clone(), start.bias.clone()


def _error(logits: Float[Tensor, "K N"], labels: Int[Tensor, " N"]) -> Float[Tensor, "K N"]:
    """The gradient of the mean cross-entropy by the logits."""
    error = logits.softmax(dim=0)
    error[labels, torch.arange(len(labels), device=labels.device)] -= 1
    return error / len(labels)


def _loss_with_gradient(
    features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, l2: float
) -> Tensor:
    """The loss; its gradient is put beside the weights, where the solver looks for it."""
    logits = (weight.to(features.dtype) @ features.T).double() + bias[:, None]
    error = _error(logits, labels)
    weight.grad = (error.to(features.dtype) @ features).double() + l2 * weight
    bias.grad = error.sum(dim=1)
    return F.cross_entropy(logits.T, labels) + l2 / 2 * weight.square().sum()


def _finished(
    features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, l2: float, passes: int
) -> Fit:
    loss = float(_loss_with_gradient(features, labels, weight, bias, l2))
    assert weight.grad is not None
    assert bias.grad is not None
    slope = float(torch.maximum(weight.grad.abs().max(), bias.grad.abs().max()))
    weight.grad = bias.grad = None
    return Fit(weight, bias, loss, slope, passes)
