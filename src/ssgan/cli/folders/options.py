"""The options of the verbs on a source of images: `ssgan data`, `ssgan orient`, `ssgan similar`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ssgan.cli.options import USE_DEVICE, Options
from ssgan.cli.parser import UsageError, argument, option

SAMPLE = 2000  # items that `ssgan data inspect` reads
_PREPARE_ONLY = ("channels", "cache", "workers", "strict", "verify")
_INSPECT_ONLY = ("sample", "seed", "json", "page")


@dataclass(frozen=True, kw_only=True)
class Data(Options):
    """Inspect images before a run, or prepare them ahead of it.

    `inspect` reads a sample and says what is in it and what suits it; it writes nothing but --page.
    `prepare` decodes every image of a source once and prints a summary; run it again to continue.
    """

    # what to do
    action: Literal["inspect", "prepare"] | None = argument(None, "inspect|prepare", required=True)
    # the images: {SOURCES}
    source: str = argument("", "SOURCE", required=True)
    # side in pixels
    size: int | None = option(None, at_least=8, default_text="chosen from the images")
    # how a picture that is no square becomes one. {FIT}
    fit: Literal["crop", "pad", "squash"] = "crop"
    # colour behind transparent pixels, each 0 to 255
    background: tuple[int, ...] = option((255, 255, 255), "R,G,B")
    # inspect: items that are read, drawn at random; a number above that of the items reads all
    sample: int | None = option(None, at_least=1, default_text="2000")
    # inspect: seed of the sample
    seed: int | None = option(None, at_least=0, default_text="0")
    # inspect: print everything as JSON
    json: bool = False
    # inspect: write a page with a contact sheet, which a browser opens without a network
    page: Path | None = option(None, "FILE.html")
    # prepare: 1 is grey, 3 is colour, 4 is colour with transparency
    channels: Literal[1, 3, 4] | None = option(None, default_text="chosen from the images")
    # prepare: where to store the images
    cache: Path | None = option(None, "DIR")
    # prepare: threads
    workers: int | None = option(None, at_least=1, default_text="one per core, at most 8")
    # prepare: fail if any item cannot be used
    strict: bool = False
    # prepare: verify every byte of prepared images first, not only a part of large sets
    verify: bool = False

    def __post_init__(self) -> None:
        colour = self.background
        if len(colour) != 3 or not all(0 <= value <= 255 for value in colour):
            given = ",".join(map(str, colour))
            raise UsageError(f"--background must be like 255,255,255, not {given!r}")
        other = _PREPARE_ONLY if self.action == "inspect" else _INSPECT_ONLY
        for name in other if not self.help else ():
            if getattr(self, name) not in (None, False):
                owner = "prepare" if self.action == "inspect" else "inspect"
                raise UsageError(f"--{name} belongs to ssgan data {owner}")
        require_page(self.page)


@dataclass(frozen=True, kw_only=True)
class Orient(Options):
    """Find pictures that are not upright, by the rotation head of a trained discriminator.

    It lists those that are predicted to be on a side or on the head, with a confidence, and never
    changes a file. The precision and the recall are measured on held-out pictures of the model.
    """

    # the images: {SOURCES}
    source: str = argument("", "FOLDER|SOURCE", required=True)
    # a run directory, a checkpoint, a .safetensors file, or another name that ssgan.load reads; D
    # must predict rotations, as that of SS-GAN does
    model: str | None = option(None, "MODEL", required=True)
    # confidence from which a picture is listed, 0 to 1
    threshold: float = option(0.95, "P")
    # upright pictures on which precision and recall are measured: {SOURCES}
    held_out: str | None = option(None, "SOURCE", default_text="those of the model's own source")
    # write upright copies of the listed pictures into this folder, which must be new or empty
    copy_to: Path | None = option(None, "DIR")
    # pictures that are listed as text; --json lists all
    show: int = option(20, at_least=0)
    # print everything as JSON
    json: bool = False
    # write a page with the listed pictures, before and after
    page: Path | None = option(None, "FILE.html")
    device: str = option("auto", "NAME")
    trust: tuple[str, ...] = option((), "MODULE")

    synonyms: ClassVar[Mapping[str, str]] = {"--gpu": USE_DEVICE, "--out": "--copy-to"}

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be 0 to 1, not {self.threshold:g}")
        require_page(self.page)


@dataclass(frozen=True, kw_only=True)
class Similar(Options):
    """Find near duplicates and outliers, or the pictures most similar to an example.

    Pictures are compared by the features of a trained discriminator. Nothing is written but --page.
    """

    # the images: {SOURCES}
    source: str = argument("", "FOLDER|SOURCE", required=True)
    # a run directory, a checkpoint, a .safetensors file, or another name that ssgan.load reads; it
    # must hold its discriminator
    model: str | None = option(None, "MODEL", required=True)
    # search by example: list the pictures that are most similar to this image file
    to: Path | None = option(None, "IMAGE")
    # pictures that are compared with each other, drawn at random from more; with --to all are
    sample: int = option(20_000, at_least=2, at_most=200_000)
    # seed of the sample and of the edited copies
    seed: int = option(0, at_least=0)
    # share of edited copies that are found, which sets the distance of a near duplicate
    recall: float = option(0.9, "P")
    # groups, outliers or results that are listed as text; --json lists more
    show: int = option(10, at_least=0)
    # print everything as JSON
    json: bool = False
    # write a page with the pictures
    page: Path | None = option(None, "FILE.html")
    device: str = option("auto", "NAME")
    trust: tuple[str, ...] = option((), "MODULE")

    synonyms: ClassVar[Mapping[str, str]] = {"--gpu": USE_DEVICE, "--like": "--to"}

    def __post_init__(self) -> None:
        if not 0 < self.recall < 1:
            raise UsageError(f"--recall must be between 0 and 1, not {self.recall:g}")
        require_page(self.page)


def require_page(page: Path | None) -> None:
    """Raise UsageError for the name of a page that does not end in .html."""
    if page is not None and page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--page {page}: the name must end in .html")
