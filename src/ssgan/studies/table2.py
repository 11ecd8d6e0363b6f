"""Table 2: with and without the rotation loss under nine settings of the game, two data sets.

How long the runs on ImageNet were is not known: their 100,000 steps are inferred.
"""

from dataclasses import replace

from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurements import Distance
from ssgan.studies.published import TABLE2, TABLE2_IMAGENET
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import IMAGENET, LABELS, AbstractVariant, Variant, cifar10, laptop

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
_METHODS = ("gan", "ssgan")
_SHARED = ("robustness", "sn_b0_n2")  # the setting of the other tables of CIFAR-10: their runs


def grid(recipes: str) -> tuple[AbstractVariant, ...]:
    """Both methods in every row of the table, by the recipes of that file."""
    return tuple(_arm(recipes, row, method) for row in _ROWS for method in _METHODS)


def _arm(recipes: str, row: str, method: str) -> AbstractVariant:
    name, group = f"{row}_{method}", _ROWS[row]
    if (recipes, row) == _SHARED:
        return replace(cifar10(method)[0], name=name, group=group)
    return Variant(name=name, label=LABELS[method], group=group, recipe=f"{recipes}:{name}")


def _laptop(row: str) -> tuple[AbstractVariant, ...]:
    """Both methods in the row whose setting the laptop's recipes have."""
    return tuple(replace(variant, group=_ROWS[row]) for variant in laptop(*_METHODS))


_DRAWING = DistanceTable((TABLE2,))

STUDY = Study(
    name="table2",
    title="Table 2: FID under nine settings, mean and deviation over seeds",
    laptop=StudyScale(variants=_laptop("sn_b0_n1"), measurement=Distance(), drawing=_DRAWING),
    paper=StudyScale(variants=grid("robustness"), measurement=Distance(), drawing=_DRAWING),
)
ON_IMAGENET = Study(
    name="table2-imagenet",
    title="Table 2: FID under nine settings, mean and deviation over seeds",
    laptop=None,
    paper=StudyScale(
        variants=grid("robustness_imagenet"),
        measurement=Distance(),
        drawing=DistanceTable((TABLE2_IMAGENET,)),
        data=None,
        images=IMAGENET,
    ),
)
