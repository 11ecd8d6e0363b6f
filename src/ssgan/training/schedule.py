"""What changes with the step: learning rates, and the ramp of the average."""

from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState

_RAMP = 0.05  # the half-life is at most this share of the steps done: early weights fade fast


def set_learning_rates(state: TrainState, config: RunConfig) -> None:
    """Constant, or linear from the full rate at step 0 to 0 at total_steps."""
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
