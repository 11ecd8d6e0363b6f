"""Methods and networks that live outside the package train, and are refused only for a reason."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from ssgan.methods.base import Method
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.models.base import AbstractGeneratorConfig
from ssgan.models.norms import AbstractNorm, ConditionalBatchNorm
from ssgan.models.resnet import ResNetGenerator
from ssgan.plots.curves import draw_curves
from ssgan.training.loop import train
from ssgan.types import (
    Batch,
    Discriminator,
    Generator,
    GeneratorInput,
    ImageShape,
    Loss,
    NonFinite,
    UserError,
)
from tests.training.tiny import images, rows_of, tiny, to_the_end
from tests.training.tiny import with_output as writing


@dataclass(frozen=True, kw_only=True)
class Silent(Method):
    """A method that names no terms."""

    factor: float = 1.0  # of both losses

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        return Loss(self.factor * GAN().discriminator_loss(G, D, real, draw).total, {})

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        return Loss(self.factor * GAN().generator_loss(G, D, draw).total, {})


def test_a_method_may_name_no_terms(tmp_path):
    """It trains as the one that does, and its log has the step and the time."""
    config = writing(tiny("gan", method=Silent(), total_steps=2), tensorboard=True)
    digest = to_the_end(config, tmp_path / "silent", images(), trusted=(__name__,))
    rows = rows_of(tmp_path / "silent" / "log.jsonl")
    assert [set(row) for row in rows] == [
        {"step", "images_seen", "D/gradient_norm", "G/gradient_norm"}
    ] * config.total_steps
    named = tiny("gan", method=GAN(), total_steps=2)
    assert digest == to_the_end(named, tmp_path / "named", images())
    with pytest.raises(UserError, match="nothing to draw"):
        draw_curves(tmp_path / "silent", tmp_path / "curves.png")


def test_without_terms_the_network_of_a_bad_number_is_named():
    with pytest.raises(NonFinite, match=r"step 1: .* the gradient of D; the update was refused"):
        next(train(tiny("gan", method=Silent(factor=float("inf"))), images()))


@dataclass(frozen=True, kw_only=True)
class Own(AbstractGeneratorConfig):
    """A conditional family that has no `norm`."""

    reads: bool = True  # what it says of itself

    @property
    def reads_labels(self) -> bool:
        return self.reads

    def build(self, shape: ImageShape, num_classes: int) -> nn.Module:
        return OwnGenerator(self.latent_size, shape, num_classes)


class OwnGenerator(nn.Module):
    def __init__(self, latent_size, shape, num_classes):
        super().__init__()
        self.shape = (shape.channels, shape.size, shape.size)
        self.linear = nn.Linear(latent_size, shape.channels * shape.size**2)
        self.label = nn.Embedding(num_classes, latent_size)

    def forward(self, latents, labels=None):
        return torch.tanh(self.linear(latents + self.label(labels))).unflatten(1, self.shape)


def test_a_conditional_generator_needs_no_norm():
    config = tiny("conditional", generator=Own(latent_size=8), total_steps=1)
    (report,) = train(config, images())
    assert report.step == 1
    assert report.state.generator.label.weight.grad.abs().sum() > 0
    with pytest.raises(UserError, match="needs a generator that reads labels, which Own does not"):
        next(train(replace(config, generator=Own(latent_size=8, reads=False)), images()))


@dataclass(frozen=True, kw_only=True)
class OwnNorm(AbstractNorm):
    """Somebody else's norm that reads labels."""

    def build(self, channels, latent_size, num_classes, spectral=False):
        return ConditionalBatchNorm().build(channels, latent_size, num_classes, spectral)


def test_a_conditional_norm_may_be_somebody_else_s():
    generator = ResNetGenerator(width=1 / 64, latent_size=8, norm=OwnNorm())
    (report,) = train(tiny("conditional", generator=generator, total_steps=1), images())
    assert report.step == 1
    bare = replace(generator, norm=ResNetGenerator().norm)
    with pytest.raises(
        UserError, match=r"needs a generator that reads labels, and generator\.norm is BatchNorm"
    ):
        next(train(tiny("conditional", method=ConditionalGAN(), generator=bare), images()))
