"""Reading the stored settings of a run, those of earlier versions too."""

from collections.abc import Mapping, Sequence

from ssgan.config.dump import dump, load
from ssgan.training import kinds
from ssgan.training.config import EvaluateConfig, RunConfig
from ssgan.types import UserError


def settings_of(
    table: Mapping[str, object], trusted_modules: Sequence[str] = (), where: str = ""
) -> object:
    """The settings that were dumped, of any class of ours or of these modules.

    UserError, ending with `where`, when there are none.
    """
    assert kinds.MODULES  # imported, and so found
    return load(table, trusted_modules, where)


def stored_config(
    table: Mapping[str, object], trusted_modules: Sequence[str] = (), where: str = ""
) -> RunConfig:
    """The settings that were dumped; UserError, ending with `where`, when they are not a run's."""
    config = settings_of(upgraded(table), trusted_modules, where)
    if not isinstance(config, RunConfig):
        raise UserError(
            f"{where or 'config'} holds a {type(config).__name__}, not a run's settings"
        )
    return config


def upgraded(table: Mapping[str, object]) -> Mapping[str, object]:
    """The table in today's form: what a newer version added is set to what it was before."""
    output = table.get("output")
    if isinstance(output, Mapping) and "keep_every" not in output:
        output = {**output, "keep_every": 0}
        table = {**table, "output": output}
    if "evaluate" in table or not isinstance(output, Mapping) or "score_every" not in output:
        return table
    kept = {name: value for name, value in output.items() if not name.startswith("score_")}
    evaluate = {
        **dump(EvaluateConfig()),
        "every": output["score_every"],
        "images": output.get("score_images"),
    }
    return {**table, "output": kept, "evaluate": evaluate}
