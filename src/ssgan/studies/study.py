"""A study: variants, a measurement and a renderer at each scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from ssgan.studies.measurements import AbstractMeasurement
from ssgan.studies.options import Scale
from ssgan.studies.rendering import AbstractRenderer
from ssgan.studies.variants import IMAGENET, AbstractVariant
from ssgan.types import UserError


@dataclass(frozen=True, kw_only=True)
class StudyScale:
    """A study at one scale."""

    variants: Sequence[AbstractVariant]
    measurement: AbstractMeasurement
    renderer: AbstractRenderer
    data: str | None = "cifar10"  # the default source; None: --data is required
    dataset: str = "CIFAR-10"  # the name of the paper's data set
    samples: int = 10_000  # generated images for a Frechet distance; default of --samples


@dataclass(frozen=True, kw_only=True)
class Study:
    """A table or figure."""

    name: str
    title: str
    laptop: StudyScale | None  # None: paper scale only
    paper: StudyScale
    laptop_with_features: StudyScale | None = None  # replaces `laptop` when --features is given
    seeds: int = 3  # training seeds; default of --seeds

    def at_scale(self, scale: Scale, features: str | None = None) -> StudyScale:
        """The study at that scale, with that --features; UserError when it does not exist."""
        if scale == "paper":
            return self.paper
        if features is not None and self.laptop_with_features is not None:
            return self.laptop_with_features
        if self.laptop is None:
            raise UserError(
                f"{self.name} uses {self.paper.dataset} at full width and has no laptop scale: "
                "give --scale paper --data folder:PATH"
            )
        return self.laptop


def at_both_scales(
    name: str,
    title: str,
    small: Sequence[AbstractVariant],
    full: Sequence[AbstractVariant],
    measurement: AbstractMeasurement,
    renderer: AbstractRenderer,
) -> Study:
    """One measurement on CIFAR-10: `small` variants at laptop scale, `full` at paper scale."""
    scales = [
        StudyScale(variants=variants, measurement=measurement, renderer=renderer)
        for variants in (small, full)
    ]
    return Study(name=name, title=title, laptop=scales[0], paper=scales[1])


def at_paper_scale(
    name: str,
    title: str,
    variants: Sequence[AbstractVariant],
    measurement: AbstractMeasurement,
    renderer: AbstractRenderer,
    dataset: str = IMAGENET,
    samples: int = 10_000,
) -> Study:
    """One measurement on images of 128 pixels, which the user provides."""
    scale = StudyScale(
        variants=variants,
        measurement=measurement,
        renderer=renderer,
        data=None,
        dataset=dataset,
        samples=samples,
    )
    return Study(name=name, title=title, laptop=None, paper=scale)
