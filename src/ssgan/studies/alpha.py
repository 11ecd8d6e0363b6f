"""How much the weight of the rotation loss in G matters: SS-GAN with three alphas, CIFAR-10.

That the paper tries these, with beta 1, is from memory and not verified. 0.2 is the alpha of every
other study: its runs are theirs.
"""

from dataclasses import replace

from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurements import Distance
from ssgan.studies.published import ALPHA
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import AbstractVariant, cifar10, laptop

_OWN, _OTHERS = "0.2", ("0.5", "1")  # the recipes' alpha, which the others are held to


def _arms(ssgan: AbstractVariant) -> tuple[AbstractVariant, ...]:
    return (
        replace(ssgan, name=f"alpha_{_OWN}", label=f"alpha {_OWN}"),
        *(
            replace(
                ssgan,
                name=f"alpha_{value}",
                label=f"alpha {value}",
                overrides=("--method.alpha", value),
            )
            for value in _OTHERS
        ),
    )


_DRAWING = DistanceTable((ALPHA,))

STUDY = Study(
    name="alpha",
    title="Frechet distance of SS-GAN with three alphas (weights of the rotation loss in G)",
    laptop=StudyScale(variants=_arms(*laptop("ssgan")), measurement=Distance(), drawing=_DRAWING),
    paper=StudyScale(variants=_arms(*cifar10("ssgan")), measurement=Distance(), drawing=_DRAWING),
)
