"""The arms of a study: a label, and the command that makes a run of it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from ssgan.config.overlay import from_flags, overlay
from ssgan.data.base import DatasetInfo
from ssgan.data.sources import parse_source
from ssgan.recipes.auto import with_source
from ssgan.recipes.find import build_recipe
from ssgan.runs.config import RunConfig
from ssgan.studies.forgetting.settings import check_classes
from ssgan.studies.jobs import ForgettingJob, Job, TrainingJob
from ssgan.studies.options import StudyOptions, slug


@dataclass(frozen=True, kw_only=True)
class AbstractVariant(ABC):
    """What is trained, once for every seed."""

    name: str  # for --arms
    label: str  # in tables and figures
    group: str = ""  # the row of a table whose arms are compared with each other
    overrides: tuple[str, ...] = ()  # flags of the command, each followed by its value

    @abstractmethod
    def what(self) -> str:
        """What its runs are called after: the recipe."""

    @abstractmethod
    def job(self, asked: StudyOptions, seed: int, info: DatasetInfo) -> Job:
        """The command for one seed; `outline` is that of the images.

        Raises UserError for words that are no flags, for settings that a recipe has not, and for
        images without the classes that are needed.
        """

    @property
    def title(self) -> str:
        """The label, after its group if it has one."""
        return f"{self.group}, {self.label}" if self.group else self.label

    def slug(self, asked: StudyOptions) -> str:
        """The stem of its runs' names."""
        return slug(self.what(), self.flags(asked))

    def flags(self, asked: StudyOptions) -> tuple[str, ...]:
        """Its own flags, then the request's, which replace its own of the same name."""
        given = {word.partition("=")[0] for word in asked.overrides}
        own = zip(self.overrides[::2], self.overrides[1::2], strict=True)
        kept = [word for flag, value in own if flag not in given for word in (flag, value)]
        return (*kept, *asked.overrides)


@dataclass(frozen=True, kw_only=True)
class Variant(AbstractVariant):
    """A recipe, with flags."""

    recipe: str

    def what(self) -> str:
        """The recipe."""
        return self.recipe

    def settings(self, asked: StudyOptions, seed: int, info: DatasetInfo) -> RunConfig:
        """What `ssgan train` makes of the command."""
        changes, _ = from_flags((*self.flags(asked), "--seed", str(seed)))
        config = with_source(build_recipe(self.recipe), parse_source(asked.data), info)
        return overlay(config, changes, "--")

    def job(self, asked: StudyOptions, seed: int, info: DatasetInfo) -> TrainingJob:
        """`ssgan train` with these settings."""
        root = asked.run(self.slug(asked), seed)
        words = ("train", self.recipe, "--data", asked.data, *self.flags(asked))
        if asked.processes > 1:  # no setting, and so not in the name
            words += ("--processes", str(asked.processes))
        return TrainingJob(
            label=f"{self.title}, seed {seed}",
            words=(*words, "--seed", str(seed), "--run", str(root)),
            log=root.with_name(f"{root.name}.log"),
            processes=asked.processes,
            root=root,
            config=self.settings(asked, seed, info),
        )


@dataclass(frozen=True, kw_only=True)
class ForgettingVariant(AbstractVariant):
    """`ssgan forget`, with or without the rotation loss."""

    rotation: int  # weight of the rotation loss

    def what(self) -> str:
        """The verb and the weight."""
        return f"forget-rotation-{self.rotation}"

    def job(self, asked: StudyOptions, seed: int, info: DatasetInfo) -> ForgettingJob:
        """`ssgan forget`: the picture is the last file that it writes."""
        check_classes(asked.data, info.classes)
        root = asked.run(self.slug(asked), seed)
        source = parse_source(asked.data)
        own = source.held_out()  # what `ssgan forget` takes by itself
        usual = None if own is None else own.name()
        test = () if asked.test in (None, usual) else ("--test", str(asked.test))
        return ForgettingJob(
            label=f"{self.title}, seed {seed}",
            words=(
                *("forget", "--data", asked.data, "--rotation", str(self.rotation)),
                *(*test, *self.flags(asked)),
                *("--seed", str(seed), "--out", str(root)),
            ),
            log=root.with_name(f"{root.name}.log"),
            result=root / "forgetting.png",
            source=source,
            held_out=parse_source(test[1]) if test else own,
        )


LABELS = {
    "gan": "GAN",
    "conditional": "conditional GAN",
    "rotation_only": "rotation only",
    "ssgan": "SS-GAN",
    "ssgan_sbn": "SS-GAN (sBN)",
}
IMAGENET, LSUN, CELEBA_HQ = "ImageNet", "LSUN-Bedroom", "CelebA-HQ"
_FILES = {IMAGENET: "imagenet128", LSUN: "lsun_bedroom128", CELEBA_HQ: "celebahq128"}
_KEPT = ("--output.keep_every", "10000")  # states that figures 4 and 6 measure


def laptop(*names: str) -> tuple[AbstractVariant, ...]:
    """CIFAR-10 with 64 channels, 3,000 steps, one update of D a step."""
    return tuple(Variant(name=n, label=LABELS[n], recipe=f"cifar10:{n}_laptop") for n in names)


def cifar10(*names: str) -> tuple[AbstractVariant, ...]:
    """CIFAR-10 as in the paper: full width, 100,000 steps."""
    return tuple(
        Variant(name=n, label=LABELS[n], recipe=f"cifar10:{n}", overrides=_KEPT) for n in names
    )


def at_128(images: str, *names: str) -> tuple[AbstractVariant, ...]:
    """ImageNet, LSUN-Bedroom or CelebA-HQ at 128 pixels as in the paper: the recipes' steps."""
    return tuple(Variant(name=n, label=LABELS[n], recipe=f"{_FILES[images]}:{n}") for n in names)


def imagenet(*names: str) -> tuple[AbstractVariant, ...]:
    """ImageNet at 128 pixels as in the paper: 1,000,000 steps."""
    return at_128(IMAGENET, *names)
