"""One step of training: D's updates, then G's."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.optim import Optimizer

from ssgan.ops.ema import update_ema
from ssgan.ops.modes import frozen
from ssgan.ops.spectral_norm import advance_spectral_norm
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState, ema_halflife, set_learning_rates
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.nonfinite import check_finite, restore_buffers_on_error
from ssgan.training.ranks.gradient_sums import GradientSums
from ssgan.types import Loss


def train_step(
    state: TrainState, feed: Feed, networks: Networks, config: RunConfig
) -> dict[str, Tensor]:
    """Change the state by one step; returns the terms of both losses, detached, on the device."""
    step, method = state.step, config.method.at(state.step / config.total_steps)
    both = (state.generator, state.discriminator)
    set_learning_rates(state, config)
    for update in range(config.discriminator_updates):
        with frozen(state.generator), restore_buffers_on_error(*both):
            advance_spectral_norm(*both, iterations=config.power_iterations)
            parts = zip(networks.at(step, update), feed.discriminator(step, update), strict=True)
            losses = (method.discriminator_loss(G, D, real, draw) for (G, D), (real, draw) in parts)
            d_terms = descend(state.discriminator_optimizer, losses, config.accumulation, "D")
    with frozen(state.discriminator), restore_buffers_on_error(*both):
        moved = both[1:] if config.reuse_fakes else both  # re-used fakes are there already
        advance_spectral_norm(*moved, iterations=config.power_iterations)
        views = networks.at(step, config.discriminator_updates)
        drawn = zip(views, feed.generator(step), strict=True)
        losses = (method.generator_loss(G, D, draw) for (G, D), draw in drawn)
        g_terms = descend(state.generator_optimizer, losses, config.accumulation, "G")
    update_ema(state.generator_ema, state.generator, ema_halflife(state, config))
    state.step += 1
    return d_terms | g_terms


def descend(
    optimizer: Optimizer, losses: Iterator[Loss], parts: int, name: str
) -> dict[str, Tensor]:
    """One update from the mean over parts and ranks; refused when a number is not finite."""
    optimizer.zero_grad(set_to_none=True)
    terms: dict[str, Tensor] = {}
    for number, loss in enumerate(losses, 1):  # one part's graph is alive at a time
        with GradientSums(optimizer, begins=number == parts) as sums:
            torch.autograd.backward(loss.total / parts)
        for term, value in loss.terms.items():
            share = value.detach() / parts
            terms[f"{name}/{term}"] = terms.get(f"{name}/{term}", torch.zeros_like(share)) + share
    terms = check_finite(optimizer, sums.average(terms), name)
    optimizer.step()
    return terms
