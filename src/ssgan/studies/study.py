"""A study: arms, what is measured of them, and a drawing; and the commands that follow from it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from ssgan.data.base import Outline
from ssgan.studies.arm import AbstractArm
from ssgan.studies.cell import Cell
from ssgan.studies.drawing import AbstractDrawing
from ssgan.studies.job import Making, Training
from ssgan.studies.measurement import AbstractMeasurement
from ssgan.studies.request import Request, Scale
from ssgan.types import UserError


@dataclass(frozen=True, kw_only=True)
class Form:
    """A study at one scale."""

    arms: tuple[AbstractArm, ...]
    measurement: AbstractMeasurement
    drawing: AbstractDrawing
    data: str | None = "cifar10"  # the usual source; None: it must be given
    images: str = "CIFAR-10"  # the data set that it is of
    samples: int = 10_000  # images made for a Frechet distance, unless --samples says other


@dataclass(frozen=True, kw_only=True)
class Study:
    """A table or figure of the paper. `--arms` takes a part of its arms."""

    name: str
    title: str
    laptop: Form | None  # None: it has no such form
    paper: Form
    measured: Form | None = None  # at laptop scale in the place of `laptop`, for given features
    seeds: int = 3  # of training, unless --seeds says other

    def form(self, scale: Scale, features: str | None = None) -> Form:
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


def cells_of(
    arms: Sequence[AbstractArm], form: Form, asked: Request, outline: Outline
) -> list[Cell]:
    """Every arm at every seed, seed by seed, so that arms can be compared early.

    `outline` is that of the images. Raises UserError for settings that do not fit.
    """
    _refuse_equal_arms(arms, asked)
    cells = []
    for seed in asked.seeds:
        for arm in arms:
            training = arm.job(asked, seed, outline)
            measuring: tuple[Making, ...] = ()
            if isinstance(training, Training):
                folder = asked.measured(arm.slug(asked), seed)
                measuring = form.measurement.jobs(training, asked, folder)
            cells.append(Cell(arm, seed, training, measuring))
    return cells


def _refuse_equal_arms(arms: Sequence[AbstractArm], asked: Request) -> None:
    """Raise UserError when the settings for every run replace what tells two arms apart."""
    titles: dict[str, str] = {}
    for arm in arms:
        first = titles.setdefault(arm.slug(asked), arm.title)
        if first != arm.title:
            raise UserError(
                f"with {' '.join(asked.overrides)} {first!r} and {arm.title!r} are one run: leave "
                "it out, or choose one of them with --arms"
            )


def chosen(arms: Sequence[AbstractArm], names: str | None) -> list[AbstractArm]:
    """The arms that were named, with commas, in the study's order; None is all of them."""
    if names is None:
        return list(arms)
    known, wanted = [arm.name for arm in arms], [name for name in names.split(",") if name]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UserError(f"--arms: no arm {name!r}; {hint}")
    if not wanted:
        raise UserError(f"--arms needs names: {', '.join(known)}")
    return [arm for arm in arms if arm.name in wanted]
