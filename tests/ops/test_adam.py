"""Adam without PyTorch's compiler, against PyTorch's own."""

import copy
import subprocess
import sys

import torch

from ssgan.ops.adam import Adam

TRAIN = """
import sys
from ssgan.cli.main import main
code = main(["train", "scenes:ssgan", "--data", "scenes:num_images=64", "--run", sys.argv[1],
             "--total_steps", "2", "--batch_size", "4", "--generator.width", "0.0625",
             "--discriminator.width", "0.0625", "--evaluate.every", "0"])
print([code, *(name for name in ("torch._dynamo", "sympy") if name in sys.modules)])
"""


def steps(kind, count=3, load=None):
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(3, 5)), torch.nn.Parameter(torch.randn(7))]
    optimizer = kind(weights, lr=0.1, betas=(0.5, 0.9), fused=True)
    if load is not None:
        optimizer.load_state_dict(copy.deepcopy(load))  # it keeps the tensors that it is given
    for _ in range(count):
        optimizer.zero_grad(set_to_none=True)
        assert all(weight.grad is None for weight in weights)
        sum((weight**3).sum() for weight in weights).backward()
        optimizer.step()
    return weights, optimizer.state_dict()


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_its_steps_and_state_are_pytorch_s_to_the_bit():
    (weights, state), (expected, other) = steps(Adam), steps(torch.optim.Adam)
    same(weights, expected)
    assert state["param_groups"] == other["param_groups"]
    for index, moments in other["state"].items():
        same(state["state"][index].values(), moments.values())
    same(steps(Adam, 2, load=other)[0], steps(torch.optim.Adam, 2, load=other)[0])


def test_a_run_loads_no_compiler(tmp_path):
    command = [sys.executable, "-c", TRAIN, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[-1] == "[0]", done.stdout + done.stderr
