"""What a run leaves behind beside checkpoints: log lines, scalars, sample sheets, scores."""

import math
import time
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
from ssgan.training.loop import StepReport
from ssgan.training.quality import NAME, Quality
from ssgan.training.sampling import generate, latents_of
from ssgan.training.state import TrainState


class Records:
    """Writes the records of a run; use it as a context, so that they are closed."""

    def __init__(
        self, layout: RunLayout, config: RunConfig, dataset: Dataset, state: TrainState
    ) -> None:
        self.layout, self.config, self.dataset = layout, config, dataset
        self.board = Board(layout.tensorboard, state.step) if config.output.tensorboard else None
        self.quality: Quality | None = None
        self.score: float | None = None
        rows = list(jsonlines.read(layout.log))
        spent = rows[-1].get("seconds", 0.0) if rows else 0.0
        assert isinstance(spent, int | float)
        self._started = time.monotonic() - spent

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

    def record(self, report: StepReport) -> dict[str, float] | None:
        """Write what is due after this step; returns the terms when they were logged.

        Sets state.best_score and state.best_step when a score is the best so far.
        """
        output, last = self.config.output, report.step == self.config.total_steps
        terms = None
        if report.step % output.log_every == 0 or last:
            terms = {name: float(value) for name, value in report.terms.items()}
            self._log(report.step, terms)
        if last or _due(report.step, output.sample_every):
            self._draw_samples(report)
        if output.score_every and (last or _due(report.step, output.score_every)):
            self._score(report)
        return terms

    def _log(self, step: int, terms: dict[str, float]) -> None:
        seen = step * self.config.discriminator_updates * self.config.batch_size
        row = {"step": step, "images_seen": seen, "seconds": time.monotonic() - self._started}
        jsonlines.append(self.layout.log, {**row, **terms})
        if self.board is not None:
            self.board.scalars(step, terms)

    def _draw_samples(self, report: StepReport) -> None:
        columns = self.config.output.sample_rows
        latents = self._latents("samples", columns**2)
        images = generate(report.state.generator_ema, latents, self._labels(columns**2, columns))
        save_png(self.layout.sample(report.step), sheet(images, columns))
        if self.board is not None:
            self.board.image(report.step, np.asarray(sheet(images, columns).convert("RGB")))

    def _score(self, report: StepReport) -> None:
        self.quality = self.quality or Quality(self.config, self.dataset)
        count, state = self.config.output.score_images, report.state
        self.score = self.quality.score(
            state.generator_ema, self._latents("score", count), self._labels(count, 1)
        )
        row = {"step": report.step, "name": NAME, "value": self.score, **self.quality.protocol()}
        jsonlines.append(self.layout.metrics, row)
        if self.board is not None:
            self.board.scalars(report.step, {NAME: self.score})
        best = math.inf if state.best_score is None else state.best_score
        if math.isfinite(self.score) and self.score < best:
            state.best_score, state.best_step = self.score, report.step

    def _latents(self, purpose: str, count: int) -> Tensor:
        return latents_of(self.config.seed, purpose, count, self.config.generator.latent_size)

    def _labels(self, count: int, repeat: int) -> Tensor | None:
        """With labels: each class `repeat` times, then the next, over and over."""
        if not self.config.method.conditional:
            return None
        return torch.arange(count) // repeat % self.dataset.num_classes


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
