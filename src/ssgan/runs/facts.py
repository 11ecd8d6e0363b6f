"""What a checkpoint says of itself beside its tensors: every fact has a type and a range."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssgan.files.jsonl import FLAG, NUMBER_OR_NULL, TABLE, TEXT, TEXTS, WHOLE, Kind, shorten
from ssgan.files.nesting import parse_json
from ssgan.files.run_directory import FORMAT_VERSION
from ssgan.files.sealed_file import Damaged
from ssgan.types import UserError

# The earliest versions took NaN for a best score.
_SCORE = Kind(
    NUMBER_OR_NULL.words,
    lambda v: NUMBER_OR_NULL.fits(v) or (isinstance(v, float) and math.isnan(v)),
)
_NEEDS = {
    "config": TABLE,
    "data_hash": TEXT,
    "classes": TEXTS,
    "step": WHOLE,
    "best_score": _SCORE,
    "best_step": WHOLE,
}
_LATER = {"rollbacks": WHOLE, "evaluated": FLAG, "looked_at": FLAG}  # not in the oldest files


def read_facts(
    text: object, path: Path, needs: Mapping[str, Kind] = _NEEDS, newest: int = FORMAT_VERSION
) -> dict[str, Any]:
    """The facts in a JSON text of format `newest`; names that are not known are passed over.

    Raises UserError, naming the file and the fact, for one that is missing, or of another type or
    range than ssgan writes, and for a format that is newer than this ssgan.
    """
    try:
        facts = parse_json(text) if isinstance(text, str) else None
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise Damaged(f"{path} is not a checkpoint of ssgan: its facts are no JSON table")
    version = facts.get("format")
    if type(version) is int and version > newest:
        raise UserError(
            f"{path} was written by a newer ssgan, in format {version}; this one "
            f"reads formats up to {newest}: update ssgan"
        )
    formats = Kind(f"{newest}", lambda v: type(v) is int and v == newest)
    later = {name: kind for name, kind in _LATER.items() if name in facts}
    for name, kind in {"format": formats, **needs, **later}.items():
        if name not in facts:
            raise UserError(f"{path} cannot be used: it has no fact {name!r}")
        if not kind.fits(facts[name]):
            raise UserError(
                f"{path} cannot be used: its fact {name!r} must be {kind.words}, not "
                f"{shorten(facts[name])}"
            )
    return facts
