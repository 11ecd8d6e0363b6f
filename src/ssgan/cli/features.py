"""`ssgan features RUN --data SOURCE --out FILE`: writes the features of D for any classifier."""

from ssgan.cli.config_args import import_trusted
from ssgan.cli.measure_options import Features
from ssgan.cli.preparation import fetch_source, open_progress_bar
from ssgan.cli.probe import labelled_images
from ssgan.data.sources import parse_source
from ssgan.evaluation.probe.export import (
    check_target,
    export_features,
    list_item_names,
    partial_folder,
)
from ssgan.evaluation.probe.maps import Layer, check_pooling, list_states, open_discriminator
from ssgan.files.errors import translate_file_errors
from ssgan.files.locks import hold_lock
from ssgan.ops.cpu import keep_freed_memory
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError


def main(given: Features) -> int:
    """Write the file; returns the exit code."""
    target = given.out
    check_target(target, 2 if given.block == "all" else 1)
    check_pooling(given.pooling)
    device = resolve_device(given.device)
    keep_freed_memory()
    step = None if given.step is None else str(given.step)
    trusted = import_trusted(given.trust)
    subject = open_discriminator(list_states(given.run, step, trusted)[0], device, trusted)
    layers = [Layer(number, given.pooling) for number in _blocks(given.block, len(subject.maps))]
    source = fetch_source(parse_source(given.data))
    dataset = labelled_images(subject, source, given.cache)
    names, partial = list_item_names(source, dataset), partial_folder(target)
    with translate_file_errors(target):
        partial.mkdir(parents=True, exist_ok=True)
        with hold_lock(partial / ".lock"), open_progress_bar("images through D") as progress:
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
