"""SS-GAN's successors on its own bench, each beside SS-GAN."""

from ssgan.studies.arm import AbstractArm, Arm
from ssgan.studies.arms import cifar10, laptop
from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurement import Distance
from ssgan.studies.published import SUCCESSORS
from ssgan.studies.study import Form, Study

_LABELS = {
    "annealed": "SS-GAN, alpha to 0",
    "ms": "SSGAN-MS",
    "la": "SSGAN-LA",
    "la_plus": "SSGAN-LA+",
    "s3gan": "S3GAN (10 % of the labels)",
}
_BASELINES = ("ssgan", "gan", "conditional")  # the first is what all others are held to
_DRAWING = DistanceTable((SUCCESSORS,))


def _arms(suffix: str) -> tuple[AbstractArm, ...]:
    return tuple(
        Arm(name=name, label=label, recipe=f"successors:{name}{suffix}")
        for name, label in _LABELS.items()
    )


STUDY = Study(
    name="successors",
    title="Frechet distance of SS-GAN's successors",
    laptop=Form(
        arms=(*laptop(*_BASELINES), *_arms("_laptop")), measurement=Distance(), drawing=_DRAWING
    ),
    paper=Form(
        arms=(*cifar10(*_BASELINES), *_arms("")),
        measurement=Distance(),
        drawing=_DRAWING,
    ),
)
