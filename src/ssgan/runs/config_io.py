"""Stored settings of this and earlier versions, read back into dataclasses.

Reading a file must import nothing, so every class that it may name is imported here. `--method GAN`
and the like are looked up among the same classes.
"""

from collections.abc import Mapping, Sequence

from ssgan import losses
from ssgan.config.dump import dump, load
from ssgan.data import cifar10, crops, folder, huggingface, user_provided
from ssgan.data.scenes import source as scenes
from ssgan.methods import (
    class_losses,
    gan,
    penalty,
    rotation_only,
    s3gan,
    ssgan,
    ssgan_annealed,
    ssgan_la,
    ssgan_ms,
)
from ssgan.models import biggan, dcgan, norms, resnet, sndcgan
from ssgan.runs.config import EvaluateConfig, RunConfig
from ssgan.types import UserError

REGISTRY = (
    losses,
    cifar10,
    crops,
    folder,
    huggingface,
    user_provided,
    scenes,
    class_losses,
    gan,
    penalty,
    rotation_only,
    s3gan,
    ssgan,
    ssgan_annealed,
    ssgan_la,
    ssgan_ms,
    norms,
    biggan,
    dcgan,
    resnet,
    sndcgan,
)


def load_settings(
    table: Mapping[str, object], trusted_modules: Sequence[str] = (), where: str = ""
) -> object:
    """The dumped settings, of any class of ssgan or of the trusted modules.

    Raises UserError, ending with `where`, for anything else.
    """
    assert REGISTRY  # imported, and so found
    return load(_rename_kinds(table), trusted_modules, where)


def load_config(
    table: Mapping[str, object], trusted_modules: Sequence[str] = (), where: str = ""
) -> RunConfig:
    """The dumped settings of a run; UserError, ending with `where`, for anything else."""
    config = load_settings(upgrade_table(table), trusted_modules, where)
    if not isinstance(config, RunConfig):
        raise UserError(
            f"{where or 'config'} holds a {type(config).__name__}, not a run's settings"
        )
    return config


def upgrade_table(table: Mapping[str, object]) -> Mapping[str, object]:
    """The table in today's form: a setting of a newer version has its value of before."""
    output = table.get("output")
    if isinstance(output, Mapping) and "keep_every" not in output:
        output = {**output, "keep_every": 0}
        table = {**table, "output": output}
    if "evaluate" in table or not isinstance(output, Mapping) or "score_every" not in output:
        return table
    others = {name: value for name, value in output.items() if not name.startswith("score_")}
    evaluate = {
        **dump(EvaluateConfig()),
        "every": output["score_every"],
        "images": output.get("score_images"),
    }
    return {**table, "output": others, "evaluate": evaluate}


def list_modules(table: object) -> list[str]:
    """The modules of all settings classes in a dumped config: a running config is trusted."""
    if isinstance(table, list):
        return [module for item in table for module in list_modules(item)]
    if not isinstance(table, dict):
        return []
    inner = [module for value in table.values() for module in list_modules(value)]
    return [table["kind"].partition(":")[0], *inner] if "kind" in table else inner


_RENAMED = {  # class paths in files of earlier versions
    "ssgan.training.config:": "ssgan.runs.config:",
    "ssgan.data.own_copy:OwnCopy": "ssgan.data.user_provided:UserProvided",
    "ssgan.data.scenes:": "ssgan.data.scenes.source:",
    "ssgan.models.resnet5:": "ssgan.models.resnet:",
    "ssgan.models.resnet_stl:": "ssgan.models.resnet:",
    "ssgan.studies.forgetting:Forgetting": "ssgan.studies.forgetting.settings:ForgettingSettings",
}


def _rename_kinds(table: Mapping[str, object]) -> dict[str, object]:
    """The table with today's class paths."""
    return {name: _rename_kind(name, value) for name, value in table.items()}


def _rename_kind(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return _rename_kinds(value)
    if isinstance(value, list):
        return [_rename_kind("", item) for item in value]
    if name == "kind" and isinstance(value, str):
        for old, new in _RENAMED.items():
            if value.startswith(old):
                return new + value.removeprefix(old)
    return value
