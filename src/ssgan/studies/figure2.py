"""Figure 2: what D's last block knows over training; the GAN's D forgets, SS-GAN's does not.

The published curve is called SS-GAN and ends at Table 4's number of SS-GAN (sBN), .383: which of
the two it is cannot be told. Here it is SS-GAN.
"""

from ssgan.studies.curves import ProbeCurves
from ssgan.studies.measurements import Probe
from ssgan.studies.published import FIGURE2
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import IMAGENET, imagenet, laptop

LAPTOP_PROBE = Probe(
    "all",
    ("--blocks", "3", "--pooling", "mean", "--fractions", "1", "--train-n", "10000"),
)
IMAGENET_PROBE = Probe("all", ("--blocks", "5", "--pooling", "grid", "--fractions", "1"))
_DRAWING = ProbeCurves((FIGURE2,), lower_is_better=False)

STUDY = Study(
    name="figure2",
    title="Figure 2: probe of D's last block over training, two methods",
    laptop=StudyScale(variants=laptop("gan", "ssgan"), measurement=LAPTOP_PROBE, drawing=_DRAWING),
    paper=StudyScale(
        variants=imagenet("gan", "ssgan"),
        measurement=IMAGENET_PROBE,
        drawing=_DRAWING,
        data=None,
        images=IMAGENET,
    ),
)
