"""Figure 6: what D's last block knows over training, of four methods.

As in figure 2, whether the published SS-GAN has self-modulated batch norm cannot be told.
"""

from ssgan.studies.arms import IMAGENET, imagenet, laptop
from ssgan.studies.curves_by_step import ProbeCurves
from ssgan.studies.figure2 import IMAGENET_PROBE, LAPTOP_PROBE
from ssgan.studies.published import FIGURE6
from ssgan.studies.study import Form, Study

_METHODS = ("gan", "conditional", "rotation_only", "ssgan")
_DRAWING = ProbeCurves((FIGURE6,), lower_is_better=False)

STUDY = Study(
    name="figure6",
    title="Figure 6: probe of D's last block over training, four methods",
    laptop=Form(arms=laptop(*_METHODS), measurement=LAPTOP_PROBE, drawing=_DRAWING),
    paper=Form(
        arms=imagenet(*_METHODS),
        measurement=IMAGENET_PROBE,
        drawing=_DRAWING,
        data=None,
        images=IMAGENET,
    ),
)
