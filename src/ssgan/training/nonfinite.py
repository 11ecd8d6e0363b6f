"""No update with a number that is not finite ever changes the state."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ssgan.config.serialize import dump
from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import same_metric
from ssgan.files import jsonl
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.resume import list_modules, resume
from ssgan.types import NonFinite, UserError


def check_finite(optimizer: Optimizer, terms: dict[str, Tensor], network: str) -> dict[str, Tensor]:
    """The terms; raises NonFinite when one, or a gradient about to be used, is not finite."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    norms = torch.stack(torch._foreach_norm(gradients))
    values = [value.to(norms.dtype) for value in terms.values()]
    if torch.isfinite(torch.stack([norms.sum(), *values]).sum()):  # the only wait for the device
        return terms
    bad = [name for name, value in terms.items() if not torch.isfinite(value)]
    what = ", ".join(bad) if bad else f"the gradient of {network}"
    raise NonFinite(f"not a finite number: {what}; the update was refused")


@contextmanager
def restore_buffers_on_error(*networks: nn.Module) -> Iterator[None]:
    """Within, an update that is refused restores the buffers that it has changed.

    They are small: the statistics of batch norm, and the vectors of spectral norm.
    """
    buffers = [buffer for network in networks for buffer in network.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    except NonFinite:
        for buffer, old in zip(buffers, before, strict=True):
            buffer.copy_(old)
        raise


_LOG = logging.getLogger("ssgan")
MAX_RETRIES = 3  # times back to one checkpoint, before the run ends


class RetryBudget:
    """Counts how often a run has gone back to its newest checkpoint; the same on every rank."""

    def __init__(self, step: int) -> None:
        self.step, self.times = step, 0

    def saved(self, step: int) -> None:
        """A newer checkpoint is there: the count starts anew."""
        self.step, self.times = step, 0

    def again(self, refusal: NonFinite) -> None:
        """Raise NonFinite when it has gone back often enough."""
        if self.times == MAX_RETRIES:
            raise NonFinite(
                f"{refusal}; going back to step {self.step} for other random numbers has not "
                f"helped {MAX_RETRIES} times"
            ) from None
        self.times += 1


def roll_back(
    layout: RunDirectory,
    config: RunConfig,
    dataset: Dataset,
    state: TrainState,
    facts: Mapping[str, object],
    refusal: NonFinite,
) -> Path:
    """Put the newest checkpoint (or the start) into the state and the directory, and save it so.

    The best score so far stays, even of a step that is given up. The count of rollbacks is one
    higher than the state's was, and stored at once: whatever then happens to the process, these
    steps are not tried with the same numbers again.
    """
    rollbacks = state.rollbacks + 1
    _start_over(config, dataset, state)
    resume(layout, config, dataset, state)
    _keep_best(layout, config, state)
    state.rollbacks = rollbacks
    newest = checkpoint.save(layout, state, dict(facts))
    words = f"{refusal}; back to step {state.step}, and on with other random numbers"
    _LOG.warning("%s", words)
    row = {"step": state.step, "verdict": "diverged", "alarm": "rolled back", "evidence": [words]}
    jsonl.append(layout.events, row)
    return newest


def _keep_best(layout: RunDirectory, config: RunConfig, state: TrainState) -> None:
    """The best so far may be of the steps that are given up: its file stays, and so its score.

    It has taken the place of the one that the checkpoint knew, and is as good a generator as ever.
    """
    try:
        best = checkpoint.load_checkpoint(layout.best_checkpoint(), list_modules(dump(config)))
    except (checkpoint.Damaged, UserError):  # or there is none yet
        return
    if best.best_score is None or not same_metric(best.config.evaluate, config.evaluate):
        return
    if state.best_score is None or best.best_score < state.best_score:
        state.best_score, state.best_step = best.best_score, best.best_step


def _start_over(config: RunConfig, dataset: Dataset, state: TrainState) -> None:
    """Make the state a fresh one, in place: what is left where there is no checkpoint yet."""
    device: torch.device = next(state.generator.parameters()).device
    fresh = fresh_state(config, dataset.num_classes, device)
    for name in checkpoint.PARTS:
        getattr(state, name).load_state_dict(getattr(fresh, name).state_dict())
    state.step, state.best_score, state.best_step = 0, None, 0
