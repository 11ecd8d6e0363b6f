"""An update with a number that is not finite is refused, and the run goes back and tries again."""

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
from ssgan.files.sealed_file import Damaged
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import list_modules
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.resume import resume
from ssgan.types import NonFinite, UserError

_LOG = logging.getLogger("ssgan")
MAX_RETRIES = 3  # rollbacks to one checkpoint, before the run ends


def check_finite(optimizer: Optimizer, terms: dict[str, Tensor], network: str) -> dict[str, Tensor]:
    """The terms; raises NonFinite when one of them, or a gradient, is not finite."""
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
    """Within, a NonFinite restores the buffers: statistics of batch norm, and singular vectors."""
    buffers = [buffer for network in networks for buffer in network.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    except NonFinite:
        for buffer, old in zip(buffers, before, strict=True):
            buffer.copy_(old)
        raise


class RetryBudget:
    """Counts the rollbacks to the newest checkpoint; the same on every rank."""

    def __init__(self, step: int) -> None:
        self.reset(step)

    def reset(self, step: int) -> None:
        """Count from zero: a checkpoint was saved after this step."""
        self.step, self.spent = step, 0

    def spend(self, refusal: NonFinite) -> None:
        """Count one more rollback; raises NonFinite when there were MAX_RETRIES."""
        if self.spent == MAX_RETRIES:
            raise NonFinite(
                f"{refusal}; {MAX_RETRIES} rollbacks to step {self.step} with other random numbers "
                "did not help"
            ) from None
        self.spent += 1


def roll_back(
    layout: RunDirectory,
    config: RunConfig,
    dataset: Dataset,
    state: TrainState,
    facts: Mapping[str, object],
    refusal: NonFinite,
) -> Path:
    """Restore the newest checkpoint (or the start) with one more rollback, and save it.

    The best score stays, even that of a step that is undone. The count is saved at once: whatever
    happens to the process, these steps never see the same random numbers again.
    """
    rollbacks = state.rollbacks + 1
    _restart(config, dataset, state)
    resume(layout, config, dataset, state)
    _keep_best(layout, config, state)
    state.rollbacks = rollbacks
    newest = checkpoint.save(layout, state, dict(facts))
    words = f"{refusal}; rolled back to step {state.step}, continuing with other random numbers"
    _LOG.warning("%s", words)
    row = {"step": state.step, "verdict": "diverged", "alarm": "rolled back", "evidence": [words]}
    jsonl.append(layout.events, row)
    return newest


def _keep_best(layout: RunDirectory, config: RunConfig, state: TrainState) -> None:
    """Take over the score of best/, which may be of an undone step: its generator is as good."""
    try:
        best = checkpoint.load_checkpoint(layout.best_checkpoint(), list_modules(dump(config)))
    except (Damaged, UserError):  # or there is none yet
        return
    if best.best_score is None or not same_metric(best.config.evaluate, config.evaluate):
        return
    if state.best_score is None or best.best_score < state.best_score:
        state.best_score, state.best_step = best.best_score, best.best_step


def _restart(config: RunConfig, dataset: Dataset, state: TrainState) -> None:
    """Make the state a fresh one, in place."""
    device: torch.device = next(state.generator.parameters()).device
    fresh = fresh_state(config, dataset.num_classes, device)
    for name in checkpoint.PARTS:
        getattr(state, name).load_state_dict(getattr(fresh, name).state_dict())
    state.step, state.best_score, state.best_step = 0, None, 0
