"""Figure 4: the FID over training, of four methods on CIFAR-10 (4a) and on ImageNet (4b).

At laptop scale, of CIFAR-10 alone, it is the runs' own score: FD-random, which is no FID and costs
nothing more, or what `-- --evaluate.features lite0` (or inception) has them measure in training.
With --features every kept state is measured afterwards instead, against the test images.
"""

from ssgan.studies.curves import DistanceCurves, ScoreCurves
from ssgan.studies.measurements import Distance, Nothing
from ssgan.studies.published import FIGURE4, FIGURE4B
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import IMAGENET, cifar10, imagenet, laptop

_METHODS = ("gan", "conditional", "ssgan", "ssgan_sbn")
_MEASURED = Distance("all")
_DRAWING = DistanceCurves((FIGURE4,), lower_is_better=True)

STUDY = Study(
    name="figure4",
    title="Figure 4: FID over training, four methods",
    laptop=StudyScale(
        variants=laptop(*_METHODS),
        measurement=Nothing(),
        drawing=ScoreCurves((FIGURE4,), lower_is_better=True),
    ),
    paper=StudyScale(variants=cifar10(*_METHODS), measurement=_MEASURED, drawing=_DRAWING),
    measured=StudyScale(variants=laptop(*_METHODS), measurement=_MEASURED, drawing=_DRAWING),
)
ON_IMAGENET = Study(
    name="figure4b",
    title="Figure 4b: FID over training, four methods",
    laptop=None,
    paper=StudyScale(
        variants=imagenet(*_METHODS),
        measurement=_MEASURED,
        drawing=DistanceCurves((FIGURE4B,), lower_is_better=True),
        data=None,
        images=IMAGENET,
    ),
)
