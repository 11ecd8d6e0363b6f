"""The settings that a command line of `ssgan train` starts from, and where they are written."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os.path import realpath
from pathlib import Path

from ssgan.cli.options import Train
from ssgan.cli.preparation import fetch_source
from ssgan.config.merge import from_flags, merge, read_json, read_toml
from ssgan.config.serialize import without_additions
from ssgan.data.base import AbstractSource, DatasetInfo
from ssgan.data.sources import parse_source
from ssgan.files.run_directory import RunDirectory
from ssgan.recipes.auto import fit_recipe, with_source
from ssgan.recipes.find import build_recipe, import_user_module
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import load_config, upgrade_table
from ssgan.training.resume import may_change, read_run_config
from ssgan.types import UserError


def read_config(given: Train) -> tuple[RunConfig, list[str], Path | None]:
    """All settings of a run, why they were chosen, and the run's own directory if it has one.

    A recipe comes first, then --config FILE, then the settings on the command line.
    """
    changes, _ = from_flags(given.settings)
    table = _config_file(given.config)
    config, reasons, directory = choose_config(given, table)
    config = merge(config, table, given.config or "")
    config = merge(config, changes, "--")
    if given.on_collapse is not None:
        config = merge(config, {"evaluate": {"on_collapse": given.on_collapse}}, "--")
    return config, reasons, directory


def choose_config(
    given: Train, table: Mapping[str, object]
) -> tuple[RunConfig, list[str], Path | None]:
    """The settings before any change, why they were chosen, and a run's own directory.

    `table` holds the settings of --config.
    """
    trusted = import_trusted(given.trust)
    name = given.recipe
    source = None if given.data is None else parse_source(given.data)
    whole = "kind" in table  # a run's own, images included
    if whole and source is not None:
        raise UserError(
            f"--config {given.config} names its images, and --data {given.data} others: leave "
            "--data out; --data.source changes them"
        )
    if name is None:
        if whole:
            return load_config(table, trusted, f"{given.config}"), [], None
        if source is None:
            raise UserError("train needs a recipe or --data SOURCE; see ssgan train --help")
        config, reasons = fit_recipe(source, _info(source, given))
        return config, reasons, None
    layout = RunDirectory(Path(name))
    stored = read_run_config(layout, trusted) if layout.root.is_dir() else None
    if stored is None and layout.root.exists():
        raise UserError(_no_run(layout.root))
    if stored is not None and given.run is not None and realpath(given.run) != realpath(name):
        raise UserError(
            f"{name} is a run and continues in its own directory, not in --run {given.run}: type "
            f"`ssgan train {name}`, or start from a recipe"
        )
    config = build_recipe(name) if stored is None else stored
    if source is not None:
        config = with_source(config, source, _info(source, given))
    return config, [], None if stored is None else layout.root


def import_trusted(names: Sequence[str]) -> tuple[str, ...]:
    """Import the modules of --trust: a stored config imports nothing by itself.

    Returns their names. Raises UserError for a module that cannot be imported.
    """
    for name in names:
        import_user_module(name, f"--trust {name}")
    return tuple(names)


def _config_file(file: str | None) -> Mapping[str, object]:
    """The settings in the file that --config names: TOML, or the config.json of a run."""
    if file is None:
        return {}
    if Path(file).suffix != ".json":
        return read_toml(file)
    table = read_json(file)
    return upgrade_table(table) if "kind" in table else table


def _no_run(path: Path) -> str:
    """The error for a path that is given in place of a recipe or a run."""
    if path.is_dir():
        return (
            f"{path} is a folder and holds no run; to train on the images in it: ssgan train "
            f"--data folder:{path}"
        )
    return (
        f"{path} is a file, and no recipe or run; settings in a file are given by --config, and a "
        "recipe of your own is named as it is imported: my_file:function"
    )


def _info(source: AbstractSource, given: Train) -> DatasetInfo:
    """What settings are fitted to; downloaded first, but not for help or a dry run."""
    if given.help or given.dry_run:
        return source.info()
    return DatasetInfo.of(fetch_source(source).open())


def default_directory(name: str | None, config: RunConfig) -> str:
    """runs/NAME-HASH: the same command finds the same directory again."""
    output, evaluate = type(config.output)(), type(config.evaluate)()
    spared = replace(config, output=output, evaluate=evaluate, device="auto", recompute=False)
    if may_change("total_steps", config):
        spared = replace(spared, total_steps=1)
    digest = hashlib.sha256(
        json.dumps(without_additions(spared), sort_keys=True).encode()
    ).hexdigest()
    stem = (name or config.data.source.name()).replace(":", "-").rstrip("/").split("/")[-1]
    return f"runs/{stem}-{digest[:8]}"
