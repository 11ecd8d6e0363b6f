"""The loop is an iterator: its consumer decides what happens between steps."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.data.prepare import prepare
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import resolve_device, resolve_precision
from ssgan.runs.state import TrainState
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.ranks.sharding import (
    discard_shards,
    shard_state,
    shards,
    translate_lost_peer,
)
from ssgan.training.resume import begin_from_model
from ssgan.training.step import train_step
from ssgan.training.validation import validate_dataset
from ssgan.types import NonFinite


@dataclass(frozen=True)
class StepReport:
    """What one step did."""

    step: int  # steps done, this one included
    terms: dict[str, Tensor]  # "D/rotation", "G/adversarial", ...: scalars, still on the device
    # after the step; the next report changes it in place. With shard_state every rank has a part:
    # `gather_state` makes it whole
    state: TrainState


def train(
    config: RunConfig, dataset: Dataset | None = None, state: TrainState | None = None
) -> Iterator[StepReport]:
    """Train from `state` (or from the start) to total_steps, one report a step; writes no file.

    Without a dataset the config's source is prepared in the default cache. Raises UserError for
    settings that do not fit the data, NonFinite before a number that is not finite is used.
    """
    config = resolve_config(config)
    if dataset is None:
        dataset = prepare(config.data.source, config.data.preprocessing)
    valid = validate_dataset(config, dataset, state=state)
    if state is None:
        begin_from_model(valid, config, dataset.classes)
    feed = Feed(config, dataset, resolve_device(config.device))
    yield from train_steps(config, feed, valid)


def train_steps(config: RunConfig, feed: Feed, state: TrainState) -> Iterator[StepReport]:
    """The steps of `train`, of a config and a state that are validated already."""
    feed = feed.with_seed(state.noise_seed(config.seed))
    if shards(config):
        shard_state(state)
    networks = Networks(config, state, feed.device)
    while state.step < config.total_steps:
        try:
            with translate_lost_peer() if shards(config) else nullcontext():
                terms = train_step(state, feed, networks, config)
        except NonFinite as refusal:
            discard_shards(state, config, feed.dataset.num_classes)
            raise NonFinite(f"step {state.step + 1}: {refusal}") from None
        yield StepReport(state.step, terms, state)


def resolve_config(config: RunConfig) -> RunConfig:
    """The config with precision "auto" resolved for its device."""
    device = resolve_device(config.device)
    return replace(config, precision=resolve_precision(config.precision, device))
