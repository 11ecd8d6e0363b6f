"""What a run leaves behind beside checkpoints: logs, scalars, sample sheets, measures, events."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from ssgan.data.dataset import Dataset
from ssgan.files import jsonlines
from ssgan.files.layout import RunLayout
from ssgan.files.picture import save_png, sheet
from ssgan.training.board import Board
from ssgan.training.config import RunConfig
from ssgan.training.evaluation import Evaluation
from ssgan.training.logged import log_lines
from ssgan.training.loop import StepReport
from ssgan.training.measure import Measure, key_of
from ssgan.training.sampling import generate, latents_of
from ssgan.training.score import score_name
from ssgan.training.state import TrainState
from ssgan.training.watch import Event, watch_files

_LOG = logging.getLogger("ssgan")


class Records:
    """Writes the records of a run; use it as a context, so that they are closed."""

    def __init__(
        self,
        layout: RunLayout,
        config: RunConfig,
        dataset: Dataset,
        held_out: Dataset | None,
        state: TrainState,
    ) -> None:
        self.layout, self.config, self.dataset = layout, config, dataset
        self.held_out = held_out
        self.evaluation: Evaluation | None = None
        self.score: float | None = None
        self.is_best = False  # whether the last step recorded has the lowest score so far
        self.watch = watch_files(layout)
        rows = log_lines(layout)
        spent = rows[-1].get("seconds", 0.0) if rows else 0.0
        assert isinstance(spent, int | float)
        self._started = time.monotonic() - spent
        self.board = Board(layout.tensorboard, state.step) if config.output.tensorboard else None

    def __enter__(self) -> "Records":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.board is not None:
            self.board.close()

    def log(self, report: StepReport) -> dict[str, float] | None:
        """Write the line of this step, where it is logged; returns its terms then."""
        last = report.step == self.config.total_steps
        if not last and report.step % self.config.output.log_every:
            return None
        terms = {name: float(value) for name, value in report.terms.items()}
        self._log(report.step, terms)
        return terms

    def look(self, state: TrainState) -> None:
        """Draw and measure what is due after the step of this state.

        Sets state.best_score and state.best_step when the score is the lowest so far. What fails
        may leave measures, which are to be cut off before it is tried again.
        """
        self.is_best, last = False, state.step == self.config.total_steps
        if last or _due(state.step, self.config.output.sample_every):
            self._draw_samples(state)
        every = self.config.evaluate.every
        if every and (last or _due(state.step, every)):
            self._evaluate(state)

    def _log(self, step: int, terms: dict[str, float]) -> None:
        seen = step * self.config.discriminator_updates * self.config.batch_size
        row = {"step": step, "images_seen": seen, "seconds": time.monotonic() - self._started}
        jsonlines.append(self.layout.log, {**row, **terms})
        self._tell(self.watch.log_line({**row, **terms}))
        if self.board is not None:
            self.board.scalars(step, terms)

    def _draw_samples(self, state: TrainState) -> None:
        columns = self.config.output.sample_rows
        latents = self._latents("samples", columns**2)
        images = generate(state.generator_ema, latents, self._labels(columns**2, columns))
        save_png(self.layout.sample(state.step), sheet(images, columns))
        if self.board is not None:
            self.board.image(state.step, np.asarray(sheet(images, columns).convert("RGB")))

    def _evaluate(self, state: TrainState) -> None:
        """Measure, write, ask the watch. The log's seconds stand still meanwhile."""
        started = time.monotonic()
        _LOG.info("step %d: evaluating", state.step)
        self.evaluation = self.evaluation or Evaluation(
            self.layout, self.config, self.dataset, self.held_out
        )
        measures = self.evaluation.measures(state)
        rows = [measure.row(state.step) for measure in measures]
        for row in rows:
            jsonlines.append(self.layout.metrics, row)
        if self.board is not None:
            self.board.scalars(state.step, _finite(rows))
        events = self.watch.evaluation(rows)
        seconds = time.monotonic() - started
        self._started += seconds
        state_now = self.watch.verdict.state
        _LOG.info("step %d: evaluated in %.1f s: %s", state.step, seconds, state_now)
        self._tell(events)
        self._choose_best(state, measures)  # last: a failure before leaves the best as it was

    def _choose_best(self, state: TrainState, measures: Sequence[Measure]) -> None:
        name = score_name(self.config.evaluate)
        scores = [measure.value for measure in measures if measure.name == name]
        if not scores:
            return
        (self.score,) = scores
        best = math.inf if state.best_score is None else state.best_score
        if math.isnan(best):  # of a run that took such a score for its best
            best = math.inf
        self.is_best = self.score < best
        if self.is_best:
            state.best_score, state.best_step = self.score, state.step

    def _tell(self, events: Sequence[Event]) -> None:
        """Write what the watch has to say, and warn of what is not healthy."""
        for event in events:
            jsonlines.append(self.layout.events, event.row())
            level = logging.INFO if event.verdict == "healthy" else logging.WARNING
            _LOG.log(level, "step %d: %s: %s", event.step, event.verdict, "; ".join(event.evidence))

    def _latents(self, purpose: str, count: int) -> Tensor:
        return latents_of(self.config.generator, self.config.seed, purpose, count)

    def _labels(self, count: int, repeat: int) -> Tensor | None:
        """With labels: each class `repeat` times, then the next, over and over."""
        if not self.config.method.conditional:
            return None
        return torch.arange(count) // repeat % self.dataset.num_classes


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _finite(rows: Sequence[Mapping[str, object]]) -> dict[str, float]:
    """The measures that a curve can show, by name."""
    return {key_of(row): row["value"] for row in rows if isinstance(row["value"], float)}
