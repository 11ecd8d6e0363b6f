"""Find the run that a command continues although its images have moved.

The default directory of a run is named after its settings, the path of the images among them. The
path changes no step, so a run of the same settings on the same images at another place is this run.
"""

import re
from pathlib import Path

from ssgan.cli.progress import fetch_source, prepare_images
from ssgan.data.base import AbstractCollection
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.runs.config import RunConfig
from ssgan.training.resume import accept_directory, read_run_record
from ssgan.types import UserError

_DEFAULT_NAME = re.compile(r".+-[0-9a-f]{8}")  # other names were given by --run


def find_moved_run(
    config: RunConfig, default: Path, cache: Path | None, collection: AbstractCollection | None
) -> Path:
    """The default directory, or the one beside it with the same settings and images.

    Of several it is the one with the most steps. The images are prepared where there is a run with
    the same settings but for their path.
    """
    source = config.data.source
    if RunDirectory(default).holds_run() or source == source.without_place():
        return default
    others = sorted(default.parent.iterdir()) if default.parent.is_dir() else []
    alike = [layout for layout in map(RunDirectory, others) if _has_settings(layout, config)]
    if not alike:
        return default
    collection = fetch_source(source).open() if collection is None else collection
    images = prepare_images(source, config.data.preprocessing, cache, collection=collection)
    same = [one for one in alike if read_run_record(one)[:1] == [images.content_hash]]
    return max(same, key=_newest_step).root if same else default


def _has_settings(layout: RunDirectory, config: RunConfig) -> bool:
    """Whether a default directory holds a run with these settings, but for the images' path."""
    if not _DEFAULT_NAME.fullmatch(layout.root.name) or not layout.holds_run():
        return False
    try:
        accept_directory(layout, config)
    except UserError:
        return False
    return True


def _newest_step(layout: RunDirectory) -> int:
    return max(map(parse_step, layout.checkpoint_files()), default=0)
