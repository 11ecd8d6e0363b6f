"""Find the run that a command continues although its images have moved.

The default directory of a run is named after its settings, the path of the images among them. The
path changes no step, so a run of the same settings on the same images at another place is this run.
"""

import re
from pathlib import Path

from ssgan.cli.progress import fetch_source, prepare_images
from ssgan.config.merge import read_json
from ssgan.data.base import AbstractCollection
from ssgan.files.names import readable
from ssgan.files.run_directory import RunDirectory
from ssgan.runs.config import RunConfig
from ssgan.training.resume import accept_directory
from ssgan.types import UserError

_DEFAULT_NAME = re.compile(r".+-[0-9a-f]{8}")  # other names were given by --run


def find_moved_run(
    config: RunConfig, default: Path, cache: Path | None, collection: AbstractCollection | None
) -> Path:
    """The default directory, or one beside it whose run has the same settings and images.

    The images are prepared where there is a run with the same settings but for their path.
    """
    source = config.data.source
    if RunDirectory(default).holds_run() or source == source.without_place():
        return default
    others = sorted(default.parent.iterdir()) if default.parent.is_dir() else []
    alike = [root for root in others if _has_settings(root, config)]
    if not alike:
        return default
    collection = fetch_source(source).open() if collection is None else collection
    images = prepare_images(source, config.data.preprocessing, cache, collection=collection)
    for root in alike:
        try:
            stored = read_json(RunDirectory(root).manifest)
        except UserError:
            continue
        if stored.get("content_hash") == images.content_hash:
            print(f"{readable(root)} has the same settings and images: it continues")
            return root
    return default


def _has_settings(root: Path, config: RunConfig) -> bool:
    """Whether a default directory holds a run with these settings, but for the images' path."""
    if not _DEFAULT_NAME.fullmatch(root.name) or not RunDirectory(root).holds_run():
        return False
    try:
        accept_directory(RunDirectory(root), config)
    except UserError:
        return False
    return True
