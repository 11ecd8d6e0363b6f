"""G and D as a method sees them: functions, with precision and augmentation wrapped outside."""

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

    def at(self, step: int, update: int) -> tuple[Generator, Discriminator]:
        """G and D for one update; augmentation is keyed by its place, so it repeats on resume."""
        key = Key(self.config.seed, "augment", step, update) if self.config.augment else None

        def discriminate(images: Tensor, labels: Tensor | None) -> Scores:
            seen = images if key is None else augmented(images, key)
            with self._autocast():
                scores = self.state.discriminator(
                    seen.contiguous(memory_format=torch.channels_last), labels
                )
            return Scores(*(part.to(images.dtype) for part in scores))

        return self.generate, discriminate

    def generate(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """G in training mode: its batch statistics move."""
        with self._autocast():
            images: Tensor = self.state.generator(latents, labels)
        return images.to(latents.dtype)

    def _autocast(self) -> torch.autocast:
        enabled = self.config.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)
