"""How far D's features have moved since an earlier step of the run, from files beside it.

The features of the fixed images are stored after every evaluation. Kept are those of the first
one, and those that a run continued from either of its two newest checkpoints would compare with.
"""

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.files.atomic import write_atomic
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.metrics.similarity import linear_cka

_RESUMABLE = 2  # checkpoints that are kept


class FeatureDrift:
    """Compares features of images that `images`, a digest, tells from any others."""

    def __init__(self, layout: RunDirectory, images: str) -> None:
        self.layout, self.images = layout, images

    def earlier(self, step: int) -> dict[str, tuple[int, Float[Tensor, "N F"]]]:
        """ "first" and "previous": the step and the features, of evaluations before that step."""
        files = [file for file in self.layout.feature_files() if parse_step(file) < step]
        chosen = {"first": files[:1], "previous": files[-1:]}
        read = {name: (parse_step(f[0]), self._read(f[0])) for name, f in chosen.items() if f}
        return {name: (at, rows) for name, (at, rows) in read.items() if rows is not None}

    def likeness(self, step: int, features: Float[Tensor, "N F"]) -> dict[str, tuple[int, float]]:
        """For "first" and "previous": its step, and the linear CKA with the features of now."""
        return {
            name: (at, linear_cka(rows, features))
            for name, (at, rows) in self.earlier(step).items()
        }

    def store(self, step: int, features: Float[Tensor, "N F"]) -> None:
        """Keep these for later evaluations, and drop what no continued run would need."""
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
        except Exception:  # whatever a torn or empty file leads numpy into
            return None


def cut_back(layout: RunDirectory, step: int) -> None:
    """Remove the features of evaluations after that step."""
    for file in layout.feature_files():
        if parse_step(file) > step:
            file.unlink(missing_ok=True)
