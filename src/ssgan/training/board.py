"""Scalars and sheets as TensorBoard event files, a copy of what log.jsonl and samples/ hold."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Board:
    """An event file from one step on; what an earlier process wrote beyond it is hidden."""

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter  # slow to import, so only when used

        self.writer = SummaryWriter(str(folder), purge_step=step + 1)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """One point on each named curve."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def image(self, step: int, picture: NDArray[np.uint8]) -> None:
        """A sample sheet, uint8 [H, W, 3]."""
        self.writer.add_image("samples", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write out what is buffered."""
        self.writer.close()
