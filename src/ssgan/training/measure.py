"""One measured number of an evaluation, as it stands in metrics.jsonl."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measure:
    """A value, its name, the images it is on, and what else it depends on."""

    name: str
    value: float  # may be NaN or infinite: it is then stored as null
    split: str | None = None  # held-out, train or generated; None: not of images
    protocol: Mapping[str, object] = field(default_factory=dict)

    def row(self, step: int) -> dict[str, object]:
        """The line for metrics.jsonl."""
        value = self.value if math.isfinite(self.value) else None
        split = {} if self.split is None else {"split": self.split}
        return {"step": step, "name": self.name, "value": value, **split, **self.protocol}


def key_of(row: Mapping[str, object]) -> str:
    """What a row is a point of: its name; on generated images, NAME/generated."""
    generated = row.get("split") == "generated"
    return f"{row['name']}/generated" if generated else str(row["name"])
