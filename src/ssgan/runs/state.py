"""Everything that a run changes."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import Adam

from ssgan.ops.rng import Key
from ssgan.runs.config import AdamConfig, RunConfig
from ssgan.runs.precision import run_dtype, to_device


@dataclass
class TrainState:
    """The only mutable thing of a run, and all that a checkpoint holds of it.

    No state of a random-number generator and no place in the data: both follow from `step`.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_ema: nn.Module  # the average of G's weights: what samples are made with
    generator_optimizer: Adam
    discriminator_optimizer: Adam
    step: int = 0  # generator updates done
    best_score: float | None = None  # the lowest quality score so far, and its step
    best_step: int = 0
    rollbacks: int = 0  # times that it went back to a checkpoint after a number that is not finite
    evaluated: bool = True  # False: what is due after this step (sheet, evaluation) has failed

    def noise_seed(self, seed: int) -> int:
        """The seed of what steps draw: another one after every rollback."""
        return Key(seed, "rollback", self.rollbacks).words[0] if self.rollbacks else seed


def fresh_state(config: RunConfig, num_classes: int, device: torch.device) -> TrainState:
    """The state before the first step; the same for the same seed on any device."""
    num_classes = num_classes if config.method.conditional else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Key(config.seed, "weights").words[0])
        generator = config.generator.build(config.data.shape, num_classes)
        discriminator = config.discriminator.build(
            config.data.shape, config.method.auxiliary_width_for(num_classes), num_classes
        )
    dtype = run_dtype(config.precision)
    generator = to_device(generator, device, dtype)
    discriminator = to_device(discriminator, device, dtype)
    return TrainState(
        generator=generator,
        discriminator=discriminator,
        generator_ema=copy.deepcopy(generator).requires_grad_(False).eval(),
        generator_optimizer=_adam(generator, config.generator_optimizer),
        discriminator_optimizer=_adam(discriminator, config.discriminator_optimizer),
    )


def _adam(network: nn.Module, config: AdamConfig) -> Adam:
    betas = (config.beta1, config.beta2)
    return Adam(network.parameters(), lr=config.learning_rate, betas=betas, fused=True)
