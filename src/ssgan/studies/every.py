"""All studies, and one of them by its name."""

import difflib

from ssgan.studies import (
    figure2,
    figure3,
    figure4,
    figure5,
    figure6,
    large_batch,
    precision,
    successors,
    table1,
    table2,
    table3,
    table4,
)
from ssgan.studies.study import Study
from ssgan.types import UserError

MODULES = (
    *(table1, table2, table3, table4),
    *(figure2, figure3, figure4, figure5, figure6, large_batch),
    *(successors, precision),
)
STUDIES: dict[str, Study] = {module.STUDY.name: module.STUDY for module in MODULES}


def find_study(name: str) -> Study:
    """The study of that name; UserError with the nearest one when there is none."""
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(STUDIES)}"
        raise UserError(f"no study {name!r}; {hint}")
    return STUDIES[name]
