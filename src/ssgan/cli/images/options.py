"""The options of the verbs that make images: `ssgan sample` and `ssgan project`."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ssgan.cli.options import USE_DEVICE, Options
from ssgan.cli.parser import UsageError, argument, option

_MOST_IMAGES = 100_000
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class Sample(Options):
    """Generate images from a run."""

    # a run directory, a checkpoint, a model's file, builtin:NAME, or OWNER/NAME of the Hub
    run: Path = argument(Path(), "RUN", required=True)
    # number of images, at most 100,000, in OUT/images; the first 400 are together in OUT/sheet.png
    n: int | None = option(None, at_least=1, at_most=_MOST_IMAGES, default_text="64")
    # seed of the latents; the first images are the same for every --n
    seed: int | None = option(None, at_least=0, default_text="0")
    # an image for each of these seeds, such as 0-63,100. It depends on its seed alone, whatever
    # else is in the list: it is the first image of --seed with that number
    seeds: str | None = option(None, "LIST")
    # where to write; it replaces an earlier sampling, and no other files
    out: Path | None = option(
        None, "DIR", default_text="RUN/generated-seed-SEED or generated-seeds"
    )
    # write the images as arrays, too: arr_0 is uint8 [N, S, S, C], arr_1 the labels, if any
    npz: Path | None = option(None, "FILE.npz")
    # draw latent values of a magnitude above T again: a small T gives better images that differ
    # less; 0.5 to 1 is usual
    truncation: float | None = option(None, "T", default_text="none")
    # one class of a conditional run, by its name or number
    class_name: str | None = option(
        None, "NAME|NUMBER", name="--class", default_text="all classes in turn"
    )
    # use the generator with the best score, not the newest
    best: bool = False
    refresh: int = option(0, at_least=1, default_text="as trained")
    # images from one sample to the next in interpolation.png, 2 to 256
    steps: int = option(8, at_least=2, at_most=256)
    # write the interpolation as interpolation.gif, too
    gif: bool = False
    # an animation from sample to sample and back to the first: all of --seeds, or the first 8.
    # MP4 needs ffmpeg or the package imageio-ffmpeg
    interpolate: Path | None = option(None, "FILE.gif|.webp|.mp4")
    # images in the animation
    frames: int | None = option(None, at_least=2, at_most=2000, default_text="16 for each sample")
    # images a second in the animation
    fps: int = option(12, at_least=1, at_most=50)
    # processes on this machine that share the images, each on its own device; on several machines
    # torchrun or a cluster starts `python -m ssgan sample ...`, with one folder for all
    processes: int = option(1, at_least=1)
    device: str = option("auto", "NAME")
    trust: tuple[str, ...] = option((), "MODULE")

    synonyms: ClassVar[Mapping[str, str]] = {
        "--gpu": USE_DEVICE,
        "--size": "images have the size that the run was trained at",
        "--batch": "--n N is the number of images",
        "--trunc": "--truncation",
        "--label": "--class",
    }

    def __post_init__(self) -> None:
        if self.npz is not None and self.npz.suffix != ".npz":
            raise UsageError(f"--npz {self.npz}: the name must end in .npz")
        for name, value in (("--n", self.n), ("--seed", self.seed)):
            if self.seeds is not None and value is not None:
                raise UsageError(f"--seeds says which images to make: leave {name} out")
        if self.truncation is not None and not 0 < self.truncation < math.inf:
            raise UsageError(
                f"--truncation must be a finite number above 0, not {self.truncation:g}"
            )
        count = self.count  # which checks --seeds
        if self.interpolate is None:
            if self.frames is not None:
                raise UsageError("--frames belongs to --interpolate FILE")
        elif count < 2:
            raise UsageError("--interpolate goes from one image to the next: 2 or more are needed")

    @property
    def count(self) -> int:
        """The number of images."""
        if self.seeds is not None:
            return len(self.list_seeds())
        return 64 if self.n is None else self.n

    def list_seeds(self) -> list[int]:
        """The seeds of --seeds in order, each once; raises UsageError for what is no list."""
        parts = (self.seeds or "").replace(" ", "").split(",")
        found: dict[int, None] = {}
        for part in parts:
            words = re.fullmatch(r"([0-9]{1,19})(?:-([0-9]{1,19}))?", part)
            if words is None:
                raise UsageError(f"--seeds must be like 0-63,100, not {part!r}")
            first, last = int(words[1]), int(words[2] or words[1])
            if first > last:
                raise UsageError(f"--seeds {part}: the first seed is above the last")
            if last > _LARGEST_SEED:
                raise UsageError(f"--seeds {part}: a seed is at most {_LARGEST_SEED:,}")
            if len(found) + last - first >= _MOST_IMAGES:
                raise UsageError(f"--seeds has more than {_MOST_IMAGES:,} seeds")
            found.update(dict.fromkeys(range(first, last + 1)))
        return list(found)


@dataclass(frozen=True, kw_only=True)
class Project(Options):
    """Find the latents of pictures: the images of a run that are nearest to them.

    Adam moves several latent vectors at once, and the nearest point is kept. The distance compares
    the pixels and the maps of all blocks of D.
    """

    # a run directory, a checkpoint, a model's file, builtin:NAME, or OWNER/NAME of the Hub
    run: Path = argument(Path(), "RUN", required=True)
    # image files of any size; they become squares as the images of the run
    images: tuple[Path, ...] = argument((), "IMAGE", required=True)
    # where to write; it replaces an earlier projection, and no other files
    out: Path | None = option(None, "DIR", required=True)
    # steps of Adam
    steps: int = option(300, at_least=1, at_most=100_000)
    # latent vectors that are moved at once: the nearest of 16 times as many samples
    starts: int = option(4, at_least=1, at_most=1000)
    # weight of the pixels in the distance; 0 compares the maps of D alone
    pixels: float = option(1.0, "W")
    # class of the pictures, by its name or number, in a conditional run
    class_name: str | None = option(
        None, "NAME|NUMBER", name="--class", default_text="found by the search"
    )
    # seed of the samples among which the starts are
    seed: int = option(0, at_least=0)
    device: str = option("auto", "NAME")
    trust: tuple[str, ...] = option((), "MODULE")

    synonyms: ClassVar[Mapping[str, str]] = {"--gpu": USE_DEVICE, "--label": "--class"}

    def __post_init__(self) -> None:
        if not 0 <= self.pixels < math.inf:
            raise UsageError(f"--pixels must be a finite number, 0 or more, not {self.pixels:g}")
