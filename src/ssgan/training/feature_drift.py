"""The drift of D's features since earlier evaluations, whose features are stored in the run.

Files of the first evaluation stay, and those that a run would compare with when it continues from
either of its two newest checkpoints.
"""

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.files.atomic import write_atomic
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.metrics.kernel import linear_cka

_RESUMABLE = 2  # checkpoints that a run keeps


class FeatureDrift:
    """Compares features of fixed images, which the digest `images` identifies."""

    def __init__(self, layout: RunDirectory, images: str) -> None:
        self.layout, self.images = layout, images

    def earlier(self, step: int) -> dict[str, tuple[int, Float[Tensor, "N F"]]]:
        """ "first" and "previous": step and features of two evaluations before that step."""
        files = [file for file in self.layout.feature_files() if parse_step(file) < step]
        picked = {"first": files[:1], "previous": files[-1:]}
        read = {name: (parse_step(f[0]), self._read(f[0])) for name, f in picked.items() if f}
        return {name: (at, rows) for name, (at, rows) in read.items() if rows is not None}

    def compute_cka(
        self, step: int, features: Float[Tensor, "N F"]
    ) -> dict[str, tuple[int, float]]:
        """For "first" and "previous": its step, and the linear CKA with these features."""
        return {
            name: (at, linear_cka(rows, features))
            for name, (at, rows) in self.earlier(step).items()
        }

    def store(self, step: int, features: Float[Tensor, "N F"]) -> None:
        """Store these for later evaluations, and remove files that no continued run needs."""
        buffer = io.BytesIO()
        np.savez(buffer, features=features.numpy(), images=np.array(self.images))
        self.layout.evaluation.mkdir(exist_ok=True)
        write_atomic(self.layout.features(step), buffer.getvalue())
        oldest = min(map(parse_step, self.layout.checkpoint_files()[:_RESUMABLE]), default=0)
        files = [file for file in self.layout.feature_files() if parse_step(file) < step]
        before = [file for file in files if parse_step(file) <= oldest]
        for file in before[1:-1]:
            file.unlink(missing_ok=True)

    def _read(self, file: Path) -> Float[Tensor, "N F"] | None:
        """The features in a file; None when it is damaged or of other images."""
        try:
            data = io.BytesIO(file.read_bytes())  # numpy leaves a damaged file open
            with np.load(data, allow_pickle=False) as content:
                if str(content["images"]) != self.images:
                    return None
                return torch.from_numpy(content["features"])
        except Exception:  # numpy has many types for a torn or empty file
            return None


def cut_back(layout: RunDirectory, step: int) -> None:
    """Remove the features of evaluations after that step."""
    for file in layout.feature_files():
        if parse_step(file) > step:
            file.unlink(missing_ok=True)
