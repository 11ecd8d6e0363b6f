"""A promise of the project and the tests that hold it; a fault that they must see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A fault to plant in the package: `old`, which occurs once in the file, becomes `new`."""

    file: str  # below src/ssgan
    old: str
    new: str


@dataclass(frozen=True)
class Promise:
    """One line of the scorecard."""

    id: str
    words: str  # what is promised
    tests: tuple[str, ...] = ()  # below tests/, as path::name; empty: nothing holds it yet
    must: bool = True  # a release needs it; else it is one to keep where possible
    plants: str = ""  # the test that plants its own faults, in place of those in faults.py
    limit: str = ""  # what the tests do not reach, or why there is none
