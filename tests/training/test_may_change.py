"""Which settings may change when a run continues: those that change none of its steps, no others.

Every field of every class that a run can have is changed in turn; the list of what may change is
written here by hand.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from torch.utils._pytree import tree_flatten

import ssgan.recipes  # noqa: F401 - every class that a run can have
from ssgan.config.merge import merge
from ssgan.config.schema import SettingEntry, concrete_classes, form_of, kind_of, walk
from ssgan.config.serialize import difference
from ssgan.evaluation import selection_metric
from ssgan.evaluation.feature_networks import FeatureChoice
from ssgan.files.run_directory import RunDirectory
from ssgan.metrics.features import RandomFeatures
from ssgan.runs import checkpoint
from ssgan.runs.config import RunConfig
from ssgan.training.resume import may_change, refuse_changes
from ssgan.training.run import run
from ssgan.types import UserError
from tests.config.test_merge import nested
from tests.training.tiny import images, stop_after, tiny

pytestmark = pytest.mark.slow

# Each with other values than those of `tiny`. To add one here, its values must leave the weights as
# they are.
MAY_CHANGE: dict[str, list[Any]] = {
    "total_steps": [3, 50],
    "device": ["cpu:0"],
    "activation_checkpointing": [True],
    "shard_state": [True],
    "output.log_every": [2, 50],
    "output.sample_every": [1, 50],
    "output.checkpoint_every": [1, 50],
    "output.snapshot_every": [1, 2],
    "output.sample_rows": [1, 9],
    "output.sharded_checkpoints": [True],
    "output.tensorboard": [True],
    "data.ratio": [0.5, 2.0],
    "evaluate.every": [2, 3],
    "evaluate.images": [2, 40],
    "evaluate.features": ["lite0"],
    "evaluate.num_images_d": [2, 40],
    "evaluate.on_collapse": ["stop"],
}
# Of images, and of a model, that their content identifies.
PLACES = ("data.source.path", "data.source.source.path", "init.model")
BASE = tiny(batch_size=16, total_steps=6)
REQUIRED = {  # of classes without defaults
    "path": "somewhere",
    "id": "some/set",
    "what": "pictures",
    "model": "somewhere",
    "count": 4,
    "source": {"kind": "Folder", "path": "somewhere"},
}


def trial(config: RunConfig, path: str, value: object) -> RunConfig | None:
    """The config with one setting changed; None when that is no config."""
    try:
        return merge(config, nested(path, value), "test")
    except UserError:
        return None


def kinds(config: RunConfig, entry: SettingEntry) -> Iterator[tuple[dict[str, Any], RunConfig]]:
    """Every other class that a field can hold and that fits the config: its table, the config."""
    for owner in concrete_classes(form_of(entry.hint).specs):
        if not owner.__module__.startswith("ssgan.") or owner is type(entry.value):
            continue
        needed = {name: REQUIRED[name] for name in REQUIRED if name in owner.__annotations__}
        for more in ({}, needed):
            table = {"kind": kind_of(owner), **more}
            if other := trial(config, entry.path, table):
                yield table, other
                break


def all_shapes() -> list[RunConfig]:
    """Configs that hold every class at least once."""
    found, waiting, seen = [], [BASE], set[str]()
    conditional = merge(BASE, {"method": "ConditionalGAN"}, "test")
    waiting.append(merge(conditional, {"generator": {"norm": "ConditionalBatchNorm"}}, "test"))
    while waiting:
        config = waiting.pop(0)
        found.append(config)
        for entry in walk(config):
            for table, other in kinds(config, entry):
                if table["kind"] not in seen:
                    seen.add(table["kind"])
                    waiting.append(other)
    return found


@pytest.fixture(scope="module")
def shapes():
    return all_shapes()


def other_values(entry: SettingEntry, config: RunConfig) -> Iterator[Any]:
    """Values that a setting may have instead; not all are valid."""
    value, hint = entry.value, entry.hint
    yield from (table for table, _ in kinds(config, entry))
    options = [one for one in form_of(hint).members if get_origin(one) is Literal]
    yield from (word for one in options for word in get_args(one) if word != value)
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (2 * value, value + 1, 3 * value, 32, 48, 64, 128, 1)
    elif isinstance(value, float):
        yield from (value / 2, value * 2, value + 0.125, 0.5, 0.75)
    elif isinstance(value, str):
        yield from (f"{value}x", "test", "train")
    elif isinstance(value, tuple):
        yield from ([item - 1 for item in value if type(item) is int], [1, 2], [0.5, 0.5], [8])
    elif value is None:
        yield from (1, 0.5, "x", True, [1], {"kind": "WGANGP"})


def changed(config: RunConfig, entry: SettingEntry) -> RunConfig | None:
    """The config with another value of this setting alone; an archive of a folder is none."""
    for value in other_values(entry, config):
        other = trial(config, entry.path, value)
        if other is None or [d.path for d in difference(config, other)] != [entry.path]:
            continue
        if difference(
            config.without_places(), other.without_places()
        ):  # an archive is as its folder
            return other
    return None


def test_the_shapes_hold_every_class(shapes):
    held = {type(entry.value) for config in shapes for entry in walk(config)}
    declared = {
        owner
        for config in shapes
        for entry in walk(config)
        for owner in concrete_classes(form_of(entry.hint).specs)
        if owner.__module__.startswith("ssgan.")
    }
    assert declared <= held, declared - held
    assert len(declared) > 30


def test_every_setting_but_the_listed_ones_is_refused_with_both_values(shapes, tmp_path):
    """Field by field over every class; a new field without a place in the list is refused."""
    tried, unchanged = set[tuple[type, str]](), set[tuple[type, str]]()
    for config in shapes:
        for entry in walk(config):
            listed = entry.path in MAY_CHANGE
            if (entry.owner, entry.path) in tried or entry.path in PLACES:
                continue
            other = changed(config, entry)
            if other is None:
                unchanged.add((entry.owner, entry.path))
                continue
            tried.add((entry.owner, entry.path))
            (one,) = difference(config, other)
            assert may_change(entry.path, config) == listed, entry.path
            if listed:
                refuse_changes(tmp_path, config, other)
                continue
            with pytest.raises(UserError) as refusal:
                refuse_changes(tmp_path, config, other)
            assert str(refusal.value).endswith(f": {entry.path}: {str(one).split(': ', 1)[1]}")
    assert {path for _, path in unchanged - tried} == PARTS
    assert {entry.path for entry in walk(BASE)} >= MAY_CHANGE.keys()


# Tables of one class, whose fields are changed one by one.
PARTS = {
    *("data", "output", "evaluate", "generator_optimizer", "discriminator_optimizer"),
    "method.adversarial",  # of R3GAN, which has one
}


@pytest.fixture(scope="module")
def dataset():
    return images()


def weights_after_three_steps(config, root, dataset):
    """Every tensor of the state, whatever the run writes beside it."""
    steps = run(config, root, dataset)
    for report in steps:
        if report.step == 3:
            break
    steps.close()
    saved, _ = checkpoint.load_newest(RunDirectory(root))
    assert saved is not None
    assert saved.step == 3
    return [one for one in tree_flatten(saved.tensors)[0] if isinstance(one, torch.Tensor)]


@pytest.fixture(scope="module")
def expected(dataset, tmp_path_factory):
    return weights_after_three_steps(BASE, tmp_path_factory.mktemp("base") / "run", dataset)


@pytest.fixture(scope="module")
def stopped(dataset, tmp_path_factory):
    """The directory of a run that was stopped after two steps, by its settings."""
    roots = {}

    def stop(config):
        if config not in roots:
            roots[config] = tmp_path_factory.mktemp("stopped") / "run"
            stop_after(config, roots[config], dataset, 2)
        return roots[config]

    return stop


@pytest.mark.parametrize(
    ("path", "value"), [(path, value) for path, values in MAY_CHANGE.items() for value in values]
)
def test_what_may_change_changes_no_weight(
    path, value, expected, stopped, dataset, tmp_path, monkeypatch
):
    """Three steps from the start, or the last one of them, end with the same bits."""
    monkeypatch.setattr(
        selection_metric, "choose_features", lambda *_: FeatureChoice(RandomFeatures(), [])
    )
    monkeypatch.setattr(selection_metric, "has_efficientnet_lite0", lambda: True)
    evaluated = path.startswith("evaluate.") and path != "evaluate.every"
    base = merge(BASE, {"evaluate": {"every": 3}}, "test") if evaluated else BASE
    config = trial(base, path, value)
    assert config is not None
    assert config != base
    if path != "total_steps":
        config = replace(config, total_steps=3)
    shutil.copytree(stopped(base), tmp_path / "continued")
    for root in ("whole", "continued"):
        found = weights_after_three_steps(config, tmp_path / root, dataset)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one, other)
