"""Table 2: with and without the rotation loss under nine settings of the game, CIFAR-10."""

from dataclasses import replace

from ssgan.studies.arm import AbstractArm, Arm
from ssgan.studies.arms import LABELS, cifar10, laptop
from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurement import Distance
from ssgan.studies.published import TABLE2
from ssgan.studies.study import Form, Study

_ROWS = {
    "gp1_b0_n1": "GP 1, betas 0, 0.9, n_dis 1",
    "gp1_b0_n2": "GP 1, betas 0, 0.9, n_dis 2",
    "gp1_b5_n1": "GP 1, betas 0.5, 0.999, n_dis 1",
    "gp10_b0_n1": "GP 10, betas 0, 0.9, n_dis 1",
    "gp10_b0_n2": "GP 10, betas 0, 0.9, n_dis 2",
    "gp10_b5_n1": "GP 10, betas 0.5, 0.999, n_dis 1",
    "sn_b0_n1": "SN, betas 0, 0.9, n_dis 1",
    "sn_b0_n2": "SN, betas 0, 0.9, n_dis 2",
    "sn_b5_n1": "SN, betas 0.5, 0.999, n_dis 1",
}


_SHARED = "sn_b0_n2"  # the setting of the paper's other tables: its runs are theirs
_METHODS = ("gan", "ssgan")


def grid() -> tuple[AbstractArm, ...]:
    """Both methods in every row of the table."""
    return tuple(_arm(row, number) for row in _ROWS for number in range(len(_METHODS)))


def _arm(row: str, number: int) -> AbstractArm:
    method, name, group = _METHODS[number], f"{row}_{_METHODS[number]}", _ROWS[row]
    if row == _SHARED:
        return replace(cifar10(*_METHODS)[number], name=name, group=group)
    return Arm(name=name, label=LABELS[method], group=group, recipe=f"robustness:{name}")


_DRAWING = DistanceTable((TABLE2,))

STUDY = Study(
    name="table2",
    title="Table 2: FID under nine settings, mean and deviation over seeds, CIFAR-10",
    laptop=Form(arms=laptop(*_METHODS), measurement=Distance(), drawing=_DRAWING),
    paper=Form(arms=grid(), measurement=Distance(), drawing=_DRAWING),
)
