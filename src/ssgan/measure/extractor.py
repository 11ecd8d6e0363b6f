"""Choosing the features: which network, with which weights, from where."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from ssgan.files.download import fetch
from ssgan.measure.own_features import OwnFeatures
from ssgan.metrics import inception
from ssgan.metrics.features import AbstractFeatures, RandomFeatures
from ssgan.metrics.installed import (
    HOW_TO_GET_INCEPTION,
    downloaded_inception,
    has_inception,
    has_lite0,
    inception_features,
    lite0_features,
)
from ssgan.metrics.resize import ResizeRule
from ssgan.training.checkpoint import Checkpoint
from ssgan.types import UserError

NAMES = ("inception", "lite0", "random", "discriminator")


class Chosen(NamedTuple):
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
) -> Chosen:
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
        return Chosen(RandomFeatures(device), [])
    if name == "discriminator":
        if discriminator is None:
            raise UserError(
                "the features of a D need a run: measure one, or give one by --weights RUN"
            )
        return Chosen(OwnFeatures(discriminator, device), [])
    if name == "lite0":
        return Chosen(lite0_features(device, rule=rule), [])
    if name == "inception" or weights is not None or has_inception(cache):
        return Chosen(inception_features(cache, device, weights=weights, rule=rule), [])
    return _instead(rule, device)


def download(cache: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """The weights of the 2015 Inception network, fetched to the cache if they are not there.

    Raises UserError when offline, or when anything but the file of the pinned sha256 comes.
    """
    url, path, size = inception.URL, downloaded_inception(cache), inception.BYTES
    return fetch(url, path, sha256=inception.SHA256, max_bytes=size, progress=progress)


def _instead(rule: ResizeRule | None, device: torch.device) -> Chosen:
    there = has_lite0()
    features = lite0_features(device, rule=rule) if there else RandomFeatures(device)
    if rule is not None and not there:
        raise UserError(f"--resize {rule.value} is for Inception, and {_missing()}")
    network = "EfficientNet-Lite0" if there else "a seeded random network"
    return Chosen(features, [f"{_missing()}; {network} serves instead, and this is no FID"])


def _missing() -> str:
    return f"there are no Inception weights (get them by {HOW_TO_GET_INCEPTION})"
