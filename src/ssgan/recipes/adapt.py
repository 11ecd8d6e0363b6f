"""Settings that follow from the user's own: a method that reads labels needs a norm that does.

A table of the user's settings changes one thing; what depends on it is changed here, before the
tables are merged. Where the user set it as well, their choice stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from ssgan.config.merge import merge
from ssgan.data.base import DatasetInfo
from ssgan.models.norms import AbstractNorm, ConditionalBatchNorm
from ssgan.recipes.auto import fit_recipe
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import ALIASES

Changes: TypeAlias = tuple[Mapping[str, object], str]  # a table, and where it is from
_CAUSES = ("method", "data")  # the settings that others depend on
_LISTED = 8  # names of classes in a sentence


def adapt_recipe(
    config: RunConfig, changes: Sequence[Changes], info: DatasetInfo | None = None
) -> tuple[RunConfig, list[str]]:
    """The settings before the user's changes, made to suit these, and a sentence for each choice.

    `info` is that of the images to which `fit_recipe` fitted the settings; without it the networks
    keep their family, whatever the size. Raises UserError for a method or data that cannot be read.
    """
    wanted = config
    for table, where in changes:
        causes = {name: table[name] for name in _CAUSES if name in table}
        wanted = merge(wanted, causes, where, ALIASES)
    named = [name for table, _ in changes for name in _named_classes(table)]
    size, networks = wanted.data.image_size, {"generator", "discriminator"}
    if info is not None and size != config.data.image_size and not networks.intersection(named):
        config = replace(fit_recipe(config.data.source, info, size)[0], data=config.data)
    norm = getattr(config.generator, "norm", None)
    if not (wanted.method.conditional and isinstance(norm, AbstractNorm)):
        return config, []
    if norm.reads_labels or "generator.norm" in named:
        return config, []
    chosen: Any = {"norm": ConditionalBatchNorm(gamma_offset=True)}
    config = replace(config, generator=replace(config.generator, **chosen))
    return config, [_explain_labels(type(wanted.method).__name__, info)]


def _named_classes(table: Mapping[str, object]) -> Iterator[str]:
    """Which of the networks and of G's norm a table gives a class, not only settings."""
    generator = table.get("generator")
    norm = generator.get("norm") if isinstance(generator, Mapping) else None
    found = (generator, table.get("discriminator"), norm)
    for name, value in zip(("generator", "discriminator", "generator.norm"), found, strict=True):
        if isinstance(value, str) or (isinstance(value, Mapping) and "kind" in value):
            yield name


def _explain_labels(method: str, info: DatasetInfo | None) -> str:
    reason = f"conditional batch norm in the generator: {method} needs a norm that reads the labels"
    if info is None or not info.classes:
        return reason
    listed = ", ".join([*info.classes[:_LISTED], *["..."] * (len(info.classes) > _LISTED)])
    return f"{reason}; {len(info.classes)} classes ({listed})"
