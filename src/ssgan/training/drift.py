"""How far D's features of fixed images move over a run."""

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ssgan.files.archive import ArchiveError
from ssgan.files.atomic import write_atomic
from ssgan.files.npz import list_arrays, read_array
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.metrics.kernel import linear_cka

_MOST_TEXT = 4096  # bytes of the identity of images
_RESUMABLE = 2  # checkpoints that a run keeps


class FeatureDrift:
    """Compares D's features of fixed images, which the digest `images` identifies, over a run.

    Files of the first evaluation stay, and those that a run would compare with when it continues
    from either of its two newest checkpoints.
    """

    def __init__(self, layout: RunDirectory, images: str) -> None:
        self.layout, self.images = layout, images

    def compute_cka(
        self, step: int, features: Float[Tensor, "N F"]
    ) -> dict[str, tuple[int, float]]:
        """For the "first" and the "previous" evaluation: its step, and the linear CKA with it."""
        files = [file for file in self.layout.feature_files() if parse_step(file) < step]
        found = {}
        for name, picked in (("first", files[:1]), ("previous", files[-1:])):
            for file in picked:
                if (rows := self._read(file)) is not None:
                    found[name] = parse_step(file), linear_cka(rows, features)
        return found

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
        if not file.is_file():
            return None
        try:
            arrays = list_arrays(file)
            if str(read_array(file, arrays["images"], _MOST_TEXT)) != self.images:
                return None
            return torch.from_numpy(read_array(file, arrays["features"], file.stat().st_size))
        except (ArchiveError, OSError, KeyError, TypeError):  # torn, empty or of another kind
            return None


def remove_features_after(layout: RunDirectory, step: int) -> None:
    """Remove the stored features of evaluations after that step."""
    for file in layout.feature_files():
        if parse_step(file) > step:
            file.unlink(missing_ok=True)
