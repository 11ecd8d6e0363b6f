"""Scalars and sheets as TensorBoard event files, a copy of what log.jsonl and samples/ hold.

Each event is on its way to the disk when its call returns: the writer of TensorBoard has a thread
for it, which dies of a full disk with a traceback that nobody can catch.
"""

import os
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Board:
    """An event file from one step on; what an earlier process wrote beyond it is hidden."""

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

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """One point on each named curve."""
        for name, value in values.items():
            self._write(step, summary=self._summary.scalar(name, value))

    def image(self, step: int, picture: NDArray[np.uint8]) -> None:
        """A sample sheet, uint8 [H, W, 3]."""
        self._write(step, summary=self._summary.image("samples", picture, dataformats="HWC"))

    def close(self) -> None:
        """Close the file; everything is in it already."""
        self._records.close()

    def _write(self, step: int, **content: object) -> None:
        event = self._event(wall_time=time.time(), step=step, **content)
        self._records.write(event.SerializeToString())
        self._records.flush()
