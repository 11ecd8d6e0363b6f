"""The loop is an iterator: whoever consumes it decides what happens between steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.data.prepare import default_cache, prepare
from ssgan.ops.collective import num_ranks
from ssgan.runs.config import DataConfig, RunConfig
from ssgan.runs.precision import resolve_device, resolve_precision
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.feed import Feed
from ssgan.training.networks import Networks
from ssgan.training.step import train_step
from ssgan.training.validation import (
    check_compile,
    check_given_labels,
    check_labels,
    check_parts,
    check_ranks,
    check_recompute,
)
from ssgan.types import NonFinite


@dataclass(frozen=True)
class StepReport:
    """What one step did."""

    step: int  # steps done, this one included
    terms: dict[str, Tensor]  # "D/rotation", "G/adversarial", ...: scalars, still on the device
    state: TrainState  # after the step; it changes when the next report is asked for


def train(
    config: RunConfig, dataset: Dataset | None = None, state: TrainState | None = None
) -> Iterator[StepReport]:
    """Train from `state` (or from the start) to total_steps, one report a step.

    Without a dataset the config's source is prepared, or found prepared, in the default cache.
    Raises UserError for settings that do not fit the data, NonFinite before bad numbers are used.
    """
    config = resolve_config(config)
    dataset = open_dataset(config.data) if dataset is None else dataset
    check_labels(config, dataset.num_classes)
    check_parts(config, dataset.num_classes)
    check_compile(config)
    check_given_labels(config, dataset)
    device = resolve_device(config.device)
    state = fresh_state(config, dataset.num_classes, device) if state is None else state
    check_recompute(config, state)
    check_ranks(config, state, num_ranks())
    feed = Feed(config, dataset, device, state.noise_seed(config.seed))
    networks = Networks(config, state, device)
    while state.step < config.total_steps:
        try:
            terms = train_step(state, feed, networks, config)
        except NonFinite as refusal:
            raise NonFinite(f"step {state.step + 1}: {refusal}") from None
        yield StepReport(state.step, terms, state)


def open_dataset(data: DataConfig) -> Dataset:
    """The prepared images of a config, made now if need be."""
    return prepare(data.source, data.preprocessing, default_cache())


def resolve_config(config: RunConfig) -> RunConfig:
    """The config with its precision made definite for this machine."""
    device = resolve_device(config.device)
    return replace(config, precision=resolve_precision(config.precision, device))
