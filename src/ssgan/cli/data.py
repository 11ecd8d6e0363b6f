"""`ssgan data prepare SOURCE`: decode a source into the cache and say what is in it."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ssgan.data.base import ImagePolicy
from ssgan.data.dataset import Dataset
from ssgan.data.parse import FORMS, parse_source
from ssgan.data.prepare import choose_size, default_cache, prepare
from ssgan.types import ImageShape

_LISTED = 20  # rejects named in the summary
_PLAIN_SECONDS = 3.0  # between two lines of progress where there is no terminal

Progress = Callable[[int, int], None]


def main(argv: list[str]) -> int:
    """Run `ssgan data ARGV`; the exit code. Raises UserError and DiskFull for the caller."""
    arguments = _parser().parse_args(argv)
    source = parse_source(arguments.source)
    with _progress("downloading") as progress:
        source.fetch(progress)
    survey = source.open().survey() if not (arguments.size and arguments.channels) else None
    size = arguments.size or (choose_size(survey) if survey else 32)
    channels = arguments.channels or (1 if survey and survey.grey else 3)
    with _progress("preparing") as progress:
        dataset = prepare(
            source,
            ImagePolicy(shape=ImageShape(channels, size), background=arguments.background),
            arguments.cache,
            progress,
            arguments.workers,
            strict=arguments.strict,
            on_wait=lambda: print("waiting: another process prepares the same", file=sys.stderr),
        )
    print(summary(dataset))
    return 0


def summary(dataset: Dataset) -> str:
    """What a prepared data set holds, for people."""
    manifest, rejected = dataset.manifest, dataset.manifest["rejected"]
    size, channels = manifest["size"], "grey" if manifest["channels"] == 1 else "colour"
    lines = [
        f"{manifest['source']}: {len(dataset):,} images of {size} x {size} pixels in {channels}"
    ]
    if dataset.classes:
        counted = zip(dataset.classes, manifest["class_counts"], strict=True)
        listed = ", ".join(f"{name} {count:,}" for name, count in counted)
        lines.append(f"classes:      {dataset.num_classes} ({listed})")
    else:
        lines.append("classes:      none")
    lines.append(f"duplicates:   {manifest['duplicates']:,}")
    lines.append(f"rejected:     {len(rejected):,} of {manifest['num_items']:,}")
    lines += [f"  {name}: {reason}" for name, reason in rejected[:_LISTED]]
    if len(rejected) > _LISTED:
        lines.append(f"  and {len(rejected) - _LISTED:,} more, all in manifest.json")
    lines += [f"note:         {notice}" for notice in manifest["notices"]]
    lines.append(f"stored in:    {_folder(dataset)}")
    lines.append(f"content hash: {dataset.content_hash}")
    return "\n".join(lines)


def _folder(dataset: Dataset) -> Path:
    return Path(getattr(dataset.images, "filename", ".")).parent


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("ssgan data", allow_abbrev=False)
    verbs = parser.add_subparsers(required=True, metavar="prepare")
    verb = verbs.add_parser(
        "prepare",
        help="decode a source into the cache, once",
        description="Decode every image of a source once and say what is in it.",
        allow_abbrev=False,
    )
    verb.add_argument("source", metavar="SOURCE", help=FORMS)
    verb.add_argument("--size", type=_positive, help="side in pixels (default: from the images)")
    verb.add_argument(
        "--channels", type=int, choices=(1, 3), help="1 grey, 3 colour (default: from the images)"
    )
    verb.add_argument(
        "--background",
        type=_colour,
        default=(255, 255, 255),
        metavar="R,G,B",
        help="behind transparent pixels, each 0 to 255 (default: white)",
    )
    verb.add_argument(
        "--cache", type=Path, help=f"where to store it (default here: {default_cache()})"
    )
    verb.add_argument("--workers", type=_positive, help="threads (default: one a core, at most 8)")
    verb.add_argument("--strict", action="store_true", help="fail if any item cannot be used")
    return parser


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return number


def _colour(text: str) -> tuple[int, int, int]:
    parts = [int(part) for part in text.split(",") if part.strip().isdecimal()]
    if len(parts) != 3 or text.count(",") != 2 or max(parts) > 255:
        raise argparse.ArgumentTypeError(f"must be like 255,255,255, not {text!r}")
    return parts[0], parts[1], parts[2]


@contextmanager
def _progress(verb: str) -> Iterator[Progress]:
    """A bar with the time left on a terminal, else a line every few seconds."""
    if not sys.stderr.isatty():
        yield _plain_progress(verb)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(verb, total=None, visible=False)
        yield lambda done, total: bar.update(
            task, completed=done, total=total or None, visible=True
        )


def _plain_progress(verb: str) -> Progress:
    started = said = time.monotonic()

    def say(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said < _PLAIN_SECONDS:
            return
        said = now
        left = f", {(now - started) * (total - done) / done:.0f} s left" if done and total else ""
        print(f"{verb}: {done:,} of {total:,}{left}", file=sys.stderr, flush=True)

    return say
