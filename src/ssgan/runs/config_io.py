"""Stored settings of this and earlier versions, read back into dataclasses.

Reading a file must import nothing, so every class that it may name is imported here. `--method GAN`
and the like are looked up among the same classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ssgan import losses
from ssgan.config.serialize import Aliases, dump, load
from ssgan.data import archives, cifar10, crops, folder, huggingface, npz
from ssgan.data.scenes import source as scenes
from ssgan.methods import (
    class_losses,
    gan,
    penalty,
    r3gan,
    rotation_only,
    s3gan,
    ssgan,
    ssgan_annealed,
    ssgan_la,
    ssgan_ms,
)
from ssgan.models import biggan, dcgan, norms, resnet, sndcgan, sngan
from ssgan.runs.config import EvaluateConfig, RunConfig
from ssgan.types import UserError

REGISTRY = (
    losses, archives, cifar10, crops, folder, huggingface, npz, scenes,
    class_losses, gan, penalty, r3gan, rotation_only, s3gan, ssgan, ssgan_annealed, ssgan_la,
    ssgan_ms,
    norms, biggan, dcgan, resnet, sndcgan, sngan,
)  # fmt: skip

_CONFIG, _S3GAN = "ssgan.runs.config", "ssgan.methods.s3gan:S3GAN"
_FORGETTING = "ssgan.studies.forgetting.settings:ForgettingSettings"
_FIRST_KINDS = {  # today's class: its name in the first version
    **{
        f"{_CONFIG}:{name}": f"ssgan.training.config:{name}"
        for name in ("RunConfig", "DataConfig", "AdamConfig", "OutputConfig", "EvaluateConfig")
    },
    **{
        f"ssgan.models.resnet:{family}{part}": f"ssgan.models.{module}:{family}{part}"
        for module, family in (("resnet5", "ResNet5"), ("resnet_stl", "ResNetSTL"))
        for part in ("Generator", "Discriminator")
    },
    "ssgan.data.base:UserProvided": "ssgan.data.own_copy:OwnCopy",
    "ssgan.data.scenes.source:Scenes": "ssgan.data.scenes:Scenes",
    _FORGETTING: "ssgan.studies.forgetting:Forgetting",
}
_FIRST_FIELDS = {  # today's class: today's field: its name in the first version
    f"{_CONFIG}:RunConfig": {"activation_checkpointing": "recompute"},
    f"{_CONFIG}:OutputConfig": {"snapshot_every": "keep_every"},
    f"{_CONFIG}:EvaluateConfig": {"num_images_d": "shown"},
    _S3GAN: {"pseudo_label": "guess"},
    _FORGETTING: {"test_images": "asked"},
}
_FIRST_VALUES = {_S3GAN: {"pseudo_label": {"sampled": "drawn"}}}

ALIASES = Aliases(  # the names of the first version, which files and flags may still use
    kinds={old: new for new, old in _FIRST_KINDS.items()},
    fields={
        kind: {old: new for new, old in names.items()} for kind, names in _FIRST_FIELDS.items()
    },
    values={
        kind: {name: {old: new for new, old in words.items()} for name, words in fields.items()}
        for kind, fields in _FIRST_VALUES.items()
    },
)


def load_settings(
    table: Mapping[str, object], trusted_modules: Sequence[str] = (), where: str = ""
) -> object:
    """The dumped settings, of any class of ssgan or of the trusted modules.

    Raises UserError, ending with `where`, for anything else.
    """
    assert REGISTRY  # imported, and so found
    return load(table, trusted_modules, where, ALIASES)


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
    if isinstance(output, Mapping) and not {"keep_every", "snapshot_every"} & set(output):
        output = {**output, "snapshot_every": 0}
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


def first_form(config: object) -> dict[str, Any]:
    """The dumped settings under the names of the first version, without later additions.

    For digests that name directories and results: they stay the same when names change.
    """
    form = _first_form(dump(config, whole=False))
    assert isinstance(form, dict)
    return form


def _first_form(value: Any) -> Any:
    if isinstance(value, list):
        return [_first_form(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = str(value.get("kind"))
    names, words = _FIRST_FIELDS.get(kind, {}), _FIRST_VALUES.get(kind, {})
    form: dict[str, Any] = {}
    for name, item in value.items():
        first = words[name].get(item, item) if name in words else item
        form[str(names.get(name, name))] = _first_form(first)
    if "kind" in form:
        form["kind"] = _FIRST_KINDS.get(kind, kind)
    return form


def first_words(path: str, value: object) -> str:
    """A setting on the command line as PATH=VALUE, in the words of the first version."""
    if path in ("method.pseudo_label", "method.guess"):
        return f"method.guess={'drawn' if value in ('sampled', 'drawn') else value}"
    return f"{path}={value}"
