"""The features of a run's own discriminator: what both of its heads read.

A Frechet distance on them is named after the run, never FID: every state of every D has its own.
"""

import json

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ssgan.config.dump import without_additions
from ssgan.files.layout import run_name
from ssgan.metrics.features import AbstractFeatures, digest
from ssgan.training.checkpoint import Checkpoint, put_into
from ssgan.training.precision import dtype_of, placed
from ssgan.types import UserError


class OwnFeatures(AbstractFeatures):
    """`Scores.features` of a checkpoint's D, in float32 and evaluation mode, upright images."""

    resize = "none"

    def __init__(self, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> None:
        """Raises UserError for a state that holds no D, as the best one of a run."""
        config = checkpoint.config
        self.shape, self._device = config.data.shape, torch.device(device)
        self.name = f"D-of-{run_name(checkpoint.path)}-step-{checkpoint.step}"
        if "discriminator" not in checkpoint.tensors:
            raise UserError(
                f"{checkpoint.path} holds the averaged generator alone, so there is no D to take "
                "features from; give a run or one of its checkpoints (--weights RUN)"
            )
        self._classes = checkpoint.num_classes if config.method.conditional else 0
        width = config.method.head_width(self._classes)
        network = config.discriminator.build(self.shape, width, self._classes)
        state = checkpoint.tensors["discriminator"]
        put_into(network, checkpoint, "discriminator")
        dtype = dtype_of(config.precision)
        self._network = placed(network, self._device, dtype).eval().requires_grad_(False)
        self._dtype = dtype
        words = json.dumps(
            [without_additions(config.discriminator), list(self.shape), self._classes]
        )
        tensors = [value for value in state.values() if torch.is_tensor(value)]
        self._identity = digest(f"discriminator {words} x / 127.5 - 1", tensors)
        channels, side = self.shape
        probe = torch.zeros(1, channels, side, side, dtype=torch.uint8)
        self.size = self(probe).shape[1]

    def identity(self) -> str:
        """sha256 of D's settings and weights."""
        return self._identity

    @torch.no_grad()
    def __call__(self, images: UInt8[Tensor, "B C S S"]) -> Float[Tensor, "B F"]:
        """One row an image of the shape that D was trained on; UserError for any other."""
        channels, side = images.shape[1:3]
        if (channels, side) != tuple(self.shape):
            raise UserError(
                f"{self.name} reads images of {self.shape.size} x {self.shape.size} pixels with "
                f"{self.shape.channels} channels, not {side} x {side} with {channels}"
            )
        pixels = images.to(self._device, self._dtype) / 127.5 - 1
        # the features depend on no label, but a projection head wants one
        labels = pixels.new_zeros(len(pixels), dtype=torch.int64) if self._classes else None
        scores = self._network(pixels.contiguous(memory_format=torch.channels_last), labels)
        rows: Tensor = scores.features.float()
        return rows
