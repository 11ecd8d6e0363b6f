"""The settings that a command line of `ssgan train` starts from, and where they are written."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from os.path import realpath
from pathlib import Path
from typing import NamedTuple

from ssgan.cli.arguments import Options
from ssgan.cli.images import fetched
from ssgan.cli.trust import trusted_modules
from ssgan.config.dump import without_additions
from ssgan.config.overlay import read_json, read_toml
from ssgan.data.base import AbstractCollection, AbstractSource, DatasetInfo
from ssgan.data.sources import parse_source
from ssgan.files.run_directory import RunDirectory
from ssgan.recipes.auto import fit_recipe, with_source
from ssgan.recipes.find import build_recipe
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import load_config, upgrade_table
from ssgan.training.resume import may_change, read_run_config
from ssgan.types import UserError


class StartingPoint(NamedTuple):
    """The settings before any overlay, why they were chosen, a run's own directory, and --data."""

    config: RunConfig
    reasons: list[str]
    directory: Path | None
    source: AbstractSource | None  # that of --data
    collection: AbstractCollection | None  # the same opened, where settings were fitted to it


def chosen_settings(
    name: str | None, options: Options, table: Mapping[str, object]
) -> StartingPoint:
    """What the command line starts from."""
    trusted = trusted_modules(options)
    given = options.get("data")
    source = None if given is None else parse_source(given)
    whole = "kind" in table  # a run's own, images included
    if whole and source is not None:
        raise UserError(
            f"--config {options.get('config')} names its images, and --data {given} others: leave "
            "--data out; --data.source changes them"
        )
    if name is None:
        if whole:
            config = load_config(table, trusted, f"{options.get('config')}")
            return StartingPoint(config, [], None, None, None)
        if source is None:
            raise UserError("train needs a recipe or --data SOURCE; see ssgan train --help")
        outline, collection = _outline(source, options)
        config, reasons = fit_recipe(source, outline)
        return StartingPoint(config, reasons, None, source, collection)
    layout = RunDirectory(Path(name))
    stored = read_run_config(layout, trusted) if layout.root.is_dir() else None
    if stored is None and layout.root.exists():
        raise UserError(_no_run(layout.root))
    other = options.get("run")
    if stored is not None and other is not None and realpath(other) != realpath(name):
        raise UserError(
            f"{name} is a run and continues in its own directory, not in --run {other}: type "
            f"`ssgan train {name}`, or start from a recipe"
        )
    config, collection = build_recipe(name) if stored is None else stored, None
    if source is not None:
        outline, collection = _outline(source, options)
        config = with_source(config, source, outline)
    return StartingPoint(config, [], None if stored is None else layout.root, source, collection)


def settings_file(options: Options) -> Mapping[str, object]:
    """The settings in the file that --config names: TOML, or the config.json of a run."""
    file = options.get("config")
    if file is None:
        return {}
    if Path(file).suffix != ".json":
        return read_toml(file)
    table = read_json(file)
    return upgrade_table(table) if "kind" in table else table


def _no_run(path: Path) -> str:
    """What is said of a path that stands where a recipe or run should."""
    if path.is_dir():
        return (
            f"{path} is a folder and holds no run; to train on the images in it: ssgan train "
            f"--data folder:{path}"
        )
    return (
        f"{path} is a file, and no recipe or run; settings in a file are given by --config, and a "
        "recipe of your own is named as it is imported: my_file:function"
    )


def _outline(
    source: AbstractSource, options: Options
) -> tuple[DatasetInfo, AbstractCollection | None]:
    """What settings are fitted to; downloaded first, but not for help or a dry run."""
    if options.on("help") or options.on("dry-run"):
        return source.outline(), None
    collection = fetched(source).open()
    return DatasetInfo.of(collection), collection


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
