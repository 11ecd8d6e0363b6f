"""Runs that begin from the weights of a model: a run, a checkpoint, or a model's file.

G, its average and D take the weights, running statistics and singular vectors. Optimizers, the
step and the half-life of the average start from zero. The networks must be those of the model.
What follows from the method and the classes may differ: rows that both have are copied, others
keep their initial values.

    class rows      label embeddings of G and D, and the class logits of the auxiliary head, by the
                    names of classes; by their numbers, if the model's classes have numbers only
    auxiliary rows  the other logits of the auxiliary head, in order
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from ssgan.config.schema import value_text
from ssgan.config.serialize import difference
from ssgan.models.heads import Heads
from ssgan.models.layers import Embedding
from ssgan.ops.spectral_norm import FIRST_ITERATIONS, SpectralLayer, advance_spectral_norm
from ssgan.runs.config import InitialWeights, RunConfig
from ssgan.runs.fitting import load_network
from ssgan.runs.model_file import StoredModel, digest_model, find_model
from ssgan.runs.state import TrainState
from ssgan.types import UserError

Rows: TypeAlias = Sequence[int | None]  # the row of the model for each row here; None: it is new
_NO_WEIGHTS = ("generator.fused", "discriminator.fused")  # settings that no result depends on


class InitialModel(NamedTuple):
    """A model to begin from, and the setting that names it with its digest."""

    model: StoredModel
    init: InitialWeights


def find_initial_model(init: InitialWeights, trusted_modules: Sequence[str] = ()) -> InitialModel:
    """Read the model; UserError when it cannot be read, or has other weights than `init` says."""
    model = find_model(Path(init.model), trusted_modules=trusted_modules).model
    digest = digest_model(model)
    if init.sha256 not in (None, digest):
        raise UserError(
            f"--init {init.model} has other weights than this run is to begin with (sha256 "
            f"{digest[:12]}, not {str(init.sha256)[:12]}): it was trained on, or is another model"
        )
    return InitialModel(model, replace(init, sha256=digest))


def require_same_networks(config: RunConfig, model: StoredModel) -> None:
    """Raise UserError for a setting of the networks or image shape that is not the model's."""
    theirs, ours = model.config, config
    pairs: list[tuple[str, object, object]] = [
        ("data.image_size", theirs.data.image_size, ours.data.image_size),
        ("data.channels", theirs.data.channels, ours.data.channels),
    ]
    for name in ("generator", "discriminator"):
        for one in difference(getattr(theirs, name), getattr(ours, name)):
            pairs.append((f"{name}.{one.path}".rstrip("."), one.old, one.new))
    differing = [
        f"{name} is {value_text(new)} here and {value_text(old)} there"
        for name, old, new in pairs
        if new != old and name not in _NO_WEIGHTS
    ]
    if differing:
        raise UserError(
            f"--init {_name(config, model)}: a run keeps the networks of its initial model: "
            f"{'; '.join(differing)}"
        )


def _name(config: RunConfig, model: StoredModel) -> str:
    """The model as the user named it: the file of a built-in one means nothing to anybody."""
    return str(model.path) if config.init is None else config.init.model


def load_initial_weights(
    state: TrainState, config: RunConfig, classes: Sequence[str], model: StoredModel
) -> list[str]:
    """Copy the weights into a fresh state; returns what is new or left out, in words.

    G begins as its average where the model has nothing else. `classes` are those of the data.
    Raises UserError for networks that differ.
    """
    require_same_networks(config, model)
    rows = _Rows.of(config, classes, model)
    ema, name = model.tensors["generator_ema"], _name(config, model)
    _copy(state.generator, model.tensors.get("generator", ema), rows, name)
    _copy(state.generator_ema, ema, rows, name)
    words = rows.words()
    if "discriminator" in model.tensors:
        _copy(state.discriminator, model.tensors["discriminator"], rows, name)
    else:
        words.append("D is new, for the model has none")
    return words


