"""Does bfloat16 cost quality? SS-GAN in float32 and in bfloat16, seed by seed."""

from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurements import Distance
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import AbstractVariant, Variant

_PRECISIONS = ("float32", "bfloat16")  # the first is what the other is held to


def _arms(recipe: str) -> tuple[AbstractVariant, ...]:
    return tuple(
        Variant(name=name, label=name, recipe=recipe, overrides=("--precision", name))
        for name in _PRECISIONS
    )


STUDY = Study(
    name="precision",
    title="Frechet distance of SS-GAN in float32 and bfloat16",
    laptop=StudyScale(
        variants=_arms("cifar10:ssgan_laptop"), measurement=Distance(), drawing=DistanceTable(())
    ),
    paper=StudyScale(
        variants=_arms("cifar10:ssgan"),
        measurement=Distance(),
        drawing=DistanceTable(()),
    ),
)
