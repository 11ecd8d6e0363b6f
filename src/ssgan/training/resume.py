"""Where a run starts: from nothing, or from what its directory holds."""

import logging
import os
from pathlib import Path

from ssgan.config.dump import difference, dump, load
from ssgan.config.read import read_json
from ssgan.data.dataset import Dataset
from ssgan.files import jsonlines
from ssgan.files.atomic import TEMPORARY, remove_strays, write_json
from ssgan.files.environment import BITS_DEPEND_ON, environment
from ssgan.files.layout import RunLayout
from ssgan.training import checkpoint
from ssgan.training.config import RunConfig
from ssgan.training.precision import resolve_device
from ssgan.training.state import TrainState
from ssgan.types import UserError

_LOG = logging.getLogger("ssgan")


def open_directory(layout: RunLayout) -> None:
    """Make the directory, or accept it as a run's; raises UserError when it cannot be one."""
    root = layout.root
    try:
        if root.exists() and not root.is_dir():
            raise UserError(f"{root} is a file; a run needs a directory")
        known = layout.config.exists() or layout.lock.exists()
        if root.is_dir() and not known and any(root.iterdir()):
            raise UserError(f"{root} holds other files and no run; give an empty or new directory")
        root.mkdir(parents=True, exist_ok=True)
        layout.lock.touch()  # before anything else: from here on the directory is a run's
        probe = root / TEMPORARY.format("probe")
        probe.touch()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{root} cannot be written: {error.strerror}") from None


def resume(
    layout: RunLayout, config: RunConfig, dataset: Dataset, state: TrainState
) -> Path | None:
    """Put the newest whole checkpoint into the fresh state; None when the run is new.

    Logs are cut back to its step. Raises UserError for changed settings or changed data.
    """
    _clear_leavings(layout)
    trusted = modules_of(dump(config))
    if layout.config.exists():
        stored = load(read_json(layout.config), trusted, str(layout.config))
        assert isinstance(stored, RunConfig)
        refuse_changes(layout.root, stored, config)
    saved, passed_over = checkpoint.newest(layout, trusted)
    for sentence in passed_over:
        _LOG.warning("passed over: %s", sentence)
    if saved is None and layout.checkpoint_files():
        raise UserError(
            f"{layout.root} has checkpoints and none is whole: {'; '.join(passed_over)}; "
            "start in a new directory, or remove them to start over"
        )
    if saved is not None:
        checkpoint.set_aside_damaged(layout, saved)
        refuse_changes(layout.root, saved.config, config)
        _refuse_other_data(layout.root, saved, dataset)
        checkpoint.restore(state, saved)
        _LOG.info("continuing from step %d of %s", saved.step, layout.root)
    for path in (layout.log, layout.metrics):
        jsonlines.cut_back(path, state.step)
    write_json(layout.config, dump(config))
    write_json(layout.manifest, {"content_hash": dataset.content_hash, **dataset.manifest})
    _write_environment(layout, config)
    return None if saved is None else saved.path


def modules_of(table: object) -> list[str]:
    """The modules of all settings classes in a dumped config: what is running is trusted."""
    if isinstance(table, list):
        return [module for item in table for module in modules_of(item)]
    if not isinstance(table, dict):
        return []
    inner = [module for value in table.values() for module in modules_of(value)]
    return [table["kind"].partition(":")[0], *inner] if "kind" in table else inner


def harmless(path: str, config: RunConfig) -> bool:
    """Whether a setting may change between two parts of one run without changing its steps."""
    if path == "total_steps":
        return config.learning_rate_decay == "none"
    return path == "device" or path.startswith("output.")


def refuse_changes(root: Path, stored: RunConfig, config: RunConfig) -> None:
    """Raise UserError naming every setting that differs and would change what is learnt."""
    changed = [str(d) for d in difference(stored, config) if not harmless(d.path, config)]
    if changed:
        raise UserError(f"{root} holds a run with other settings: {'; '.join(changed)}")


def _refuse_other_data(root: Path, saved: checkpoint.Checkpoint, dataset: Dataset) -> None:
    if saved.data_hash != dataset.content_hash:
        raise UserError(
            f"{root} was trained on other images (content {saved.data_hash[:12]}, now "
            f"{dataset.content_hash[:12]}): put the images back, or start in a new directory"
        )


def _clear_leavings(layout: RunLayout) -> None:
    """Temporary files of a save that was killed; we hold the lock, so nobody writes them."""
    for folder in (layout.root, layout.checkpoints, layout.kept, layout.best, layout.samples):
        remove_strays(folder)


def _write_environment(layout: RunLayout, config: RunConfig) -> None:
    now = environment(str(resolve_device(config.device)), config.precision)
    if layout.environment.exists():
        before = read_json(layout.environment)
        changed = [key for key in BITS_DEPEND_ON if before.get(key) != now[key]]
        if changed:
            _LOG.warning("bits may differ from the first part: %s changed", ", ".join(changed))
    write_json(layout.environment, {**now, "process": os.getpid()})
