"""`ssgan data prepare SOURCE`: decode a source into the cache and say what is in it."""

from pathlib import Path

from ssgan.cli.arguments import Options, take_options, whole_number
from ssgan.cli.images import fetched, prepared, remarks, turn_report_of
from ssgan.data.base import Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.prepare import choose_size
from ssgan.data.sources import FORMS, parse_source
from ssgan.types import ImageShape, UserError

USAGE = f"""usage: ssgan data prepare SOURCE [--size N] [--channels 1|3] [--background R,G,B]
                          [--cache DIR] [--workers N] [--strict]

  SOURCE        {FORMS}
  --size        side in pixels; by default chosen from the images
  --channels    1 grey, 3 colour; by default chosen from the images
  --background  behind transparent pixels, each 0 to 255; white by default
  --cache       where to store it
  --workers     threads; one a core by default, at most 8
  --strict      fail if any item cannot be used

Decodes every image of a source once and says what is in it. Run it again to continue.
"""
_WHITE = (255, 255, 255)


def main(argv: list[str]) -> int:
    """Run `ssgan data ARGV`; returns the exit code."""
    valued = ("size", "channels", "background", "cache", "workers")
    options, rest = take_options(argv, valued, ("strict", "help"))
    if options.on("help"):
        print(USAGE, end="")
        return 0
    if len(rest) != 2 or rest[0] != "prepare" or rest[1].startswith("-"):
        raise UserError(f"data takes `prepare SOURCE`, not {' '.join(rest) or 'nothing'!r}")
    size = whole_number(options, "size", 0, 8)
    channels = whole_number(options, "channels", 0, 1)
    if channels not in (0, 1, 3):
        raise UserError(f"--channels must be 1 or 3, not {channels}")
    background, workers = _background(options), whole_number(options, "workers", 0, 1) or None
    source = fetched(parse_source(rest[1]))
    header_stats = source.open().header_stats()
    shape = ImageShape(
        channels or (1 if header_stats.grey else 3), size or choose_size(header_stats)
    )
    preprocessing = Preprocessing(shape=shape, background=background)
    cache = options.get("cache")
    folder = None if cache is None else Path(cache)
    print(summary(prepared(source, preprocessing, folder, workers, options.on("strict"))))
    return 0


def summary(dataset: Dataset) -> str:
    """What a prepared data set holds, for people."""
    manifest = dataset.manifest
    size, channels = manifest["size"], "grey" if manifest["channels"] == 1 else "colour"
    classes = "none"
    if dataset.classes:
        counted = zip(dataset.classes, manifest["class_counts"], strict=True)
        listed = ", ".join(f"{name} {count:,}" for name, count in counted)
        classes = f"{dataset.num_classes} ({listed})"
    turns = turn_report_of(dataset)
    stored = Path(getattr(dataset.images, "filename", ".")).parent
    return "\n".join(
        [
            f"{manifest['source']}: {len(dataset):,} images of {size} x {size} pixels, {channels}",
            f"classes:      {classes}",
            f"duplicates:   {manifest['duplicates']:,}",
            *([] if turns is None else [f"turns:        {turns.sentence}"]),
            *remarks(dataset),
            f"stored in:    {stored}",
            f"content hash: {dataset.content_hash}",
        ]
    )


def _background(options: Options) -> tuple[int, int, int]:
    text = options.get("background")
    if text is None:
        return _WHITE
    parts = text.split(",")
    numbers = [int(part) for part in parts if part.strip().isdecimal() and int(part) <= 255]
    if len(parts) != 3 or len(numbers) != 3:
        raise UserError(f"--background must be like 255,255,255, not {text!r}")
    return numbers[0], numbers[1], numbers[2]
