"""Figure 6: what D's last block knows over training, of four methods.

As in figure 2, whether the published SS-GAN has self-modulated batch norm cannot be told.
"""

from ssgan.studies.curves import ProbeCurves
from ssgan.studies.figure2 import IMAGENET_PROBE, LAPTOP_PROBE
from ssgan.studies.published import FIGURE6
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import IMAGENET, imagenet, laptop

_METHODS = ("gan", "conditional", "rotation_only", "ssgan")
_DRAWING = ProbeCurves((FIGURE6,), lower_is_better=False)

STUDY = Study(
    name="figure6",
    title="Figure 6: probe of D's last block over training, four methods",
    laptop=StudyScale(variants=laptop(*_METHODS), measurement=LAPTOP_PROBE, drawing=_DRAWING),
    paper=StudyScale(
        variants=imagenet(*_METHODS),
        measurement=IMAGENET_PROBE,
        drawing=_DRAWING,
        data=None,
        images=IMAGENET,
    ),
)
