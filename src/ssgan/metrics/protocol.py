"""The protocol of a value, and feature statistics on disk.

A file is an `.npz` with `mu` and `sigma`, as pytorch-fid writes and reads it. Ours also hold a
count, the protocol and a checksum, which pytorch-fid ignores. Nothing is pickled.
"""

import hashlib
import io
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from ssgan.config.schema import check_fields
from ssgan.files.archive import ArchiveError
from ssgan.files.atomic import write_atomic
from ssgan.files.names import printable
from ssgan.files.nesting import parse_json
from ssgan.files.npz import list_arrays, read_array
from ssgan.metrics.moments import Moments
from ssgan.types import UserError

AS_TRAINED = "as trained"
_OURS = {"count", "protocol", "sha256"}  # that pytorch-fid's files lack
_ARRAYS = ("mu", "sigma", *_OURS)
_LARGEST = 2**30  # bytes of all arrays; 2048 features take 34 MB


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """All that must agree before two values are compared (but the seeds and `assumed`)."""

    features: str  # the extractor's name: "random", "inception-2015"
    features_identity: str  # sha256 of its weights and preprocessing
    resize: str  # value of the ResizeRule, or the extractor's own rule
    num_real: int | None  # real images; None where a foreign file does not say
    num_fake: int | None  # generated images; None for statistics of reals alone
    split: str  # of the real set: "train", "test", "all"; "unknown" for a foreign file
    content: str | None = None  # sha256 of the real set's pixels; None: unknown
    selection: str = "all"  # of the real set: all, or how num_real of them were chosen
    dtype: str = "float32"  # of the extractor; sums are always float64
    # statistics of G's batch norms: as trained, or recomputed over so many samples
    batch_norm: str = AS_TRAINED
    seeds: tuple[int, ...] = ()  # of the latents, one a repetition; never compared
    # names of the entries above that the file of the real set does not say and that were taken to
    # be those of the generated images; never compared
    assumed: tuple[str, ...] = ()
    fit: str = "crop"  # how real pictures that are no squares became squares
    alpha: str = "none"  # "over white" where transparent images were laid over white for features

    def key(self) -> dict[str, Any]:
        """The protocol for a digest: as it was before entries were added, where they say that."""
        words = {name: value for name, value in asdict(self).items() if name != "assumed"}
        for name, before in (("fit", "crop"), ("alpha", "none")):
            if words[name] == before:
                del words[name]
        if self.selection == "unknown":
            words["selection"] = "all"
        return words


_NEVER_COMPARED = ("seeds", "assumed")


def same_protocol(a: Protocol, b: Protocol) -> None:
    """Raise UserError, naming every difference, unless values of a and b may be compared."""
    names = [field.name for field in fields(Protocol) if field.name not in _NEVER_COMPARED]
    unlike = [
        f"{name} {getattr(a, name)!r} against {getattr(b, name)!r}"
        for name in names
        if getattr(a, name) != getattr(b, name)
    ]
    if unlike:
        raise UserError(f"these values do not compare: {'; '.join(unlike)}")


@dataclass(frozen=True)
class Statistics:
    """Mean and covariance of a set's features, as read from a file."""

    mean: Float[Tensor, " F"]  # float64
    covariance: Float[Tensor, "F F"]  # float64, over count - 1
    count: int | None  # images; None in pytorch-fid's files, which do not say
    protocol: Protocol | None  # None likewise

    def moments(self) -> Moments:
        """As moments, to merge more into; UserError when the count is unknown."""
        if self.count is None:
            raise UserError("these statistics do not say how many images they describe")
        moments = Moments(len(self.mean))
        moments.count, moments.mean = self.count, self.mean
        moments.scatter = self.covariance * (self.count - 1)
        return moments


