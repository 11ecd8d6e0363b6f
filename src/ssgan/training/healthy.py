"""The last checkpoint of a time when the run was healthy, kept when all others are replaced."""

import os
import secrets
import shutil
from pathlib import Path

from ssgan.files.atomic import TEMPORARY, sync_folder
from ssgan.files.layout import RunLayout, files_of_steps, step_of


def keep_healthy(layout: RunLayout, saved: Path) -> Path:
    """Give a whole checkpoint a second name in healthy/, then remove the one that was there.

    A hard link, which takes no room while checkpoints/ has the file too; a copy where the file
    system has no links. At every instant at least one is there, once there was one.
    """
    target = layout.healthy_checkpoint(step_of(saved))
    layout.healthy.mkdir(exist_ok=True)
    temporary = layout.healthy / TEMPORARY.format(secrets.token_hex(8))
    try:
        os.link(saved, temporary)
    except OSError:
        shutil.copyfile(saved, temporary)
    os.replace(temporary, target)
    temporary.unlink(missing_ok=True)  # replacing a name of the same file does nothing
    sync_folder(layout.healthy)
    for older in healthy_files(layout):
        if older != target:
            older.unlink(missing_ok=True)
    return target


def healthy_files(layout: RunLayout) -> list[Path]:
    """What is kept, newest first: at most one, and two for an instant."""
    return sorted(files_of_steps(layout.healthy, "ckpt"), key=step_of, reverse=True)
