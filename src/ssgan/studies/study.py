"""A study: arms, what is measured of them, and a drawing; and the commands that follow from it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from ssgan.data.base import DatasetInfo
from ssgan.studies.jobs import FileJob, TrainingJob
from ssgan.studies.measurements import AbstractMeasurement
from ssgan.studies.options import Scale, StudyOptions
from ssgan.studies.rendering import AbstractRenderer
from ssgan.studies.trial import Trial
from ssgan.studies.variants import AbstractVariant
from ssgan.types import UserError


@dataclass(frozen=True, kw_only=True)
class StudyScale:
    """A study at one scale."""

    variants: tuple[AbstractVariant, ...]
    measurement: AbstractMeasurement
    drawing: AbstractRenderer
    data: str | None = "cifar10"  # the usual source; None: it must be given
    images: str = "CIFAR-10"  # the data set that it is of
    samples: int = 10_000  # images made for a Frechet distance, unless --samples says other


@dataclass(frozen=True, kw_only=True)
class Study:
    """A table or figure of the paper. `--arms` takes a part of its arms."""

    name: str
    title: str
    laptop: StudyScale | None  # None: it has no such form
    paper: StudyScale
    measured: StudyScale | None = (
        None  # at laptop scale in the place of `laptop`, for given features
    )
    seeds: int = 3  # of training, unless --seeds says other

    def form(self, scale: Scale, features: str | None = None) -> StudyScale:
        """What it is at that scale, with --features; UserError when it is nothing."""
        found = self.laptop if scale == "laptop" else self.paper
        if scale == "laptop" and features is not None and self.measured is not None:
            return self.measured
        if found is None:
            raise UserError(
                f"{self.name} is of {self.paper.images} at full width and has no laptop form: "
                "give --scale paper --data folder:PATH"
            )
        return found


def build_trials(
    variants: Sequence[AbstractVariant], form: StudyScale, asked: StudyOptions, info: DatasetInfo
) -> list[Trial]:
    """Every arm at every seed, seed by seed, so that arms can be compared early.

    `outline` is that of the images. Raises UserError for settings that do not fit.
    """
    _refuse_equal_arms(variants, asked)
    trials = []
    for seed in asked.seeds:
        for variant in variants:
            training = variant.job(asked, seed, info)
            measuring: tuple[FileJob, ...] = ()
            if isinstance(training, TrainingJob):
                folder = asked.measured(variant.slug(asked), seed)
                measuring = form.measurement.jobs(training, asked, folder)
            trials.append(Trial(variant, seed, training, measuring))
    return trials


def _refuse_equal_arms(variants: Sequence[AbstractVariant], asked: StudyOptions) -> None:
    """Raise UserError when the settings for every run replace what tells two arms apart."""
    titles: dict[str, str] = {}
    for variant in variants:
        first = titles.setdefault(variant.slug(asked), variant.title)
        if first != variant.title:
            raise UserError(
                f"with {' '.join(asked.overrides)} {first!r} and {variant.title!r} are one run: "
                "leave "
                "it out, or choose one of them with --arms"
            )


def select_variants(
    variants: Sequence[AbstractVariant], names: str | None
) -> list[AbstractVariant]:
    """The arms that were named, with commas, in the study's order; None is all of them."""
    if names is None:
        return list(variants)
    known, wanted = (
        [variant.name for variant in variants],
        [name for name in names.split(",") if name],
    )
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UserError(f"--arms: no arm {name!r}; {hint}")
    if not wanted:
        raise UserError(f"--arms needs names: {', '.join(known)}")
    return [variant for variant in variants if variant.name in wanted]
