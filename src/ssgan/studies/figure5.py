"""Figure 5: samples, a row an arm, from the same latents; the paper's are of its large model."""

from ssgan.studies.measurements import Samples
from ssgan.studies.published import FIGURE5
from ssgan.studies.sample_sheet import SampleSheet
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import cifar10, laptop

_METHODS = ("gan", "conditional", "ssgan", "ssgan_sbn")
_DRAWING = SampleSheet((FIGURE5,))

STUDY = Study(
    name="figure5",
    title="Figure 5: samples of four methods from the same latents",
    laptop=StudyScale(variants=laptop(*_METHODS), measurement=Samples(), drawing=_DRAWING),
    paper=StudyScale(variants=cifar10(*_METHODS), measurement=Samples(), drawing=_DRAWING),
    seeds=1,
)