class _Rows(NamedTuple):
    """Which rows of the model go where."""

    classes: Rows  # of label embeddings
    auxiliary: Rows  # of the auxiliary head
    names: Sequence[str]  # of the classes here
    theirs: Sequence[str]  # of the classes of the model
    dropped: int  # auxiliary logits of the model that have no place here

    @staticmethod
    def of(config: RunConfig, classes: Sequence[str], model: StoredModel) -> "_Rows":
        ours, theirs = config.method, model.config.method
        new = classes if ours.conditional else ()
        old = model.classes if theirs.conditional else ()
        found = _match_classes(old, new)
        base, theirs_base = ours.auxiliary_width_for(0), theirs.auxiliary_width_for(0)
        width, theirs_width = (
            ours.auxiliary_width_for(len(new)),
            theirs.auxiliary_width_for(len(old)),
        )
        rows: list[int | None] = [n if n < theirs_base else None for n in range(base)]
        if width > base:  # logits of classes follow
            known = found if theirs_width > theirs_base else [None] * len(new)
            rows += [None if row is None else theirs_base + row for row in known]
        kept = sum(row is not None for row in rows)
        return _Rows(found, rows, new, old, theirs_width - kept)

    def words(self) -> list[str]:
        """What is new, in words."""
        words = []
        fresh = [name for name, row in zip(self.names, self.classes, strict=True) if row is None]
        if fresh:
            listed = ", ".join(fresh[:5]) + ", ..." * (len(fresh) > 5)
            words.append(f"{len(fresh)} of {len(self.names)} classes are new ({listed})")
        if self.theirs and not self.names:
            words.append("the model's classes are left out")
        new = sum(row is None for row in self.auxiliary)
        if new:
            words.append(f"{new} of {len(self.auxiliary)} logits of the auxiliary head are new")
        if self.dropped:
            words.append(f"{self.dropped} logits of the model's auxiliary head are left out")
        return words


def _match_classes(old: Sequence[str], new: Sequence[str]) -> Rows:
    """The old number of each new class, by name; by number if the old have nothing else."""
    numbers = {name: number for number, name in enumerate(old)}
    if not numbers.keys() & set(new) and list(old) == [str(n) for n in range(len(old))]:
        return [number if number < len(old) else None for number in range(len(new))]
    return [numbers.get(name) for name in new]


@torch.no_grad()
def _copy(network: nn.Module, stored: Mapping[str, Tensor], rows: _Rows, name: str) -> None:
    """Copy a state dict, row by row where rows may differ; the rest must fit exactly."""
    by_row, own = _layers_by_row(network, rows), network.state_dict()
    given = {key: value for key, value in stored.items() if _layer_of(key) not in by_row}
    try:
        for key, value in own.items():
            if (chosen := by_row.get(_layer_of(key))) is not None:
                given[key] = _copy_rows(key, value, stored.get(key), chosen)
        load_network(network, given)
    except (ValueError, RuntimeError, IndexError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--init {name} does not fit these networks: {reason}") from None
    for layer_name, layer in network.named_modules():
        chosen = by_row.get(layer_name)
        if isinstance(layer, SpectralLayer) and chosen not in (
            None,
            list(range(len(chosen or ()))),
        ):
            advance_spectral_norm(layer, iterations=FIRST_ITERATIONS)


def _layers_by_row(network: nn.Module, rows: _Rows) -> dict[str, Rows]:
    """The layers whose rows may differ, by name, also those that only the model has."""
    layers: dict[str, Rows] = {}
    for name, layer in network.named_modules():
        if isinstance(layer, Embedding):
            layers[name] = rows.classes
        elif isinstance(layer, Heads):
            layers[f"{name}.auxiliary"] = rows.auxiliary
            layers[f"{name}.projection"] = rows.classes
    return layers


def _layer_of(key: str) -> str:
    return key.rpartition(".")[0]


def _copy_rows(key: str, own: Tensor, given: Tensor | None, rows: Rows) -> Tensor:
    """The own values with the given rows; all given ones where there are no rows."""
    if given is None:
        return own
    if key.endswith("spectral_v"):  # as long as a row
        return given
    copied = own.clone()
    for number, row in enumerate(rows):
        if row is not None:
            copied[number] = given[row].to(copied)
    return copied
