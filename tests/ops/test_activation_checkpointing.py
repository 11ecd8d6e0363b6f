"""Recomputation in backward: how often a module runs, and in which mode."""

import pytest
import torch

from ssgan.ops import activation_checkpointing
from ssgan.ops.activation_checkpointing import (
    CheckpointedModule,
    checkpoint_activations,
    checkpointed_modules,
    is_recomputing,
)


class Cube(CheckpointedModule):
    """x^3 by two products, which store four tensors; records every pass."""

    def __init__(self):
        super().__init__()
        self.passes = []

    def compute(self, x, shift=None):
        self.passes.append((is_recomputing(), torch.is_autocast_enabled("cpu")))
        cube = x.clone() * x * x
        return cube if shift is None else cube + shift


def cube(recompute):
    module = Cube()
    module.activation_checkpointing = recompute
    return module


def test_by_default_nothing_is_computed_twice():
    module = Cube()
    module(torch.ones(3, requires_grad=True)).sum().backward()
    assert module.passes == [(False, False)]


def test_backward_recomputes_the_pass_and_says_so():
    module, x = cube(True), torch.tensor([2.0, -1.0], requires_grad=True)
    out = module(x, None)
    assert out.tolist() == [8, -1]
    assert module.passes == [(False, False)]
    out.sum().backward()
    assert module.passes == [(False, False), (True, False)]
    assert x.grad.tolist() == [12, 3]  # 3 x^2
    assert not is_recomputing()


def test_it_can_be_differentiated_twice_and_is_recomputed_each_time():
    module, x = cube(True), torch.tensor([2.0, -1.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    gradient.sum().backward()
    assert x.grad.tolist() == [12, -6]  # 6 x
    assert [recomputing for recomputing, _ in module.passes] == [False, True, True]


def test_recomputation_has_the_autocast_of_the_pass_and_not_that_of_backward():
    module = cube(True)
    with torch.autocast("cpu", torch.bfloat16):
        out = module(torch.ones(3, requires_grad=True))
    out.sum().backward()
    assert module.passes == [(False, True), (True, True)]


def test_a_failed_recomputation_leaves_the_mode():
    def failing(x):
        if is_recomputing():
            raise KeyError("in backward")
        return x * x

    out = checkpoint_activations(failing, torch.ones(3, requires_grad=True))
    with pytest.raises(KeyError):
        out.sum().backward()
    assert not is_recomputing()


def test_without_gradients_nothing_is_checkpointed(monkeypatch):
    monkeypatch.setattr(activation_checkpointing, "checkpoint", None)
    with torch.no_grad():
        assert cube(True)(torch.full((), 2.0)) == 8


def test_checkpointed_modules_are_found_at_any_depth():
    inner, outer = Cube(), Cube()
    network = torch.nn.Sequential(torch.nn.ModuleList([inner]), torch.nn.ReLU())
    assert list(checkpointed_modules(network, outer)) == [inner, outer]
    assert list(checkpointed_modules(torch.nn.ReLU())) == []
