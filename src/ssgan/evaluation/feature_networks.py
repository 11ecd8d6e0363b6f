"""The features of a run's own discriminator: what both of its heads read.

A Frechet distance on them is named after the run, never FID: every state of every D has its own.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ssgan.config.dump import without_additions
from ssgan.files.download import fetch
from ssgan.files.run_directory import run_name
from ssgan.metrics.features import AbstractFeatures, RandomFeatures, digest
from ssgan.metrics.inception import features as inception
from ssgan.metrics.installed_weights import (
    HOW_TO_GET_INCEPTION,
    downloaded_inception,
    has_efficientnet_lite0,
    has_inception,
    load_efficientnet_lite0,
    load_inception,
)
from ssgan.metrics.resize import ResizeRule
from ssgan.ops.pixels import from_uint8
from ssgan.runs.checkpoint import Checkpoint
from ssgan.runs.precision import run_dtype
from ssgan.runs.sampling import load_discriminator
from ssgan.types import UserError


class DiscriminatorFeatures(AbstractFeatures):
    """`Scores.features` of a checkpoint's D, in float32 and evaluation mode, upright images."""

    resize = "none"

    def __init__(self, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> None:
        """Raises UserError for a state that holds no D, as the best one of a run."""
        config, self._device = checkpoint.config, torch.device(device)
        self._network = load_discriminator(checkpoint, self._device)
        self._dtype = run_dtype(config.precision)
        self.shape = config.data.shape
        self.name = f"D-of-{run_name(checkpoint.path)}-step-{checkpoint.step}"
        self._classes = checkpoint.num_classes if config.method.conditional else 0
        words = json.dumps(
            [without_additions(config.discriminator), list(self.shape), self._classes]
        )
        state = checkpoint.tensors["discriminator"]
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
        pixels = from_uint8(images.to(self._device), self._dtype)
        # the features depend on no label, but a projection head wants one
        labels = pixels.new_zeros(len(pixels), dtype=torch.int64) if self._classes else None
        scores = self._network(pixels.contiguous(memory_format=torch.channels_last), labels)
        rows: Tensor = scores.features.float()
        return rows


NAMES = ("inception", "lite0", "random", "discriminator")


class FeatureChoice(NamedTuple):
    """An extractor, and a sentence for what was not as asked or is worth knowing."""

    features: AbstractFeatures
    remarks: list[str]


def choose_features(
    name: str | None,
    device: torch.device,
    cache: Path,
    *,
    weights: Path | None = None,
    rule: ResizeRule | None = None,
    discriminator: Checkpoint | None = None,
) -> FeatureChoice:
    """The extractor of that name; None: Inception where its weights are, else the best there is.

    `weights` is Inception's file; without it a download in `cache` is used, then an installed
    package. `rule` is for Inception and Lite0; None is each one's default.
    Raises UserError when the weights are missing or damaged, saying how to get them.
    """
    if name is not None and name not in NAMES:
        raise UserError(f"no features {name!r}; there are {', '.join(NAMES)}")
    if weights is not None and name not in (None, "inception"):
        raise UserError(f"--weights {weights}: {name} features take no file of weights")
    if rule is not None and name in ("random", "discriminator"):
        raise UserError(f"--resize {rule.value}: {name} features have a way of their own")
    if name == "random":
        return FeatureChoice(RandomFeatures(device), [])
    if name == "discriminator":
        if discriminator is None:
            raise UserError(
                "the features of a D need a run: measure one, or give one by --weights RUN"
            )
        return FeatureChoice(DiscriminatorFeatures(discriminator, device), [])
    if name == "lite0":
        return FeatureChoice(load_efficientnet_lite0(device, rule=rule), [])
    if name == "inception" or weights is not None or has_inception(cache):
        return FeatureChoice(load_inception(cache, device, weights=weights, rule=rule), [])
    return _instead(rule, device)


def download(cache: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """The weights of the 2015 Inception network, fetched to the cache if they are not there.

    Raises UserError when offline, or when anything but the file of the pinned sha256 comes.
    """
    url, path, size = inception.URL, downloaded_inception(cache), inception.BYTES
    return fetch(url, path, sha256=inception.SHA256, max_bytes=size, progress=progress)


def _instead(rule: ResizeRule | None, device: torch.device) -> FeatureChoice:
    there = has_efficientnet_lite0()
    features = load_efficientnet_lite0(device, rule=rule) if there else RandomFeatures(device)
    if rule is not None and not there:
        raise UserError(f"--resize {rule.value} is for Inception, and {_missing()}")
    network = "EfficientNet-Lite0" if there else "a seeded random network"
    return FeatureChoice(features, [f"{_missing()}; {network} serves instead, and this is no FID"])


def _missing() -> str:
    return f"there are no Inception weights (get them by {HOW_TO_GET_INCEPTION})"
