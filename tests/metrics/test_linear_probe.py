"""Logistic regression reaches the minimum that others reach, and learns what is there alone."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ssgan.metrics import linear_probe
from ssgan.metrics.linear_probe import (
    NORMAL_95,
    Proportion,
    choose_penalty,
    fit_lbfgs,
    fit_sgd,
    standardise,
)
from ssgan.ops.rng import Key, permutation

K = 3


def blobs(count, size=6, distance=1.0, seed=0):
    """Rows around the centres of three classes, and their classes; centres do not change."""
    centres = torch.randn(K, size, generator=torch.Generator().manual_seed(9)).double()
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % K
    rows = torch.randn(count, size, generator=generator, dtype=torch.float64)
    return distance * centres[labels] + rows, labels


def plain_loss(weight, bias, rows, labels, l2):
    """The formula of the module, row by row."""
    total = 0.0
    for row, label in zip(rows, labels, strict=True):
        logits = torch.stack([weight[k] @ row + bias[k] for k in range(K)])
        total = total + torch.logsumexp(logits, 0) - logits[label]
    return total / len(rows) + l2 / 2 * (weight**2).sum()


@pytest.mark.parametrize("l2", [1.0, 0.01])
def test_at_the_end_the_slope_of_the_plain_formula_is_nothing(l2):
    rows, labels = blobs(40)
    fit = fit_lbfgs(rows, labels, K, l2, tolerance=1e-9)
    weight, bias = (part.clone().requires_grad_() for part in (fit.weight, fit.bias))
    loss = plain_loss(weight, bias, rows, labels, l2)
    loss.backward()
    assert loss.item() == pytest.approx(fit.loss, abs=1e-12)
    assert fit.max_gradient < 1e-6
    found = torch.maximum(weight.grad.abs().max(), bias.grad.abs().max())
    assert found.item() == pytest.approx(fit.max_gradient, rel=1e-6)


@pytest.mark.parametrize("l2", [1.0, 0.01, 0.0001])
def test_scikit_learn_finds_the_same_minimum(l2):
    linear_model = pytest.importorskip("sklearn.linear_model")
    rows, labels = blobs(200, size=10)
    ours = fit_lbfgs(rows, labels, K, l2, tolerance=1e-8)
    theirs = linear_model.LogisticRegression(C=1 / (l2 * len(rows)), tol=1e-10, max_iter=10_000)
    theirs.fit(rows.numpy(), labels.numpy())
    assert np.allclose(ours.weight.numpy(), theirs.coef_, atol=1e-4)
    between = ours.bias - ours.bias.mean()  # softmax does not see what all biases have in common
    assert np.allclose(between.numpy(), theirs.intercept_ - theirs.intercept_.mean(), atol=1e-4)
    assert np.array_equal(ours.classes(rows).numpy(), theirs.predict(rows.numpy()))


def test_float32_rows_and_the_default_tolerance_give_nearly_the_same_loss():
    rows, labels = blobs(600, size=50)
    exact = fit_lbfgs(rows, labels, K, 0.01, tolerance=1e-9)
    rough = fit_lbfgs(rows.float(), labels, K, 0.01)
    assert rough.max_gradient <= linear_probe.TOLERANCE
    assert rough.loss == pytest.approx(exact.loss, abs=1e-5)


def test_a_warm_start_ends_where_a_cold_one_does_and_sooner():
    rows, labels = blobs(200, size=10)
    cold = fit_lbfgs(rows, labels, K, 0.01, tolerance=1e-8)
    warm = fit_lbfgs(rows, labels, K, 0.01, cold, tolerance=1e-8)
    assert torch.allclose(warm.weight, cold.weight, atol=1e-6)
    assert warm.iterations < cold.iterations


def test_what_can_be_told_apart_is():
    rows, labels = blobs(90, distance=8.0)
    asked, wanted = blobs(300, distance=8.0, seed=1)
    for fit in (fit_lbfgs(rows, labels, K, 1e-3), fit_sgd(rows, labels, K, 0.0, 0)):
        assert fit.correct(rows, labels) == len(rows)
        assert fit.correct(asked, wanted) == len(asked)


def test_labels_that_have_nothing_to_do_with_the_rows_teach_nothing():
    """1,500 test rows of 3 classes: chance is 1/3, and 4 deviations are 0.049."""
    rows, labels = blobs(600, size=20, distance=0.0)
    asked, wanted = blobs(1500, size=20, distance=0.0, seed=1)
    fit = fit_lbfgs(rows, labels, K, 1e-3)
    assert fit.correct(rows, labels) / 600 > 0.4  # it has learnt the rows by heart, a little
    assert abs(fit.correct(asked, wanted) / 1500 - 1 / 3) < 0.049


def test_sgd_is_the_schedule_step_by_step(monkeypatch):
    """Against torch's own SGD and automatic gradients, on a shorter schedule."""
    monkeypatch.setattr(linear_probe, "SGD_EPOCHS", 4)
    monkeypatch.setattr(linear_probe, "SGD_DROPS", (2, 3))
    monkeypatch.setattr(linear_probe, "SGD_BATCH", 16)
    rows, labels = blobs(50)
    weight = torch.zeros(K, 6, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(K, dtype=torch.float64, requires_grad=True)
    for epoch, rate in enumerate((0.1, 0.1, 0.01, 0.001)):
        solver = torch.optim.SGD([weight, bias], lr=rate)
        order = permutation(Key(7, "probe order", epoch), 50)
        for first in range(0, 50, 16):
            chosen = order[first : first + 16]
            loss = F.cross_entropy(rows[chosen] @ weight.T + bias, labels[chosen])
            solver.zero_grad()
            (loss + 0.05 / 2 * weight.square().sum()).backward()
            solver.step()
    fit = fit_sgd(rows, labels, K, 0.05, seed=7)
    assert torch.allclose(fit.weight, weight.detach(), atol=1e-12)
    assert torch.allclose(fit.bias, bias.detach(), atol=1e-12)


def test_the_schedule_is_the_paper_s():
    assert (linear_probe.SGD_BATCH, linear_probe.SGD_RATE) == (128, 0.1)
    assert (linear_probe.SGD_EPOCHS, linear_probe.SGD_DROPS) == (50, (30, 40))


def test_noise_wants_a_stronger_penalty_than_plain_classes():
    rows, labels = blobs(100, size=40, distance=0.3)
    clear, clear_labels = blobs(100, size=40, distance=4.0)
    noisy = choose_penalty(rows, labels, K, 20)
    plain = choose_penalty(clear, clear_labels, K, 20)
    assert noisy[0].l2 > plain[0].l2 or plain[0].top1 == 1.0
    assert noisy[0].top1 == max(one.top1 for one in noisy)


def test_the_search_ends_with_the_first_penalty_whose_held_out_loss_rises():
    rows, labels = blobs(100, size=40, distance=0.3)
    grid = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
    tried = sorted(choose_penalty(rows, labels, K, 20, grid), key=lambda one: -one.l2)
    losses = [one.loss for one in tried]
    assert 1 < len(tried) < len(grid)
    assert losses[:-1] == sorted(losses[:-1], reverse=True)
    assert losses[-1] > losses[-2]
    fit = fit_lbfgs(rows[:80], labels[:80], K, tried[1].l2, tolerance=1e-9)
    expected = F.cross_entropy(rows[80:] @ fit.weight.T + fit.bias, labels[80:])
    assert tried[1].loss == pytest.approx(float(expected), abs=1e-3)


def test_standardised_columns_have_mean_0_and_deviation_1_and_test_rows_follow():
    generator = torch.Generator().manual_seed(0)
    raw = 5 + 3 * torch.randn(5000, 4, generator=generator)
    raw[:, 2] = 7.0
    train, test = raw.clone(), raw[:10].clone()
    standardise(train, test)
    expected = (raw.double() - raw.double().mean(0)) / raw.double().std(0, correction=0)
    for column in (0, 1, 3):
        assert torch.allclose(train[:, column].double(), expected[:, column], atol=1e-5)
    assert torch.equal(train[:, 2], torch.zeros(5000))
    assert torch.equal(test, train[:10])


@pytest.mark.parametrize(("right", "total"), [(5, 10), (1, 7), (799, 1000), (3, 3000)])
def test_at_its_ends_the_share_found_is_just_1_96_deviations_away(right, total):
    for end in Proportion(right, total).interval:
        deviation = math.sqrt(end * (1 - end) / total)
        assert abs(right / total - end) == pytest.approx(NORMAL_95 * deviation, rel=1e-9)


def test_published_values():
    """Newcombe 1998, Table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, total, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        found = Proportion(right, total).interval
        assert found == pytest.approx((low, high), abs=5e-5)


def test_it_stays_within_0_and_1():
    assert Proportion(0, 5).interval[0] == 0.0
    assert Proportion(5, 5).interval[1] == 1.0


def test_it_holds_the_true_share_about_95_times_in_100():
    draws = np.random.default_rng(0).binomial(200, 0.8, 2000)
    inside = [low <= 0.8 <= high for low, high in (Proportion(int(k), 200).interval for k in draws)]
    assert 0.93 < np.mean(inside) < 0.97
