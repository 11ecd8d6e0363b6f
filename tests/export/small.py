"""Small models of every family, with weights large enough that images vary."""

from dataclasses import replace
from pathlib import Path

import torch

from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.norms import ConditionalBatchNorm, LayerNorm, SelfModulatedBatchNorm
from ssgan.runs.config import RunConfig
from ssgan.runs.model_file import StoredModel
from ssgan.runs.state import fresh_state
from tests.models.families import FAMILIES
from tests.training.tiny import tiny

CLASSES = tuple("abcde")


def settings(name: str) -> RunConfig:
    """A run whose networks are of that family or kind."""
    config = tiny("conditional" if name in ("conditional", "biggan") else "ssgan")
    data = config.data
    if name == "biggan":  # with attention, and chunks of latents with labels
        norm = ConditionalBatchNorm(gamma_offset=True)
        sizes = {"width": 1 / 48, "attention": 8}
        return replace(
            config,
            generator=BigGANGenerator(latent_size=8, norm=norm, label_features=4, **sizes),
            discriminator=BigGANDiscriminator(**sizes),
        )
    if name == "sprites":  # transparent rectangles
        return replace(config, data=replace(data, channels=4, fit="squash", ratio=1.5))
    if name == "grey":
        return replace(config, data=replace(data, channels=1))
    if name == "self-modulated":
        norm = SelfModulatedBatchNorm(hidden=4)
        spec = replace(config.generator, norm=norm, upsampling="nearest", spectral=True)
        return replace(config, generator=replace(spec, latents="uniform"))
    if name == "bilinear":
        spec = replace(config.generator, upsampling="bilinear", shortcut="1x1", norm=LayerNorm())
        return replace(config, generator=spec)
    if name in FAMILIES:
        family = FAMILIES[name]
        return replace(config, generator=family.generator, discriminator=family.discriminator)
    return config


def build_model(name: str = "ssgan") -> StoredModel:
    """A model that was never trained; its weights and statistics are noise."""
    config = settings(name)
    state = fresh_state(config, len(CLASSES), torch.device("cpu"))
    draw, scale = torch.Generator().manual_seed(0), 3 if name == "dcgan" else 1
    for network in (state.generator_ema, state.discriminator):
        for weight in network.parameters():
            fan_in = weight[0].numel() if weight.ndim > 1 else 1
            noise = torch.randn(weight.shape, generator=draw) / fan_in**0.5
            weight.data += noise * scale if weight.ndim > 1 else noise
        for key, buffer in network.named_buffers():
            if key.endswith("running_var"):
                buffer += torch.rand(buffer.shape, generator=draw)
    parts = ("generator_ema", "generator", "discriminator")
    return StoredModel(
        path=Path("run"),
        config=config,
        classes=CLASSES,
        step=7,
        source="scenes",
        version="0.1.0",
        tensors={name: getattr(state, name).state_dict() for name in parts},
    )
