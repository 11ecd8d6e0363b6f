"""G and D as a method sees them: functions, with precision and augmentation wrapped outside."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ssgan.ops.augment import augmented
from ssgan.ops.keyed import Key
from ssgan.training.config import RunConfig
from ssgan.training.state import TrainState
from ssgan.types import Discriminator, Generator, Scores


class Networks:
    """Wraps the state's networks; what comes out of them is in the run's full precision."""

    def __init__(self, config: RunConfig, state: TrainState, device: torch.device) -> None:
        self.config, self.state, self.device = config, state, device

    def at(self, step: int, update: int) -> Iterator[tuple[Generator, Discriminator]]:
        """G and D for one update, a pair a part; augmentation is keyed by the update.

        Part p of P holds every P-th image of whatever an unaccumulated call would hold, from the
        p-th on: so row i of its call is given the numbers of row p + i P.
        """
        for part in range(self.config.accumulation):
            yield self.generate, self._discriminator(step, update, part)

    def _discriminator(self, step: int, update: int, part: int) -> Discriminator:
        key = Key(self.config.seed, "augment", step, update) if self.config.augment else None

        def discriminate(images: Tensor, labels: Tensor | None) -> Scores:
            rows = part + torch.arange(len(images)) * self.config.accumulation
            seen = images if key is None else augmented(images, key, rows)
            with self._autocast():
                scores = self.state.discriminator(
                    seen.contiguous(memory_format=torch.channels_last), labels
                )
            return Scores(*(score.to(images.dtype) for score in scores))

        return discriminate

    def generate(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """G in training mode: its batch statistics move."""
        with self._autocast():
            images: Tensor = self.state.generator(latents, labels)
        return images.to(latents.dtype)

    def _autocast(self) -> torch.autocast:
        enabled = self.config.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)
