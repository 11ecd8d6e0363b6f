"""What a check of `ssgan doctor` found."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One subject of the report."""

    title: str  # at most 12 characters
    lines: tuple[str, ...]  # for people
    values: Mapping[str, object] = field(default_factory=dict)  # for --json
    faults: tuple[str, ...] = ()  # what to mend, in one line each; empty: all good
