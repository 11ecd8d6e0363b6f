"""Table 3: what D knows of CIFAR-10's classes, block by block.

Of whole maps ("flat") and of their means over places: which of them the published numbers are of is
not known. Fitted by L-BFGS to the minimum; the paper's schedule of gradient descent, as it is
remembered, is `ssgan probe --solver sgd`.
"""

from ssgan.studies.measurements import Probe
from ssgan.studies.probe_by_block import ProbeByBlock
from ssgan.studies.published import TABLE3
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import cifar10, laptop

_DRAWING = ProbeByBlock((TABLE3,))

STUDY = Study(
    name="table3",
    title="Table 3: linear probe of D, block by block",
    laptop=StudyScale(
        variants=laptop("gan", "conditional", "rotation_only", "ssgan", "ssgan_sbn"),
        measurement=Probe("last", ("--pooling", "mean", "--fractions", "1", "--train-n", "10000")),
        drawing=_DRAWING,
    ),
    paper=StudyScale(
        variants=cifar10("gan", "conditional", "rotation_only", "ssgan_sbn"),
        measurement=Probe("last", ("--pooling", "flat,mean", "--fractions", "1")),
        drawing=_DRAWING,
    ),
)
