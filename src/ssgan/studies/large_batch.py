"""The large unconditional runs on ImageNet at 128 pixels: FID of 50,000 samples.

At batch 2048 also without the rotation loss: what is published of that is from memory.
"""

from ssgan.studies.distance_table import DistanceTable
from ssgan.studies.measurements import REFRESH, Distance
from ssgan.studies.published import LARGE
from ssgan.studies.study import Study, StudyScale
from ssgan.studies.variants import IMAGENET, Variant

STUDY = Study(
    name="large-batch",
    title="Large batches: FID of SS-GAN at batch 2048 and 1024, of the GAN at 2048",
    laptop=None,
    paper=StudyScale(
        variants=(
            Variant(
                name="batch_2048",
                label="SS-GAN, batch 2048",
                recipe="imagenet_large:ssgan_2048",
            ),
            Variant(
                name="gan_2048",
                label="GAN, batch 2048",
                recipe="imagenet_large:gan_2048",
            ),
            Variant(
                name="batch_1024",
                label="SS-GAN, batch 1024",
                recipe="imagenet_large:ssgan_1024",
            ),
        ),
        measurement=Distance(refresh=REFRESH),
        drawing=DistanceTable((LARGE,)),
        data=None,
        images=IMAGENET,
        samples=50_000,
    ),
)
