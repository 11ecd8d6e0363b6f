"""G and D as plain functions for a method, wrapped with precision and augmentation."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from ssgan.models.norms import BatchStatistics
from ssgan.ops.activation_checkpointing import checkpointed_modules
from ssgan.ops.augment import augment
from ssgan.ops.collective import num_ranks
from ssgan.ops.modes import unfrozen
from ssgan.ops.rng import Key
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState
from ssgan.training.feed import our_parts
from ssgan.training.ranks.sharding import find_skeletons, whole_weights
from ssgan.types import Discriminator, Generator, Scores


class Networks:
    """Wraps the state's networks; their outputs have the run's full precision."""

    def __init__(self, config: RunConfig, state: TrainState, device: torch.device) -> None:
        self.config, self.state, self.device = config, state, device
        self._generator: nn.Module = state.generator
        self._discriminator: nn.Module = state.discriminator
        skeletons = find_skeletons(state.discriminator)
        for module in checkpointed_modules(state.generator, state.discriminator, *skeletons):
            module.activation_checkpointing = config.activation_checkpointing
        for norm in state.generator.modules():
            if isinstance(norm, BatchStatistics):
                norm.across_ranks = num_ranks() > 1
        if config.compile:  # torch caches the kernels on disk, for the next start
            self._generator = torch.compile(state.generator)  # type: ignore[assignment]
            self._discriminator = torch.compile(state.discriminator)  # type: ignore[assignment]
        self._fakes: Tensor | None = None  # of D's last update, with G's graph, until G's update

    def at(self, step: int, update: int) -> Iterator[tuple[Generator, Discriminator]]:
        """G and D for one update of the step, a pair a part; D's updates count from 0, then G's.

        Augmentation is keyed by the update and by rows of the whole batch. Part p of P holds every
        P-th image from the p-th on, so row i of its call is row p + i P of the batch.
        """
        generate: Generator = self.generate
        of_generator = self.config.discriminator_updates
        if self.config.reuse_fakes and update == of_generator:
            generate = self._reuse
        elif self.config.reuse_fakes and update == of_generator - 1:
            generate = self._generate_and_keep
        for part in our_parts(self.config):
            with self._choose_discriminator(update < of_generator) as network:
                yield generate, self._discriminate(network, step, update, part)

    def _choose_discriminator(
        self, updates_discriminator: bool
    ) -> AbstractContextManager[nn.Module]:
        """D, whose second derivatives a penalty needs in its own updates."""
        penalised = getattr(self.config.method, "penalty", None) is not None
        if penalised and updates_discriminator and find_skeletons(self._discriminator):
            return whole_weights(self._discriminator)
        return nullcontext(self._discriminator)

    def _discriminate(self, network: nn.Module, step: int, update: int, part: int) -> Discriminator:
        seed = self.state.noise_seed(self.config.seed)
        key = Key(seed, "augment", step, update) if self.config.augment else None

        def discriminate(images: Tensor, labels: Tensor | None) -> Scores:
            rows = part + torch.arange(len(images)) * self.config.accumulation * num_ranks()
            seen = images if key is None else augment(images, key, rows)
            with self._autocast():
                scores = network(seen.contiguous(memory_format=torch.channels_last), labels)
            return Scores(*(score.to(images.dtype) for score in scores))

        return discriminate

    def generate(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """G in training mode: its batch statistics move."""
        with self._autocast():
            images: Tensor = self._generator(latents, labels)
        return images.to(latents.dtype)

    def _generate_and_keep(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Fakes for D, whose graph waits for G's update, although G is frozen now."""
        with unfrozen(self.state.generator):
            self._fakes = self.generate(latents, labels)
        return self._fakes.detach()

    def _reuse(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """The fakes of D's last update, once; generated now if it had none."""
        fakes, self._fakes = self._fakes, None
        return self.generate(latents, labels) if fakes is None else fakes

    def _autocast(self) -> torch.autocast:
        enabled = self.config.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)
