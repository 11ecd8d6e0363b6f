"""SS-GAN's successors on its own bench, each beside SS-GAN."""

from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurements import Distance
from ssgan.studies.published import SUCCESSORS
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import AbstractVariant, Variant, cifar10, laptop

_LABELS = {
    "annealed": "SS-GAN, alpha to 0",
    "ms": "SSGAN-MS",
    "la": "SSGAN-LA",
    "la_plus": "SSGAN-LA+",
    "s3gan": "S3GAN (10 % of the labels)",
}
_BASELINES = ("ssgan", "gan", "conditional")  # the first is what all others are held to
_DRAWING = DistanceTable((SUCCESSORS,))


def _arms(suffix: str) -> tuple[AbstractVariant, ...]:
    return tuple(
        Variant(name=name, label=label, recipe=f"successors:{name}{suffix}")
        for name, label in _LABELS.items()
    )


STUDY = Study(
    name="successors",
    title="Frechet distance of SS-GAN's successors",
    laptop=StudyScale(
        variants=(*laptop(*_BASELINES), *_arms("_laptop")), measurement=Distance(), drawing=_DRAWING
    ),
    paper=StudyScale(
        variants=(*cifar10(*_BASELINES), *_arms("")),
        measurement=Distance(),
        drawing=_DRAWING,
    ),
)
