"""Adam's moments in a checkpoint, in whatever memory format."""

import torch

from ssgan.runs import checkpoint
from ssgan.runs.fitting import load_optimizer
from ssgan.training.loop import train
from tests.training.ranks import fresh
from tests.training.tiny import images, tiny


def test_a_run_continues_alike_from_moments_in_another_memory_format():
    """A fused Adam pairs the numbers of a weight and of its moments by their places in memory."""
    config = tiny("ssgan", precision="float64")
    ends = []
    for contiguous in (False, True):
        state = fresh(config)
        for report in train(config, images(), state):
            if report.step == 3 and contiguous:
                for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
                    stored = optimizer.state_dict()["state"]
                    table = {
                        number: {name: value.contiguous() for name, value in moments.items()}
                        for number, moments in stored.items()
                    }
                    load_optimizer(optimizer, {"state": table})
        ends.append(torch.cat([t.flatten().double() for t in checkpoint.state_tensors(state)]))
    assert torch.equal(*ends)
