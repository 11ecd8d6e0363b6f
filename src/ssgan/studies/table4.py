"""Table 4: what D knows of ImageNet's classes, block by block; Table 5 beside it.

Of maps averaged to at most 9,216 numbers ("grid"), as is customary for ImageNet, and of their
means.
"""

from ssgan.studies.measurements import Probe
from ssgan.studies.probe_by_block import ProbeByBlock
from ssgan.studies.published import TABLE4, TABLE5
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import IMAGENET, imagenet

STUDY = Study(
    name="table4",
    title="Tables 4 and 5: linear probe of D, block by block",
    laptop=None,
    paper=StudyScale(
        variants=imagenet("gan", "conditional", "rotation_only", "ssgan_sbn"),
        measurement=Probe("last", ("--pooling", "grid,mean", "--fractions", "1")),
        drawing=ProbeByBlock((TABLE4, TABLE5)),
        data=None,
        images=IMAGENET,
    ),
)
