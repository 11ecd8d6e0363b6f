"""Table 1: the best FID over training seeds, a study for each data set.

LSUN-Bedroom and CelebA-HQ have no labels, hence no conditional GAN. Numbers of samples are the
paper's at second hand (docs/datasets.md).
"""

from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurements import Distance
from ssgan.studies.published import TABLE1, TABLE1_CELEBA_HQ, TABLE1_IMAGENET, TABLE1_LSUN, Table
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import CELEBA_HQ, IMAGENET, LSUN, at_128, cifar10, laptop

_METHODS = ("gan", "conditional", "ssgan", "ssgan_sbn")
_WITHOUT_LABELS = ("gan", "ssgan", "ssgan_sbn")
_DRAWING = DistanceTable((TABLE1,))

STUDY = Study(
    name="table1",
    title="Table 1: best FID over seeds, four methods",
    laptop=StudyScale(variants=laptop(*_METHODS), measurement=Distance(), drawing=_DRAWING),
    paper=StudyScale(variants=cifar10(*_METHODS), measurement=Distance(), drawing=_DRAWING),
)


def _at_128(
    name: str, images: str, methods: tuple[str, ...], paper: Table, samples: int = 10_000
) -> Study:
    return Study(
        name=f"table1-{name}",
        title="Table 1: best FID over seeds, 128 pixels",
        laptop=None,
        paper=StudyScale(
            variants=at_128(images, *methods),
            measurement=Distance(),
            drawing=DistanceTable((paper,)),
            data=None,
            images=images,
            samples=samples,
        ),
    )


AT_128 = (
    _at_128("imagenet", IMAGENET, _METHODS, TABLE1_IMAGENET),
    _at_128("lsun", LSUN, _WITHOUT_LABELS, TABLE1_LSUN),
    _at_128("celeba-hq", CELEBA_HQ, _WITHOUT_LABELS, TABLE1_CELEBA_HQ, samples=3000),
)