def write_statistics(path: Path, moments: Moments | Statistics, protocol: Protocol) -> None:
    """Write an `.npz`, whole or not at all; pytorch-fid reads it too.

    Raises UserError for fewer than two images, and for a protocol with another count.
    """
    if protocol.num_real != moments.count:
        raise UserError(f"the protocol says {protocol.num_real} images, there are {moments.count}")
    mean, covariance = moments.mean.cpu().numpy(), moments.covariance.cpu().numpy()
    buffer = io.BytesIO()
    np.savez(
        buffer,
        mu=mean,
        sigma=covariance,
        count=np.array(moments.count),
        protocol=np.array(json.dumps(asdict(protocol))),
        sha256=np.array(_sha256(mean, covariance)),
    )
    write_atomic(path, buffer.getvalue())


def read_statistics(path: Path) -> Statistics:
    """Read our own file or pytorch-fid's.

    Raises UserError for a file that is missing, cut, damaged, too large or without these arrays.
    """
    arrays = _arrays(path)
    if "mu" not in arrays or "sigma" not in arrays:
        raise UserError(
            f"{path} has no 'mu' and 'sigma'; it is not a file of feature statistics, and none of "
            "images, which are in 'arr_0'"
        )
    mean, covariance = arrays["mu"], arrays["sigma"]
    size = mean.size
    shaped = size > 0 and mean.shape == (size,) and covariance.shape == (size, size)
    if not shaped or {mean.dtype.kind, covariance.dtype.kind} != {"f"}:
        raise UserError(
            f"{path}: mu has shape {mean.shape} ({mean.dtype}) and sigma {covariance.shape} "
            f"({covariance.dtype}); they must be float arrays of (F,) and (F, F)"
        )
    if "sha256" in arrays and str(arrays["sha256"]) != _sha256(mean, covariance):
        raise UserError(f"{path} is damaged: its values do not match its checksum")
    mean, covariance = mean.astype(np.float64), covariance.astype(np.float64)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise UserError(f"{path} holds NaN or infinity")
    count = _count(path, arrays["count"]) if "count" in arrays else None
    protocol = _protocol(path, arrays) if "protocol" in arrays else None
    if {"protocol", "sha256"} & arrays.keys() and not arrays.keys() >= _OURS:
        lost = ", ".join(sorted(_OURS - arrays.keys()))
        raise UserError(f"{path} is damaged: it has lost its {lost}")
    return Statistics(torch.from_numpy(mean), torch.from_numpy(covariance), count, protocol)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise UserError(f"no statistics at {path}")
    try:
        headers = {name: one for name, one in list_arrays(path).items() if name in _ARRAYS}
        size = sum(math.prod(one.shape) * max(8, one.dtype.itemsize) for one in headers.values())
        if size <= _LARGEST:  # as float64
            return {name: read_array(path, one, _LARGEST) for name, one in headers.items()}
    except (ArchiveError, OSError) as error:
        raise UserError(f"{path} cannot be read as statistics: {error}") from error
    raise UserError(f"{path} unpacks to {size:,} bytes; at most {_LARGEST:,} are read")


def _count(path: Path, count: NDArray[Any]) -> int:
    if count.shape != () or count.dtype.kind not in "iu" or count < 2:
        given = str(count) if count.shape == () else f"an array of shape {count.shape}"
        raise UserError(
            f"{path}: its count of images must be a whole number, 2 or more: {printable(given)}"
        )
    return int(count)


def _protocol(path: Path, arrays: dict[str, NDArray[Any]]) -> Protocol:
    try:
        values = parse_json(str(arrays["protocol"]))
        if not isinstance(values, dict):
            raise TypeError(f"it is a {type(values).__name__}")
        return Protocol(**check_fields(Protocol, values))
    except (ValueError, TypeError, UserError) as error:
        raise UserError(f"{path}: its protocol cannot be read: {error}") from error


def _sha256(mean: NDArray[Any], covariance: NDArray[Any]) -> str:
    return hashlib.sha256(mean.tobytes() + covariance.tobytes()).hexdigest()
