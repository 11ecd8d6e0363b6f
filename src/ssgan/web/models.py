"""The stored states of a run and their networks, loaded when they are first needed."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ssgan.export.model import Model, load
from ssgan.files.links import read_file_state
from ssgan.files.run_directory import RunDirectory, parse_step
from ssgan.types import UserError
from ssgan.web.catalogue import RunCatalogue, UnknownId

_MOST_MODELS = 3  # in memory
NEWEST = "newest"


class StoredState(NamedTuple):
    """A state of a run from which images can be made."""

    name: str  # such as checkpoint-300, snapshot-100 or best
    path: Path
    step: int | None  # None: only its file says


def list_stored_states(layout: RunDirectory) -> list[StoredState]:
    """Checkpoints and snapshots, the newest first, then the best state."""
    found = [
        StoredState(f"{kind}-{parse_step(path)}", path, parse_step(path))
        for kind, files in (
            ("checkpoint", layout.checkpoint_files()),
            ("snapshot", layout.snapshot_files()),
        )
        for path in files
    ]
    found.sort(key=lambda state: -(state.step or 0))
    if layout.best_checkpoint().exists():
        found.append(StoredState("best", layout.best_checkpoint(), None))
    return found


def find_stored(layout: RunDirectory, name: str) -> StoredState:
    """The state of that name; raises UnknownId."""
    states = list_stored_states(layout)
    if not states:
        raise UnknownId("this run has no checkpoint yet")
    if name == NEWEST:
        return states[0]
    for state in states:
        if state.name == name:
            return state
    raise UnknownId("this state is no longer there: choose another one")


class ModelCache:
    """The models that were used last. Two threads use it."""

    def __init__(self, catalogue: RunCatalogue) -> None:
        self._catalogue = catalogue
        self._models: OrderedDict[Path, tuple[tuple[int, ...], Model]] = OrderedDict()
        self._lock = Lock()

    def get(self, layout: RunDirectory, name: str) -> Model:
        """The networks of a state; raises UnknownId, and UserError for a file that is damaged."""
        state = find_stored(layout, name)
        with self._lock:
            try:
                content = read_file_state(state.path)
            except OSError:
                raise UnknownId("this state is no longer there: choose another one") from None
            known = self._models.get(state.path)
            if known is not None and known[0] == content:
                self._models.move_to_end(state.path)
                return known[1]
            model = load(state.path, trusted_modules=self._catalogue.trusted_modules)
            self._models[state.path] = content, model
            while len(self._models) > _MOST_MODELS:
                self._models.popitem(last=False)
            return model


def describe_networks(model: Model) -> dict[str, Any]:
    """What the page must know of a model before it can ask for images."""
    method = model.config.method
    return {
        "step": model.step,
        "size": model.shape.size,
        "channels": model.shape.channels,
        "classes": list(model.classes),
        "latent_size": model.config.generator.latent_size,
        "latents": model.config.generator.latents,
        "method": type(method).__name__,
        "has_discriminator": model.discriminator is not None,
        "predicts_rotation": method.predicts_rotation,
        "has_blocks": getattr(model.discriminator, "block_outputs", None) is not None,
    }


def require_discriminator(model: Model) -> None:
    """Raise UserError for a state of the averaged generator alone."""
    if model.discriminator is None:
        raise UserError("this state holds no discriminator: choose a checkpoint or a snapshot")
