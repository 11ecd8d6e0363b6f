"""After a number that is not finite: back to the newest checkpoint, on with other random numbers.

Everything random is a function of the seed and the step, so the same step would fail again. How
often a run has gone back is therefore a part of its state, and of the seed of what steps draw.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch

from ssgan.config.dump import dump
from ssgan.data.dataset import Dataset
from ssgan.files import jsonlines
from ssgan.files.layout import RunLayout
from ssgan.training import checkpoint
from ssgan.training.config import RunConfig
from ssgan.training.resume import modules_of, resume
from ssgan.training.score import same_score
from ssgan.training.state import TrainState, fresh_state
from ssgan.types import NonFinite, UserError

_LOG = logging.getLogger("ssgan")
MOST = 3  # times back to one checkpoint, before the run ends


class Patience:
    """Counts how often a run has gone back to its newest checkpoint; the same on every rank."""

    def __init__(self, step: int) -> None:
        self.step, self.times = step, 0

    def saved(self, step: int) -> None:
        """A newer checkpoint is there: the count starts anew."""
        self.step, self.times = step, 0

    def again(self, refusal: NonFinite) -> None:
        """Raise NonFinite when it has gone back often enough."""
        if self.times == MOST:
            raise NonFinite(
                f"{refusal}; going back to step {self.step} for other random numbers has not "
                f"helped {MOST} times"
            ) from None
        self.times += 1


def roll_back(
    layout: RunLayout,
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
    jsonlines.append(layout.events, row)
    return newest


def _keep_best(layout: RunLayout, config: RunConfig, state: TrainState) -> None:
    """The best so far may be of the steps that are given up: its file stays, and so its score.

    It has taken the place of the one that the checkpoint knew, and is as good a generator as ever.
    """
    try:
        best = checkpoint.read(layout.best_checkpoint(), modules_of(dump(config)))
    except (checkpoint.Damaged, UserError):  # or there is none yet
        return
    if best.best_score is None or not same_score(best.config.evaluate, config.evaluate):
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
