"""A trained model in Python: `ssgan.load` gives one, ready to sample from.

model = ssgan.load("runs/demo")           # or "model.safetensors", or "owner/name"
pixels = model.sample(16, seed=0)         # uint8 [N, S, S, C]
"""

import copy
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from ssgan.config.nearest import did_you_mean, nearest
from ssgan.files.alpha import premultiply
from ssgan.files.image_grid import stretch
from ssgan.ops.pixels import from_uint8
from ssgan.runs.config import RunConfig
from ssgan.runs.hub import MODEL_FILE, push_folder
from ssgan.runs.model_file import StoredModel, find_model, save_model
from ssgan.runs.precision import resolve_device
from ssgan.runs.sampling import (
    generate_images,
    generate_pixels,
    load_discriminator,
    load_generator,
    sample_latents,
)
from ssgan.types import Images, ImageShape, Latents, Scores, UserError

Label: TypeAlias = int | str  # of a class: its number or its name
_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Model:
    """A trained generator and its discriminator, both frozen and in evaluation mode.

    The generator has the averaged weights, which `ssgan sample` uses, too.
    """

    stored: StoredModel  # the weights and settings as they were read
    generator: nn.Module  # (latents [B, Z], labels [B] or None) -> images [B, C, S, S] in [-1, 1]
    discriminator: nn.Module | None  # (images, labels or None) -> Scores; None: not in the file

    @property
    def config(self) -> RunConfig:
        """The settings of its run, without the path of the images."""
        return self.stored.config

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that it can sample; empty for a model without labels."""
        return self.stored.classes if self.config.method.conditional else ()

    @property
    def shape(self) -> ImageShape:
        """Channels and side of its images."""
        return self.config.data.shape

    @property
    def ratio(self) -> float:
        """Width / height of its training pictures, where --fit squash made them squares; else 1."""
        return self.config.data.ratio or 1.0

    @property
    def step(self) -> int:
        """Generator updates done."""
        return self.stored.step

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.generator.parameters()).device

    def sample(
        self,
        n: int,
        seed: int = 0,
        label: Label | Sequence[Label] | None = None,
        truncation: float | None = None,
    ) -> NDArray[np.uint8]:
        """n images, uint8 [n, S, S, C] in 0 to 255; image i depends on the seed and i alone.

        They are those of `ssgan sample`, before `stretch`. `label` is a class, or one a sample;
        without it, a conditional model takes its classes one after the other. `truncation` as in
        `sample_latents` (None: none). Raises UserError for a class that it does not have.
        """
        latents = self.latents(n, seed, truncation)
        return generate_pixels(self.generator, latents, self._labels(n, label))

    def stretch(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Samples uint8 [n, S, S, C] at the ratio of the training pictures, [n, H, W, C].

        The shorter side stays S pixels. `sample` returns squares, which D and metrics read.
        """
        return stretch(pixels, self.ratio)

    def latents(self, n: int, seed: int = 0, truncation: float | None = None) -> Latents:
        """Latents [n, Z] of the generator's distribution, float32: those that `sample` uses."""
        if n < 1:
            raise UserError(f"n must be at least 1, not {n}")
        return sample_latents(self.config.generator, seed, "sample", n, truncation)

    def generate(
        self, latents: Latents, labels: Label | Sequence[Label] | Tensor | None = None
    ) -> Images:
        """The images of these latents: float [B, C, S, S] in [-1, 1], on the model's device.

        Of 4 channels the colours are multiplied by alpha; those of `sample` are not.

        Raises UserError for latents of another size and classes that it does not have.
        """
        size = self.config.generator.latent_size
        if latents.ndim != 2 or latents.shape[1] != size or not len(latents):
            raise UserError(f"latents must be [B, {size}], not {list(latents.shape)}")
        found = self._labels(len(latents), labels)
        return torch.cat(list(generate_images(self.generator, latents, found)))

    @torch.no_grad()
    def features(self, images: Tensor | NDArray[np.uint8]) -> list[Float[Tensor, "B _ _ _"]]:
        """The maps after every block of D, in order, as linear probes read them.

        `images` are float [B, C, S, S] in [-1, 1], or uint8 [B, S, S, C] as `sample` returns them.
        Raises UserError for other images, and for a model without D.
        """
        network = self._discriminator()
        outputs: Any = getattr(network, "block_outputs", None)
        if outputs is None:
            raise UserError(f"{type(network).__name__} has no block_outputs")
        maps: list[Tensor] = outputs(self._images(images))
        return maps

    @torch.no_grad()
    def logits(
        self,
        images: Tensor | NDArray[np.uint8],
        labels: Label | Sequence[Label] | Tensor | None = None,
    ) -> Scores:
        """D's outputs: real [B], auxiliary [B, K], such as the rotations', and features [B, F].

        Images as for `features`; a conditional model needs their labels. Raises UserError.
        """
        if self.classes and labels is None:
            raise UserError("the discriminator of this model reads labels: give them")
        found = self._labels(len(images), labels)
        found = None if found is None else found.to(self.device)
        scores: Scores = self._discriminator()(self._images(images), found)
        return scores

    def to(self, device: str | torch.device) -> "Model":
        """The same model on another device, such as "cuda"; this one stays where it is."""
        place = resolve_device(str(device))
        networks = (self.generator, self.discriminator)
        generator, discriminator = (
            None if network is None else copy.deepcopy(network).to(place) for network in networks
        )
        assert generator is not None
        return replace(self, generator=generator, discriminator=discriminator)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, which `ssgan.load` reads; whole or not at all."""
        save_model(Path(path), self.stored)

    @classmethod
    def from_pretrained(cls, name: str, revision: str | None = None) -> "Model":
        """The model of a repository of the Hub, OWNER/NAME; the revision is a commit or a tag."""
        return load(name if revision is None else f"{name}@{revision}")

    def push_to_hub(self, name: str, *, private: bool = False) -> str:
        """Upload the model's file to the repository OWNER/NAME of the Hub; returns its address.

        `ssgan export RUN --to hub --push OWNER/NAME` uploads the card and samples, too. The token
        is the one that `hf auth login` stored. Raises UserError.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder) / MODEL_FILE)
            return push_folder(Path(folder), [MODEL_FILE], name, private=private)

    def _labels(self, count: int, given: Label | Sequence[Label] | Tensor | None) -> Tensor | None:
        if not self.classes:
            if given is not None:
                raise UserError("this model has no classes, so it takes no labels")
            return None
        if given is None:
            return torch.arange(count) % len(self.classes)
        if isinstance(given, int | str):
            return torch.full((count,), self._class(given))
        values = given.tolist() if isinstance(given, Tensor) else list(given)
        if len(values) != count:
            raise UserError(f"{count} images need {count} labels, not {len(values)}")
        return torch.tensor([self._class(one) for one in values])

    def _class(self, given: Any) -> int:
        classes = self.classes
        if isinstance(given, str) and given in classes:
            return classes.index(given)
        if isinstance(given, int | np.integer) and 0 <= given < len(classes):
            return int(given)
        near = did_you_mean(nearest(given, classes)) if isinstance(given, str) else ""
        known = f"the classes are 0 to {len(classes) - 1}, or their names in .classes"
        raise UserError(f"no class {given!r}; {near or known}")

    def _discriminator(self) -> nn.Module:
        if self.discriminator is None:
            raise UserError(f"{self.stored.path} holds no discriminator")
        return self.discriminator

    def _images(self, images: Tensor | NDArray[np.uint8]) -> Images:
        channels, size = self.shape
        if isinstance(images, np.ndarray):
            images = premultiply(images)
        batch = torch.as_tensor(images)
        weight = next(self.generator.parameters())
        if batch.dtype is torch.uint8 and batch.shape[1:] == (size, size, channels):
            pixels = batch.permute(0, 3, 1, 2).to(weight.device)
            return from_uint8(pixels, weight.dtype)
        if batch.is_floating_point() and batch.shape[1:] == (channels, size, size):
            return batch.to(weight.device, weight.dtype)
        kind = str(batch.dtype).removeprefix("torch.")
        raise UserError(
            f"images must be float [B, {channels}, {size}, {size}] in [-1, 1] or uint8 "
            f"[B, {size}, {size}, {channels}], not {kind} {list(batch.shape)}"
        )


def load(source: str | Path, *, best: bool = False, trusted_modules: Sequence[str] = ()) -> Model:
    """The model of a run directory, a checkpoint, a safetensors file, or a repository of the Hub.

    A repository is OWNER/NAME, or OWNER/NAME@REVISION; its safetensors file is downloaded into the
    cache of huggingface_hub. Where a folder OWNER is here, it is a path: hub:OWNER/NAME is not.
    `best` is the best state of a run directory, without D. Settings of classes outside ssgan are
    read when their module is trusted and imported. Weights are on the CPU; see `Model.to`.
    Raises UserError, in one line.
    """
    stored = find_model(Path(source), best=best, trusted_modules=trusted_modules).model
    discriminator = None
    if "discriminator" in stored.tensors:
        discriminator = load_discriminator(stored, _CPU)
    return Model(stored, load_generator(stored, _CPU), discriminator)
