"""All studies, and one of them by its name."""

import difflib

from ssgan.studies import (
    alpha,
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

_ALL = (
    *(table1.STUDY, *table1.AT_128, table2.STUDY, table2.ON_IMAGENET),
    *(table3.STUDY, table4.STUDY),
    *(figure2.STUDY, figure3.STUDY, figure4.STUDY, figure4.ON_IMAGENET),
    *(figure5.STUDY, figure6.STUDY),
    *(large_batch.STUDY, alpha.STUDY, successors.STUDY, precision.STUDY),
)
STUDIES: dict[str, Study] = {study.name: study for study in _ALL}


def find_study(name: str) -> Study:
    """The study of that name; UserError with the nearest one when there is none."""
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(STUDIES)}"
        raise UserError(f"no study {name!r}; {hint}")
    return STUDIES[name]
