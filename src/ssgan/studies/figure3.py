"""Figure 3: a classifier whose task changes forgets; with the rotation loss it forgets less."""

from ssgan.studies.forgetting.curves import ForgettingCurves
from ssgan.studies.measurements import Nothing
from ssgan.studies.published import FIGURE3
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import AbstractVariant, ForgettingVariant


def _arms(*overrides: str) -> tuple[AbstractVariant, ...]:
    return (
        ForgettingVariant(name="plain", label="without rotation", rotation=0, overrides=overrides),
        ForgettingVariant(name="rotation", label="with rotation", rotation=1, overrides=overrides),
    )


_DRAWING = ForgettingCurves((FIGURE3,))

STUDY = Study(
    name="figure3",
    title="Figure 3: forgetting of a classifier whose task changes",
    laptop=StudyScale(
        variants=_arms(
            "--width", "0.25", "--iterations-per-task", "250"
        ),  # 5 to 8 minutes of a core
        measurement=Nothing(),
        drawing=_DRAWING,
    ),
    paper=StudyScale(variants=_arms("--width", "1"), measurement=Nothing(), drawing=_DRAWING),
)
