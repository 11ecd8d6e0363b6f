"""Table 1: the best FID over training seeds, of four methods on CIFAR-10."""

from ssgan.studies.arms import cifar10, laptop
from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurement import Distance
from ssgan.studies.published import TABLE1
from ssgan.studies.study import Form, Study

_METHODS = ("gan", "conditional", "ssgan", "ssgan_sbn")
_DRAWING = DistanceTable((TABLE1,))

STUDY = Study(
    name="table1",
    title="Table 1: best FID over seeds, four methods, CIFAR-10",
    laptop=Form(arms=laptop(*_METHODS), measurement=Distance(), drawing=_DRAWING),
    paper=Form(arms=cifar10(*_METHODS), measurement=Distance(), drawing=_DRAWING),
)
