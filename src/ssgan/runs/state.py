"""The training state: everything that a run changes, and what in it follows from the step."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from ssgan.ops.adam import Adam
from ssgan.ops.modes import freeze_for_good
from ssgan.ops.rng import Key
from ssgan.runs.config import AdamConfig, RunConfig
from ssgan.runs.precision import run_dtype, to_device
from ssgan.types import UserError

_RAMP = 0.05  # the half-life is at most this share of the steps done: early weights fade fast


@dataclass
class TrainState:
    """The only mutable object of a run, and all that a checkpoint holds of it.

    Random numbers and the place in the data need no state: both follow from `step`.
    """

    generator: nn.Module
    discriminator: nn.Module
    generator_ema: nn.Module  # G with averaged weights: samples come from it
    generator_optimizer: Adam
    discriminator_optimizer: Adam
    step: int = 0  # generator updates done
    best_score: float | None = None  # the lowest score so far, and its step
    best_step: int = 0
    rollbacks: int = 0  # returns to a checkpoint after a number that is not finite
    evaluated: bool = True  # False: samples or an evaluation due after this step have failed

    def noise_seed(self, seed: int) -> int:
        """The seed of the random numbers of steps: another one after every rollback."""
        return Key(seed, "rollback", self.rollbacks).words[0] if self.rollbacks else seed


def build_generator(config: RunConfig, num_classes: int) -> nn.Module:
    """An untrained G for data with that many classes."""
    num_classes = num_classes if config.method.conditional else 0
    return config.generator.build(config.data.shape, num_classes)


def build_discriminator(config: RunConfig, num_classes: int) -> nn.Module:
    """An untrained D for data with that many classes."""
    num_classes = num_classes if config.method.conditional else 0
    width = config.method.auxiliary_width_for(num_classes)
    return config.discriminator.build(config.data.shape, width, num_classes)


def fresh_state(config: RunConfig, num_classes: int, device: torch.device) -> TrainState:
    """The state before the first step; the same for the same seed on any device.

    Raises UserError when more blocks of D are to be frozen than it has.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(Key(config.seed, "weights").words[0])
        generator = build_generator(config, num_classes)
        discriminator = build_discriminator(config, num_classes)
    dtype = run_dtype(config.precision)
    generator = to_device(generator, device, dtype)
    discriminator = to_device(discriminator, device, dtype)
    freeze_blocks(discriminator, config)
    return TrainState(
        generator=generator,
        discriminator=discriminator,
        generator_ema=copy.deepcopy(generator).requires_grad_(False).eval(),
        generator_optimizer=_adam(generator, config.generator_optimizer),
        discriminator_optimizer=_adam(discriminator, config.discriminator_optimizer),
    )


def freeze_blocks(discriminator: nn.Module, config: RunConfig) -> None:
    """Freeze the lowest blocks of D, as `freeze_discriminator_blocks` says.

    Mo et al., "Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs", 2020. Raises
    UserError when D has fewer blocks, or does not say which they are.
    """
    count, family = config.freeze_discriminator_blocks, type(config.discriminator).__name__
    if count == 0:
        return
    list_blocks = getattr(discriminator, "block_modules", None)
    if list_blocks is None:
        raise UserError(
            f"freeze_discriminator_blocks {count}: {family} does not name its blocks: its module "
            "needs a method block_modules() that returns the modules of each"
        )
    blocks = list_blocks()
    if count > len(blocks):
        raise UserError(
            f"freeze_discriminator_blocks {count} is more than the {len(blocks)} blocks of "
            f"{family} at {config.data.image_size} pixels: give 0 to {len(blocks)}"
        )
    freeze_for_good(module for block in blocks[:count] for module in block)


def _adam(network: nn.Module, config: AdamConfig) -> Adam:
    betas = (config.beta1, config.beta2)
    return Adam(network.parameters(), lr=config.learning_rate, betas=betas, fused=True)


def set_learning_rates(state: TrainState, config: RunConfig) -> None:
    """Set the rates for the next step: constant, or linear from step 0 down to 0 at total_steps."""
    left = 1 - state.step / config.total_steps if config.learning_rate_decay == "linear" else 1.0
    for optimizer, adam in (
        (state.generator_optimizer, config.generator_optimizer),
        (state.discriminator_optimizer, config.discriminator_optimizer),
    ):
        for group in optimizer.param_groups:
            group["lr"] = adam.learning_rate * left


def ema_halflife(state: TrainState, config: RunConfig) -> float:
    """The half-life in steps for the update after state.step; 0 makes the average a copy of G."""
    if state.step < config.ema_start_step:
        return 0.0
    return min(config.ema_halflife_steps, _RAMP * (state.step + 1))
