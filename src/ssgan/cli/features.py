"""`ssgan features RUN --data SOURCE --out FILE`: the features of D for anyone's classifier."""

from pathlib import Path

from ssgan.cli.arguments import take_options
from ssgan.cli.images import bar, fetched
from ssgan.cli.probe import labelled_images
from ssgan.cli.trust import trusted_modules
from ssgan.data.sources import FORMS, parse_source
from ssgan.evaluation.probe.export import check_target, export_features, item_names, partial_folder
from ssgan.evaluation.probe.maps import (
    POOLINGS,
    Layer,
    check_pooling,
    list_states,
    open_discriminator,
)
from ssgan.files.errors import translate_file_errors
from ssgan.files.locks import hold_lock
from ssgan.ops.cpu import keep_freed_memory
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError

USAGE = f"""usage: ssgan features RUN --data SOURCE --out FILE.npy|FILE.npz|FILE.parquet
                      [--block last|N|all] [--pooling mean] [--step N]
                      [--device auto] [--cache DIR] [--trust MODULE]

  RUN        a run directory or a checkpoint file
  --data     images, with labels or without: {FORMS}
  --out      .npy: features alone, with labels and names in files beside it;
             .npz, .parquet: all in one file, several blocks too
  --block    after which block of D, from 0; by default the last
  --pooling  how a block's map becomes features: {POOLINGS}
  --step     which kept state; 0 is D before training; by default the newest
  --trust    modules of your own, by commas, whose classes the run uses; they are imported

Rows stand in the order of the data. Run the same command again to continue.
"""


def main(argv: list[str]) -> int:
    """Write the file; returns the exit code."""
    valued = ("data", "out", "block", "pooling", "step", "device", "cache", "trust")
    options, rest = take_options(argv, valued, ("help",))
    if options.on("help"):
        print(USAGE, end="")
        return 0
    if len(rest) != 1 or rest[0].startswith("-"):
        named = " ".join(rest) or "nothing"
        raise UserError(f"features takes one run directory or checkpoint, not {named!r}")
    given, out = options.get("data"), options.get("out")
    if given is None or out is None:
        missing = f"--data SOURCE: {FORMS}" if given is None else "--out FILE"
        raise UserError(f"features needs {missing}")
    target, block = Path(out), options.get("block") or "last"
    pooling = options.get("pooling") or "mean"
    check_target(target, 2 if block == "all" else 1)
    check_pooling(pooling)
    device = resolve_device(options.get("device") or "auto")
    keep_freed_memory()
    if (step := options.get("step")) is not None and not step.isdecimal():
        raise UserError(f"--step must be the number of a state, not {step!r}")
    trusted = trusted_modules(options)
    subject = open_discriminator(list_states(Path(rest[0]), step, trusted)[0], device, trusted)
    blocks = _blocks(block, len(subject.maps))
    layers = [Layer(number, pooling) for number in blocks]
    source = fetched(parse_source(given))
    dataset = labelled_images(subject, source, options.get("cache"))
    names, partial = item_names(source, dataset), partial_folder(target)
    with translate_file_errors(target):
        partial.mkdir(parents=True, exist_ok=True)
        with hold_lock(partial / ".lock"), bar("images through D") as progress:
            export_features(subject, dataset, names, layers, target, progress)
    print(f"{len(dataset):,} images, step {subject.step} of {subject.run}: {target}")
    return 0


def _blocks(text: str, count: int) -> list[int]:
    """The blocks that `--block` names, of `count`."""
    if text == "all":
        return list(range(count))
    if text == "last":
        return [count - 1]
    if not text.isdecimal() or int(text) >= count:
        raise UserError(f"--block must be last, all, or 0 to {count - 1}, not {text!r}")
    return [int(text)]
