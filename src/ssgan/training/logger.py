"""What a run records: log lines, metrics, events and samples, and copies for others."""

import logging
import math
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import metric_name
from ssgan.files import jsonl
from ssgan.files.image_grid import image_grid, save_png, stretch
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.runs.sampling import generate_pixels, sample_latents
from ssgan.runs.state import TrainState
from ssgan.training.evaluator import Evaluator, is_evaluated
from ssgan.training.history import EvaluationRow, curve_name, read_log
from ssgan.training.loop import StepReport
from ssgan.training.monitor import Event, monitor_directory
from ssgan.training.tracker import Tracker, Tracking

_LOG = logging.getLogger("ssgan")


class TensorBoardLog:
    """An event file from one step on, which hides what an earlier process wrote beyond that step.

    Each event is written when its call returns. TensorBoard's own writer has a thread for it, and
    on a full disk that thread dies with a traceback that nobody can catch.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboard.compat.proto import event_pb2  # slow to import, so only when used
        from tensorboard.summary.writer.record_writer import RecordWriter
        from torch.utils.tensorboard import summary

        self._event: Any = event_pb2.Event
        self._summary: Any = summary
        folder.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self._records = RecordWriter((folder / name).open("xb"))
        self._write(0, file_version="brain.Event:2")
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._write(step + 1, session_log=start)

    def add_scalars(self, step: int, values: dict[str, float]) -> None:
        """One point on each named curve."""
        for name, value in values.items():
            self._write(step, summary=self._summary.scalar(name, value))

    def add_image(self, step: int, grid: NDArray[np.uint8]) -> None:
        """A grid of samples, uint8 [H, W, 3]."""
        self._write(step, summary=self._summary.image("samples", grid, dataformats="HWC"))

    def close(self) -> None:
        """Close the file; everything is in it already."""
        self._records.close()

    def _write(self, step: int, **content: object) -> None:
        event = self._event(wall_time=time.time(), step=step, **content)
        self._records.write(event.SerializeToString())
        self._records.flush()


class RunLogger:
    """Logs, samples and evaluates a run, from one step on."""

    def __init__(
        self,
        layout: RunDirectory,
        config: RunConfig,
        dataset: Dataset,
        held_out: Dataset | None,
        step: int,
        tracking: Tracking | None = None,
    ) -> None:
        self.layout, self.config, self.dataset = layout, config, dataset
        self.held_out = held_out
        self.score: float | None = None  # the newest
        self.is_best = False  # whether the last step evaluated has the lowest score so far
        self.monitor = monitor_directory(layout, config)
        self._evaluator: Evaluator | None = None  # built at the first evaluation
        rows = read_log(layout)
        seconds = rows[-1].get("seconds", 0.0) if rows else 0.0
        assert isinstance(seconds, int | float)
        self._started = time.monotonic() - seconds
        self._tensorboard: TensorBoardLog | None = None
        if config.output.tensorboard:
            self._tensorboard = TensorBoardLog(layout.tensorboard, step)
        self._tracker = None if tracking is None else Tracker(tracking, layout, config)

    def close(self) -> None:
        """Close the files and end the tracker."""
        if self._tracker is not None:
            self._tracker.close()
        if self._tensorboard is not None:
            self._tensorboard.close()

    def log(self, report: StepReport) -> dict[str, float] | None:
        """Write this step's line where log_every says so; returns its terms then."""
        config, step = self.config, report.step
        if step % config.output.log_every and step < config.total_steps:
            return None
        terms = {name: float(value) for name, value in report.terms.items()}
        seen = step * config.discriminator_updates * config.batch_size
        seconds = time.monotonic() - self._started
        row: dict[str, object] = {"step": step, "images_seen": seen, "seconds": seconds, **terms}
        jsonl.append(self.layout.log, row)
        self._write_events(self.monitor.add_log_line(row))
        if self._tensorboard is not None:
            self._tensorboard.add_scalars(step, terms)
        if self._tracker is not None:
            self._tracker.log(step, {"images_seen": seen, "seconds": seconds, **terms})
        return terms

    def sample_and_evaluate(self, state: TrainState) -> None:
        """Draw samples and evaluate where they are due after the step of this state.

        In an evaluation the other ranks take part. Sets state.best_score and state.best_step when
        the score is the lowest so far. A failure may leave lines in metrics.jsonl, which must be
        cut off before another attempt.
        """
        self.is_best, last = False, state.step == self.config.total_steps
        if last or _is_due(state.step, self.config.output.sample_every):
            self._draw_samples(state)
        if is_evaluated(self.config, state.step):
            self._evaluate(state)

    def _draw_samples(self, state: TrainState) -> None:
        """A square grid; with labels each row has one class, cyclically."""
        columns = self.config.output.sample_rows
        numbers, labels = torch.arange(columns**2), None
        if self.config.method.conditional:
            used = torch.from_numpy(self.dataset.used_classes())
            labels = used[numbers // columns % len(used)]
        latents = sample_latents(self.config.generator, self.config.seed, "samples", columns**2)
        pixels = generate_pixels(state.generator_ema, latents, labels)
        grid = image_grid(stretch(pixels, self.config.data.ratio), columns)
        save_png(self.layout.sample(state.step), grid)
        if self._tensorboard is not None:
            self._tensorboard.add_image(state.step, np.asarray(grid.convert("RGB")))
        if self._tracker is not None:
            self._tracker.log_image(state.step, "samples", grid)

    def _evaluate(self, state: TrainState) -> None:
        """Evaluate, write and update the monitor. The log's seconds do not count meanwhile."""
        started = time.monotonic()
        _LOG.info("step %d: evaluating", state.step)
        self._evaluator = self._evaluator or Evaluator(
            self.layout, self.config, self.dataset, self.held_out
        )
        found = self._evaluator.evaluate(state)
        rows = [row.as_json(state.step) for row in found]
        for row in rows:
            jsonl.append(self.layout.metrics, row)
        points = {curve_name(row): row["value"] for row in rows}
        finite = {name: value for name, value in points.items() if isinstance(value, float)}
        if self._tensorboard is not None:
            self._tensorboard.add_scalars(state.step, finite)
        if self._tracker is not None:
            self._tracker.log(state.step, finite)
        events = self.monitor.add_evaluation(rows)
        seconds = time.monotonic() - started
        self._started += seconds
        _LOG.info(
            "step %d: evaluated in %.1f s: %s", state.step, seconds, self.monitor.verdict.state
        )
        self._write_events(events)
        self._choose_best(state, found)  # last: a failure before leaves the best as it was

    def _choose_best(self, state: TrainState, rows: Sequence[EvaluationRow]) -> None:
        name = metric_name(self.config.evaluate)
        scores = [row.value for row in rows if row.name == name]
        if not scores:
            return
        (self.score,) = scores
        best = state.best_score
        if best is None or math.isnan(best):  # the earliest versions took NaN for a best score
            best = math.inf
        self.is_best = self.score < best
        if self.is_best:
            state.best_score, state.best_step = self.score, state.step

    def _write_events(self, events: Sequence[Event]) -> None:
        """Write the monitor's events, and log those that are not healthy as warnings."""
        for event in events:
            jsonl.append(self.layout.events, event.as_json())
            level = logging.INFO if event.verdict == "healthy" else logging.WARNING
            words = "; ".join([*event.evidence, *filter(None, [event.advice])])
            _LOG.log(level, "step %d: %s: %s", event.step, event.verdict, words)


def _is_due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
