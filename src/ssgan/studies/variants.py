"""The variants that a study compares: a label, and the command that trains one."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ssgan.config.merge import from_flags, merge
from ssgan.config.nearest import nearest
from ssgan.data.base import DatasetInfo
from ssgan.data.sources import parse_source
from ssgan.files.run_directory import ForgettingDirectory
from ssgan.recipes.auto import with_source
from ssgan.recipes.find import build_recipe
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import ALIASES
from ssgan.studies.forgetting.settings import check_classes
from ssgan.studies.jobs import AbstractRunJob, ForgettingJob, TrainingJob
from ssgan.studies.options import StudyOptions, slug
from ssgan.types import UserError


@dataclass(frozen=True, kw_only=True)
class AbstractVariant(ABC):
    """What is trained, once per seed."""

    name: str  # for --variants
    label: str  # in tables and figures
    group: str = ""  # the row of a table; variants are compared within their group
    overrides: tuple[str, ...] = ()  # flags of the command, each followed by its value

    @property
    @abstractmethod
    def source_name(self) -> str:
        """What its runs are named after: the recipe, or the verb and its weight."""

    @abstractmethod
    def job(self, options: StudyOptions, seed: int, info: DatasetInfo) -> AbstractRunJob:
        """The command for one seed on images with this info.

        Raises UserError for unknown flags and settings, and for images without needed classes.
        """

    @property
    def title(self) -> str:
        """The label, after its group if it has one."""
        return f"{self.group}, {self.label}" if self.group else self.label

    def slug(self, options: StudyOptions) -> str:
        """The stem of its runs' names."""
        return slug(self.source_name, self.flags(options))

    def flags(self, options: StudyOptions) -> tuple[str, ...]:
        """Its own flags, then those of the options, which replace its own of the same name."""
        replaced = {_present_name(word.partition("=")[0]) for word in options.overrides}
        own = zip(self.overrides[::2], self.overrides[1::2], strict=True)
        kept = [word for flag, value in own if flag not in replaced for word in (flag, value)]
        return (*kept, *options.overrides)


def _present_name(flag: str) -> str:
    """Today's name of a flag that may be of the first version."""
    names = {old: new for fields in ALIASES.fields.values() for old, new in fields.items()}
    return "--" + ".".join(names.get(part, part) for part in flag.removeprefix("--").split("."))


@dataclass(frozen=True, kw_only=True)
class Variant(AbstractVariant):
    """A recipe, with flags."""

    recipe: str

    @property
    def source_name(self) -> str:
        """The recipe."""
        return self.recipe

    def settings(self, options: StudyOptions, seed: int, info: DatasetInfo) -> RunConfig:
        """The settings of `ssgan train` with these flags."""
        changes, _ = from_flags((*self.flags(options), "--seed", str(seed)))
        config = with_source(build_recipe(self.recipe), parse_source(options.data), info)
        return merge(config, changes, "--", ALIASES)

    def job(self, options: StudyOptions, seed: int, info: DatasetInfo) -> TrainingJob:
        """`ssgan train` with these settings."""
        root = options.run_directory(self.slug(options), seed)
        words = ["train", self.recipe, "--data", options.data, *self.flags(options)]
        if options.processes > 1:  # not a setting, so not in the directory's name
            words += ["--processes", str(options.processes)]
        return TrainingJob(
            label=f"{self.title}, seed {seed}",
            words=(*words, "--seed", str(seed), "--run", str(root)),
            log=root.with_name(f"{root.name}.log"),
            processes=options.processes,
            root=root,
            config=self.settings(options, seed, info),
        )


@dataclass(frozen=True, kw_only=True)
class ForgettingVariant(AbstractVariant):
    """`ssgan forget`, with or without the rotation loss."""

    rotation: int  # weight of the rotation loss

    @property
    def source_name(self) -> str:
        """The verb and the weight."""
        return f"forget-rotation-{self.rotation}"

    def job(self, options: StudyOptions, seed: int, info: DatasetInfo) -> ForgettingJob:
        """`ssgan forget`, whose last file is the plot."""
        source = parse_source(options.data)
        check_classes(source, info.classes)
        root = options.run_directory(self.slug(options), seed)
        words = ["forget", "--data", options.data, "--rotation", str(self.rotation)]
        held_out = source.held_out()  # the default of `ssgan forget`
        if options.test is not None and (held_out is None or options.test != held_out.name()):
            words += ["--test", options.test]
            held_out = parse_source(options.test)
        return ForgettingJob(
            label=f"{self.title}, seed {seed}",
            words=(*words, *self.flags(options), "--seed", str(seed), "--out", str(root)),
            log=root.with_name(f"{root.name}.log"),
            root=root,
            result=ForgettingDirectory(root).picture,
            source=source,
            held_out=held_out,
        )


def select_variants(
    variants: Sequence[AbstractVariant], names: str | None
) -> list[AbstractVariant]:
    """The variants in a comma-separated list, in the study's order; None selects all.

    Raises UserError for an unknown name and for an empty list.
    """
    if names is None:
        return list(variants)
    known = [variant.name for variant in variants]
    wanted = [name for name in names.split(",") if name]
    if not wanted:
        raise UserError(f"--variants needs names: {', '.join(known)}")
    for name in wanted:
        if name not in known:
            raise UserError(f"--variants: no variant {name!r}; {suggest(name, known)}")
    return [variant for variant in variants if variant.name in wanted]


def suggest(name: str, known: Collection[str]) -> str:
    """The nearest known name as a question, or all of them when none is near."""
    near = nearest(name, known)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


LABELS = {
    "gan": "GAN",
    "conditional": "conditional GAN",
    "rotation_only": "rotation only",
    "ssgan": "SS-GAN",
    "ssgan_sbn": "SS-GAN (sBN)",
}
IMAGENET, LSUN, CELEBA_HQ = "ImageNet", "LSUN-Bedroom", "CelebA-HQ"
_RECIPE_FILES = {IMAGENET: "imagenet128", LSUN: "lsun_bedroom128", CELEBA_HQ: "celebahq128"}
_SNAPSHOTS = ("--output.snapshot_every", "10000")  # measured for Figures 4 and 6


def laptop(*names: str) -> tuple[AbstractVariant, ...]:
    """CIFAR-10 with 64 channels, 3,000 steps, one discriminator update per step."""
    return tuple(Variant(name=n, label=LABELS[n], recipe=f"cifar10:{n}_laptop") for n in names)


def cifar10(*names: str) -> tuple[AbstractVariant, ...]:
    """CIFAR-10 as in the paper: full width, 100,000 steps."""
    return tuple(
        Variant(name=n, label=LABELS[n], recipe=f"cifar10:{n}", overrides=_SNAPSHOTS) for n in names
    )


def at_128(dataset: str, *names: str) -> tuple[AbstractVariant, ...]:
    """ImageNet, LSUN-Bedroom or CelebA-HQ at 128 pixels as in the paper."""
    file = _RECIPE_FILES[dataset]
    return tuple(Variant(name=n, label=LABELS[n], recipe=f"{file}:{n}") for n in names)
