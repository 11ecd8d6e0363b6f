"""Table 2: with and without the rotation loss under nine settings of the game, CIFAR-10."""

from ssgan.studies.arm import AbstractArm, Arm
from ssgan.studies.arms import LABELS, laptop
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


def grid() -> tuple[AbstractArm, ...]:
    """Both methods in every row of the table."""
    return tuple(
        Arm(
            name=f"{row}_{method}",
            label=LABELS[method],
            group=group,
            recipe=f"robustness:{row}_{method}",
        )
        for row, group in _ROWS.items()
        for method in ("gan", "ssgan")
    )


_DRAWING = DistanceTable(TABLE2)

STUDY = Study(
    name="table2",
    title="Table 2: FID under nine settings, mean and deviation over seeds, CIFAR-10",
    laptop=Form(arms=laptop("gan", "ssgan"), measurement=Distance(), drawing=_DRAWING),
    paper=Form(arms=grid(), measurement=Distance(), drawing=_DRAWING),
)
