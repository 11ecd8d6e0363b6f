"""Images a second: made by the averaged generator, and read by the feature extractors.

    python benchmarks/sampling.py [--inception FILE.pth]

Inception and EfficientNet-Lite0 are measured where their weights are found.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.configs import Case, Stepper, config_of
from benchmarks.processes import fresh, memory_row, set_baseline
from benchmarks.report import begin, finish, parser_of, table
from benchmarks.timing import timed, times_of
from ssgan.metrics.efficientnet_lite0 import EfficientNetLite0Features
from ssgan.metrics.features import AbstractFeatures, RandomFeatures
from ssgan.metrics.inception.features import InceptionFeatures
from ssgan.runs.precision import resolve_device
from ssgan.runs.sampling import generate_pixels, sample_latents
from ssgan.types import UserError

GENERATORS = ("resnet-laptop", "resnet")
EXTRACTORS = ("random", "lite0", "inception")


def sampled(case: Case, images: int, repeats: int) -> dict[str, Any]:
    """`generate_pixels` with the average of an untrained generator: the path of `ssgan sample`."""
    config = config_of(case)
    set_baseline()
    generator = Stepper(case).state.generator_ema
    latents = sample_latents(config.generator, 0, "benchmark", images)
    return _row(
        case.network, "made", images, lambda: generate_pixels(generator, latents, None), repeats
    )


def read(name: str, file: Path | None, images: int, size: int, repeats: int) -> dict[str, Any]:
    """Features of images without meaning, at `size` pixels before they are resized."""
    set_baseline()
    features = extractor(name, file)
    numbers = torch.Generator().manual_seed(0)
    shape = (images, 3, size, size)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=numbers)
    return _row(name, "read", images, lambda: features(pixels), repeats)


def extractor(name: str, file: Path | None = None) -> AbstractFeatures:
    """The feature network; raises UserError when its weights are not there."""
    device = resolve_device("auto")
    if name == "random":
        return RandomFeatures(device)
    if name == "lite0":
        return EfficientNetLite0Features.from_package(device=device)
    if file is not None:
        return InceptionFeatures.from_file(file, device=device)
    return InceptionFeatures.from_package(device=device)


def _row(
    name: str, what: str, images: int, action: Callable[[], object], repeats: int
) -> dict[str, Any]:
    device = resolve_device("auto")
    times = times_of(lambda: timed(action, device), repeats)
    return {
        "name": name,
        "what": what,
        "images": images,
        **times.row(),
        "images_per_second": images / times.minimum,
        **memory_row(device),
    }


def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for network in options.generators.split(","):
        case = Case(network=network, width=options.width, precision="float32")
        rows.append(fresh(sampled, case, options.images, options.repeats, threads=options.threads))
    for name in options.extractors.split(","):
        arguments = (name, options.inception, options.images, options.size, options.repeats)
        try:
            rows.append(fresh(read, *arguments, threads=options.threads))
        except UserError as missing:
            print(f"{name} is left out: {missing}")
    return rows


def line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "": row["what"],
        "images/s": row["images_per_second"],
        "ms an image": 1000 / row["images_per_second"],
        "memory MB": round(row["memory_bytes"] / 1e6),
    }


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = parser_of(__doc__, repeats=5)
    parser.add_argument("--generators", default=",".join(GENERATORS))
    parser.add_argument("--extractors", default=",".join(EXTRACTORS))
    parser.add_argument("--inception", type=Path, help="pytorch-fid's state dict; else the package")
    parser.add_argument("--images", type=int, default=256, help="made or read in one measurement")
    parser.add_argument("--size", type=int, default=32, help="side of the images that are read")
    parser.add_argument("--width", type=float, default=1.0, help="multiplies G's channels")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
    header = begin(options)
    rows = measured(options)
    print(table(line(row) for row in rows))
    finish(options, header, rows=rows)


if __name__ == "__main__":
    main()
