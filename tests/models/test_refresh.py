"""Running statistics made anew, against means by hand."""

import pytest
import torch
from torch import nn

from ssgan.models.norms import BatchNorm, ConditionalBatchNorm, refresh_statistics
from ssgan.models.resnet import ResNetGenerator
from ssgan.types import ImageShape

DRAWS = [
    (torch.randn(4, 6, generator=torch.Generator().manual_seed(seed)), torch.tensor([0, 2, 1, 2]))
    for seed in range(3)
]


class TwoNorms(nn.Module):
    """A norm, a map, a norm: what the second sees depends on what the first does."""

    def __init__(self):
        super().__init__()
        self.first, self.second = BatchNorm().build(6, 6, 0), BatchNorm().build(2, 6, 0)
        self.map = nn.Linear(6, 2)

    def forward(self, latents, labels=None):
        return self.second(self.map(self.first(latents, latents, labels)), latents, labels)


def test_the_statistics_are_the_means_of_the_batches_own():
    torch.manual_seed(0)
    generator = TwoNorms().eval()
    refresh_statistics(generator, DRAWS)
    firsts = [z for z, _ in DRAWS]
    normed = [(z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt() for z in firsts]
    seconds = [generator.map(x).detach() for x in normed]
    for norm, batches in ((generator.first, firsts), (generator.second, seconds)):
        mean = torch.stack([batch.mean(0) for batch in batches]).mean(0)
        variance = torch.stack([batch.var(0) for batch in batches]).mean(0)  # unbiased
        torch.testing.assert_close(norm.statistics.running_mean, mean)
        torch.testing.assert_close(norm.statistics.running_var, variance)


def small(norm):
    torch.manual_seed(0)
    config = ResNetGenerator(latent_size=6, width=4 / 256, norm=norm, spectral=True)
    return config.build(ImageShape(3, 32), 3)


def state(generator):
    return {name: value.clone() for name, value in generator.state_dict().items()}


@pytest.mark.parametrize("training", [False, True])
def test_nothing_else_moves(training):
    generator = small(ConditionalBatchNorm()).train(training)
    generator.blocks[0].eval()
    modes = [module.training for module in generator.modules()]
    before = state(generator)
    refresh_statistics(generator, DRAWS)
    for name, value in generator.state_dict().items():
        assert torch.equal(value, before[name]) != ("running" in name), name
    assert [module.training for module in generator.modules()] == modes
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_what_was_there_before_has_no_weight():
    one, other = small(ConditionalBatchNorm()), small(ConditionalBatchNorm())
    for _ in range(3):
        other(torch.randn(4, 6), DRAWS[0][1])
    refresh_statistics(one, DRAWS)
    refresh_statistics(other, DRAWS)
    for ours, theirs in zip(one.buffers(), other.buffers(), strict=True):
        assert torch.equal(ours, theirs)


def test_an_interruption_leaves_the_old_statistics():
    def interrupted():
        yield DRAWS[0]
        raise KeyboardInterrupt

    for draws, error in ((interrupted(), KeyboardInterrupt), ([], ValueError)):
        generator = small(ConditionalBatchNorm())
        generator(*DRAWS[1])
        generator.eval()
        before = state(generator)
        with pytest.raises(error):
            refresh_statistics(generator, draws)
        assert all(torch.equal(v, before[name]) for name, v in generator.state_dict().items())
        assert not any(module.training for module in generator.modules())
