"""The settings that a command line of `ssgan train` starts from, and where they are written."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import realpath
from pathlib import Path
from typing import NamedTuple

from ssgan.cli.options import Train
from ssgan.cli.progress import fetch_source
from ssgan.config.merge import from_flags, merge, read_json, read_toml
from ssgan.data.base import AbstractCollection, AbstractSource, DatasetInfo
from ssgan.data.prepare import SIZES
from ssgan.data.sources import names_source, parse_source
from ssgan.files.run_directory import RunDirectory
from ssgan.recipes.adapt import adapt_recipe
from ssgan.recipes.auto import explain_choices, fit_recipe, with_source
from ssgan.recipes.find import build_recipe, import_user_module
from ssgan.runs.config import MAX_RATIO, DataConfig, InitialWeights, RunConfig
from ssgan.runs.config_io import ALIASES, first_form, load_config, upgrade_table
from ssgan.runs.initial import InitialModel, find_initial_model
from ssgan.training.resume import may_change, read_run_config
from ssgan.types import UserError


class ChosenConfig(NamedTuple):
    """All settings of a run, and what is known with them."""

    config: RunConfig
    reasons: list[str]  # why they were chosen, where they were
    directory: Path | None  # the run's own, if it has one
    collection: AbstractCollection | None  # its opened source, where it is open


class StartingPoint(NamedTuple):
    """The settings that a run starts from before any change."""

    config: RunConfig
    fitted: DatasetInfo | None  # of the images to which they were fitted, where they were
    directory: Path | None  # the run's own, if it has one
    collection: AbstractCollection | None  # its opened source, where it is open
    reason: str | None = None  # why these settings, where they are those of a model
    is_new: bool = False  # whether they are a recipe's or fitted, not those of a run or a model
    ratio: float | None = None  # width / height of the images, where they were opened


def take_source(given: Train) -> Train:
    """The options, where `ssgan train folder:PATH` means `ssgan train --data folder:PATH`."""
    if given.recipe is None or not names_source(given.recipe):
        return given
    if given.data is not None:
        raise UserError(f"{given.recipe} and --data {given.data} both name images: leave one out")
    return replace(given, recipe=None, data=given.recipe)


def read_config(given: Train) -> ChosenConfig:
    """All settings of a run: a recipe, then --config FILE, then the command line."""
    changes, _ = from_flags(given.settings)
    table = _read_config_file(given.config)
    start = choose_config(given, table)
    tables = ((table, given.config or ""), (changes, "--"))
    config, followed = start.config, list[str]()
    if start.is_new:
        config, followed = adapt_recipe(config, tables, start.fitted)
        start = start._replace(config=config)
    for found, where in tables:
        config = merge(config, found, where, ALIASES)
    if given.fit is not None:
        config = merge(config, {"data": {"fit": given.fit}}, "--")
    config = _keep_ratio(config, start)
    if given.on_collapse is not None:
        config = merge(config, {"evaluate": {"on_collapse": given.on_collapse}}, "--")
    if given.init is not None:
        config = replace(config, init=_find_initial(given.init, given.trust).init)
    same = config.data.source == start.config.data.source
    reasons = [] if start.reason is None else [start.reason]
    if start.fitted is not None:
        reasons = explain_choices(config, start.config, start.fitted.header_stats)
    if config.data.ratio is not None and start.ratio is not None:
        reasons.append(f"samples and sheets have the pictures' width / height: {config.data.ratio}")
    reasons += followed
    return ChosenConfig(config, reasons, start.directory, start.collection if same else None)


def choose_config(given: Train, table: Mapping[str, object]) -> StartingPoint:
    """What a run starts from before any change; `table` holds the settings of --config."""
    trusted = import_trusted(given.trust)
    name = given.recipe
    source = None if given.data is None else parse_source(given.data)
    whole = "kind" in table  # a run's own, images included
    if whole and source is not None:
        raise UserError(
            f"--config {given.config} names its images, and --data {given.data} others: leave "
            "--data out; --data.source changes them"
        )
    if source is not None:
        source = _change_source(source, table, given)
    if name is None:
        if whole:
            return StartingPoint(load_config(table, trusted, f"{given.config}"), None, None, None)
        if given.init is not None and source is not None:
            return _begin_from_model(given.init, source, trusted)
        if source is None:
            raise UserError("train needs a recipe or --data SOURCE; see ssgan train --help")
        info, collection = _open_source(source, given)
        return StartingPoint(
            *(fit_recipe(source, info)[0], info, None, collection),
            is_new=True,
            ratio=info.header_stats.ratio,
        )
    layout = RunDirectory(Path(name))
    stored = read_run_config(layout, trusted) if layout.root.is_dir() else None
    if stored is not None and given.init is not None:
        raise UserError(
            f"{name} is a run and continues with its own weights: leave --init out, or give a "
            "recipe or --data SOURCE alone to begin a new run"
        )
    if stored is None and layout.root.exists():
        raise UserError(_no_run(layout.root))
    if stored is not None and given.run is not None and realpath(given.run) != realpath(name):
        raise UserError(
            f"{name} is a run and continues in its own directory, not in --run {given.run}: type "
            f"`ssgan train {name}`, or start from a recipe"
        )
    config, collection, ratio = build_recipe(name) if stored is None else stored, None, None
    if source is not None:
        info, collection = _open_source(source, given)
        config, ratio = with_source(config, source, info), info.header_stats.ratio
        if stored is not None:  # a run keeps its own shape
            config = replace(config, data=replace(stored.data, source=source))
    root = None if stored is None else layout.root
    return StartingPoint(config, None, root, collection, is_new=stored is None, ratio=ratio)


def _keep_ratio(config: RunConfig, start: StartingPoint) -> RunConfig:
    """The config with the ratio of the pictures, where they are squashed and none is given."""
    data = config.data
    if data.fit != "squash" or data.ratio is not None or start.ratio is None:
        return config
    ratio = round(min(max(start.ratio, 1 / MAX_RATIO), MAX_RATIO), 4)
    return config if ratio == 1 else replace(config, data=replace(data, ratio=ratio))


def _begin_from_model(name: str, source: AbstractSource, trusted: Sequence[str]) -> StartingPoint:
    """The settings of a model, for other images; its device and precision are chosen again."""
    model, init = _find_initial(name, trusted)
    data, ratio = replace(model.config.data, source=source, ratio=None), None
    if data.fit == "squash":
        ratio = fetch_source(source).open().header_stats().ratio
    config = replace(model.config, data=data, init=init, device="auto", precision="auto")
    reason = f"{name}: its settings, and its weights after step {model.step:,}"
    return StartingPoint(config, None, None, None, reason, ratio=ratio)


def _find_initial(name: str, trusted: Sequence[str]) -> InitialModel:
    """The model that --init names."""
    return find_initial_model(InitialWeights(model=name), trusted)


@dataclass(frozen=True)
class _Start:
    """The part of the settings that is known before the images are opened."""

    data: DataConfig


def _change_source(
    source: AbstractSource, table: Mapping[str, object], given: Train
) -> AbstractSource:
    """The source of --data, with its settings in --config and on the command line.

    They count before it is opened: they may choose its columns.
    """
    start = _Start(DataConfig(source=source, image_size=SIZES[0]))
    changes, _ = from_flags(given.settings)
    for found, where in ((table, given.config or ""), (changes, "--")):
        data = found.get("data")
        if isinstance(data, Mapping) and "source" in data:
            start = merge(start, {"data": {"source": data["source"]}}, where, ALIASES)
    return start.data.source


def import_trusted(names: Sequence[str]) -> tuple[str, ...]:
    """Import the modules of --trust: a stored config imports nothing by itself.

    Returns their names. Raises UserError for a module that cannot be imported.
    """
    for name in names:
        import_user_module(name, f"--trust {name}")
    return tuple(names)


def _read_config_file(file: str | None) -> Mapping[str, object]:
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
        f"{path} is a file, neither a recipe nor a run; give a file of settings with --config, and "
        "your own recipe as my_file:function"
    )


def _open_source(
    source: AbstractSource, given: Train
) -> tuple[DatasetInfo, AbstractCollection | None]:
    """What settings are fitted to, and the opened source; a dry run downloads nothing."""
    knows_more = type(source).info is not AbstractSource.info  # than it says when it is opened
    if given.help or (given.dry_run and knows_more):
        return source.info(), None
    collection = fetch_source(source).open()
    return DatasetInfo.of(collection), collection


def default_directory(name: str | None, config: RunConfig) -> str:
    """runs/NAME-HASH: the same command finds the same directory again."""
    output, evaluate = type(config.output)(), type(config.evaluate)()
    spared = replace(
        config, output=output, evaluate=evaluate, device="auto", activation_checkpointing=False
    )
    if may_change("total_steps", config):
        spared = replace(spared, total_steps=1)
    spared = replace(spared, data=replace(spared.data, ratio=None))
    if config.init is not None:  # its digest names it, wherever it is
        spared = replace(spared, init=replace(config.init, model=""))
    digest = hashlib.sha256(json.dumps(first_form(spared), sort_keys=True).encode()).hexdigest()
    stem = (name or config.data.source.name()).replace(":", "-").rstrip("/").split("/")[-1]
    if name is None:
        stem = re.sub(r"\?(label=|image=|stream).*", "", stem)  # columns are in the digest
    return f"runs/{stem}-{digest[:8]}"
