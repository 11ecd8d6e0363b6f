"""Figure 3: a classifier whose task changes forgets; with the rotation loss it forgets less."""

from ssgan.studies.arm import AbstractArm, ForgettingArm
from ssgan.studies.forgetting_curves import ForgettingCurves
from ssgan.studies.measurement import Nothing
from ssgan.studies.published import FIGURE3
from ssgan.studies.study import Form, Study


def _arms(*overrides: str) -> tuple[AbstractArm, ...]:
    return (
        ForgettingArm(name="plain", label="without rotation", rotation=0, overrides=overrides),
        ForgettingArm(name="rotation", label="with rotation", rotation=1, overrides=overrides),
    )


_DRAWING = ForgettingCurves((FIGURE3,))

STUDY = Study(
    name="figure3",
    title="Figure 3: forgetting of a classifier whose task changes",
    laptop=Form(
        arms=_arms("--width", "0.25", "--iterations-per-task", "250"),  # 5 to 8 minutes of a core
        measurement=Nothing(),
        drawing=_DRAWING,
    ),
    paper=Form(arms=_arms("--width", "1"), measurement=Nothing(), drawing=_DRAWING),
)
