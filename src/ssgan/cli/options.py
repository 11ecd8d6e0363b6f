"""The options of the verbs: a frozen dataclass each, from which words are read and help is made.

The comment above a field is its help, in which {NAME} stands for one of the PHRASES; a field
without a comment has the phrase of its own name. Nothing heavy is imported, so that help and errors
in the words need no PyTorch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ssgan.cli.parser import UsageError, VerbOptions, argument, option

SOURCES = (
    "folder:PATH, zip:PATH, tar:PATH, npz:PATH, cifar10[:PATH], cifar10-test[:PATH], "
    "hub:ID[@REV][#SPLIT][?label=COLUMN], objects, scenes, crops:K:SOURCE"
)
PHRASES = {
    "SOURCES": SOURCES,
    "FEATURES": "inception, inception-bf16, lite0, random, discriminator",
    "METRICS": "fd,infinity,kid,is,pr,authenticity",
    "POOLINGS": "mean, grid, gridN (such as grid4) or flat",
    "TRUST": "your modules whose classes the run uses, separated by commas; they are imported",
    "DEVICE": "auto, cpu, cuda, cuda:1, ...; auto is a GPU where there is one",
    "CACHE": "where prepared images are kept",
    "FIT": "crop: the largest centred square; pad: all of it, over the background; squash: all of "
    "it, with its sides made equal",
    "VERIFY": "verify every byte of prepared images first, not only a part of large sets",
    "ON": "where commands run: local, slurm (a cluster's queue) or ray[:ADDRESS]; the machines of "
    "a cluster share the files of this one",
    "JOBS": "number of commands at a time; on this machine each gets its share of cores and GPUs",
    "THREADS": "CPU threads of every command",
    "GPUS": "GPUs of every command, with --on slurm or ray",
    "SLURM": "options of sbatch, such as partition=gpu,time=240 (minutes)",
    "REFRESH": "recompute the batch-norm statistics of G from this many samples",
}
_THREADS = "the cores divided by --jobs; on a cluster 4"
_STEP = "a step is one generator update"
_STEPS = f"training counts steps, and {_STEP}: --total_steps N"
USE_DEVICE = "name the device: --device cuda, or --device cuda:1 for the second GPU"
_AFTER_DASHES = f"settings of every run follow a lone --, such as: -- --total_steps 3000 ({_STEP})"


class Options(VerbOptions):
    """The options of one of our verbs."""

    phrases: ClassVar[Mapping[str, str]] = PHRASES


@dataclass(frozen=True, kw_only=True)
class Demo(Options):
    """Train SS-GAN on the embedded data set for a few minutes.

    It renders 20,000 objects, trains a small SS-GAN on them, draws samples and says how many show
    an object. Run it again to continue after an interruption.
    """

    # where to write
    run: Path | None = option(None, "DIR", default_text="runs/demo")
    # also train the GAN for as long, in DIR-gan, and draw samples of both side by side to
    # DIR-compare.png
    compare: bool = False


@dataclass(frozen=True, kw_only=True)
class Train(Options):
    """Train a recipe, or your own folder of images; run it again to continue."""

    # a recipe such as scenes:ssgan or your_module:function, or a run directory to continue; without
    # either, the settings are chosen to fit the images of --data
    recipe: str | None = argument(None, "RECIPE|RUN")
    # training images: {SOURCES}
    data: str | None = option(None, "SOURCE")
    # a model whose weights and settings the run begins with: a run directory, one of its
    # checkpoints, a .safetensors file or a repository of the Hub; with a recipe, the settings are
    # those of the recipe
    init: str | None = option(None, "MODEL")
    # where to write; the same command continues there
    run: str | None = option(None, "DIR", default_text="runs/NAME-HASH")
    # a TOML file that changes settings of the recipe, or a run's config.json, which needs no
    # recipe; settings on the command line come last
    config: str | None = option(None, "FILE")
    cache: Path | None = option(None, "DIR")
    trust: tuple[str, ...] = option((), "MODULE")
    # how a picture that is no square becomes one. {FIT}
    fit: Literal["crop", "pad", "squash"] | None = option(None, default_text="crop")
    # when the run collapses or diverges: warn, or save and end with exit code 75
    on_collapse: Literal["warn", "stop"] | None = None
    # processes on this machine, each with its own device and a part of every batch; auto is one
    # for each accelerator; on several machines srun, torchrun or a cluster starts
    # `python -m ssgan train ...`
    processes: int | Literal["auto"] = option(1, at_least=1)
    # node: each of --processes stays on the cores of one NUMA node, that of its GPU
    numa: Literal["none", "node"] = "none"
    # how often all processes are restarted after one is lost
    restarts: int = option(0, at_least=0)
    # seconds that a process waits for the others
    timeout: int | None = option(None, "SECONDS", at_least=1, default_text="1800")
    verify: bool = False
    # continue a run whose images have changed; its best score starts over
    accept_new_data: bool = False
    # copy the log, evaluations and sample sheets to this library, too; the run is the same with it
    track: Literal["wandb", "trackio"] | None = None
    # the project of --track
    track_project: str | None = option(None, "NAME", default_text="that of the run, else ssgan")
    # write no report.html at the end
    no_report: bool = False
    # print what the run would cost; write and download nothing
    dry_run: bool = False
    # list all recipes
    recipes: bool = False
    settings: tuple[str, ...] = ()  # the words of --any.setting VALUE

    setting_words: ClassVar[str] = "settings"
    synonyms: ClassVar[Mapping[str, str]] = {
        "--steps": "--total_steps",
        "--batch": "--batch_size",
        "--batch-size": "--batch_size",
        "--size": "--data.image_size",
        "--epochs": _STEPS,
        "--iterations": _STEPS,
        "--lr": "each network has its own: --generator_optimizer.learning_rate X and "
        "--discriminator_optimizer.learning_rate X",
        "--gpu": USE_DEVICE,
        "--wandb": "--track wandb copies the log there",
        "--trackio": "--track trackio copies the log there",
    }
    usage: ClassVar[tuple[str, ...]] = (
        "[RECIPE|RUN] [--data SOURCE] [--any.setting VALUE ...] [OPTIONS]",
    )
    notes: ClassVar[str] = """\
Any setting of the run is an option too, such as --total_steps 3000 or --method.alpha 0.5. `ssgan
train RECIPE --help` lists every setting with its value.

Recipes are in these files, and `ssgan train --recipes` lists them all: objects, scenes, cifar10,
robustness, imagenet128, robustness_imagenet, lsun_bedroom128, celebahq128, imagenet_large, mimicry,
stl10, successors. Start with objects:ssgan."""

    def __post_init__(self) -> None:
        start = self.recipe or self.data or self.config
        if not (start or self.help or self.recipes):
            raise UsageError("train needs a recipe or --data SOURCE; see ssgan train --help")
        for name, given in (("restarts", self.restarts), ("numa node", self.numa == "node")):
            if given and self.processes == 1:
                raise UsageError(f"--{name} requires --processes 2 or more")
        if self.track_project is not None and self.track is None:
            raise UsageError("--track-project requires --track wandb or trackio")

    def has_more_help(self) -> bool:
        """A recipe, a run or a source has settings to list."""
        return bool(self.recipe or self.data)


@dataclass(frozen=True, kw_only=True)
class Show(Options):
    """Show how a run is doing, and draw its curves; compare several runs.

    Of several runs it prints the settings in which they differ, and scores of the same protocol.
    """

    # run directories
    runs: tuple[Path, ...] = argument((), "RUN...", required=True)
    # draw losses and rotation accuracies to a PNG or SVG file, of several runs over each other
    curves: Path | None = option(None, "FILE")
    # list every setting of the run
    settings: bool = False
    # print the log and the evaluations of one run as CSV, a row a step, or write them to a file
    csv: Path | None = option(None, "[FILE.csv]", optional_ending=".csv")
    trust: tuple[str, ...] = option((), "MODULE")

    usage: ClassVar[tuple[str, ...]] = (
        "RUN [OPTIONS]",
        "RUN --csv [FILE.csv]",
        "RUN RUN... [--curves FILE]",
    )

    def __post_init__(self) -> None:
        if self.help:
            return
        for name in ("settings", "csv"):
            if len(self.runs) > 1 and getattr(self, name):
                file = " and a FILE.csv" if name == "csv" else ""
                listed = ", ".join(map(str, self.runs))
                raise UsageError(f"--{name} takes one RUN{file}, not {listed}")
        if self.csv is not None and self.csv.suffix != ".csv" and self.csv != Path("-"):
            raise UsageError(f"--csv {self.csv}: the name must end in .csv")


@dataclass(frozen=True, kw_only=True)
class Report(Options):
    """Write one HTML file about a run, which opens offline; several runs are put side by side.

    It has the verdict, curves, samples through training, an interpolation, nearest real images,
    results, spectral norms by layer, time and cost. Nothing is downloaded or prepared.
    """

    # run directories
    runs: tuple[Path, ...] = argument((), "RUN...", required=True)
    # where to write; it replaces an earlier report, and no other file
    out: Path | None = option(
        None, "FILE.html", default_text="RUN/report.html; of several runs report.html"
    )
    # read no checkpoint: leave out interpolation, nearest real images and norms
    quick: bool = False
    device: str = option("auto", "NAME")
    cache: Path | None = option(None, "DIR")
    trust: tuple[str, ...] = option((), "MODULE")

    usage: ClassVar[tuple[str, ...]] = ("RUN [RUN...] [OPTIONS]",)

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix not in (".html", ".htm"):
            raise UsageError(f"--out {self.out}: the name must end in .html")


@dataclass(frozen=True, kw_only=True)
class Runs(Options):
    """List the runs of a folder: how far each is, how it is doing, how to continue it.

    The newest is first. Run directories in folders below are listed too, such as a study's.
    """

    # the folder that holds the runs
    folder: Path | None = argument(None, "DIR")
    # print them as JSON
    json: bool = False

    usage: ClassVar[tuple[str, ...]] = ("[DIR] [--json]",)


@dataclass(frozen=True, kw_only=True)
class Doctor(Options):
    """Check this machine: versions, devices, memory, disk, extras, and a self test of a minute.

    The last line is "all good", or what to mend; the exit code is then 1.
    """

    # also check that files can be downloaded; without it no connection is made
    online: bool = False
    # print everything as JSON
    json: bool = False
    # the device of the self test; {DEVICE}
    device: str = option("auto", "NAME")


@dataclass(frozen=True, kw_only=True)
class Study(Options):
    """Make a table or figure of the paper, from training to drawing.

    A study runs commands of ssgan, which can be run by hand as well. Run it again to continue.
    """

    # table1, table1-imagenet, table1-lsun, table1-celeba-hq, table2, table2-imagenet, table3,
    # table4, figure2, figure3, figure4, figure4b, figure5, figure6, large-batch, alpha,
    # successors, precision, objects or objects-probe
    name: str | None = argument(None, "NAME")
    # laptop: small networks, 3,000 steps; paper: the paper's settings
    scale: Literal["laptop", "paper"] = "laptop"
    # training images
    data: str | None = option(None, "SOURCE", default_text="cifar10, for a study of CIFAR-10")
    # real images to evaluate against, such as cifar10-test
    test: str | None = option(None, "SOURCE", default_text="the held-out part of --data")
    # number of training seeds: 0, 1, ...
    seeds: int | None = option(None, at_least=1, at_most=100, default_text="3")
    # some of the variants; `ssgan study NAME --help` lists them
    variants: str | None = option(None, "NAME,NAME", default_text="all")
    on: str = option("local", "ENGINE")
    jobs: int | None = option(None, at_least=1, default_text="1; Slurm: 100; Ray: what fits")
    threads: int | None = option(None, at_least=1, default_text=_THREADS)
    gpus: int = option(0, at_least=0)
    slurm: tuple[str, ...] = option((), "KEY=VALUE,KEY=VALUE")
    # processes of every training run, as for ssgan train
    processes: int = option(1, at_least=1)
    # where runs, results and figures go
    out: Path | None = option(None, "DIR", default_text="studies/SCALE")
    # {FEATURES}, as for ssgan evaluate
    features: str | None = option(None, "NAME", default_text="chosen by the study")
    # images generated for a Frechet distance
    samples: int | None = option(None, at_least=2, default_text="chosen by the study")
    # print the commands, their number and the disk they need; run nothing
    dry_run: bool = False
    # draw existing results again; run nothing
    draw: bool = False
    settings: tuple[str, ...] = ()  # the words after a lone --

    setting_words: ClassVar[str] = "settings"
    settings_follow_dashes: ClassVar[bool] = True
    synonyms: ClassVar[Mapping[str, str]] = {
        "--gpu": "settings of every run follow a lone --, such as: -- --device cuda",
        **dict.fromkeys(
            ("--steps", "--epochs", "--iterations", "--lr", "--batch", "--size"), _AFTER_DASHES
        ),
        "--arms": "--variants",  # its name in older versions
    }
    usage: ClassVar[tuple[str, ...]] = ("[NAME] [OPTIONS] [-- --any.setting VALUE ...]",)
    notes: ClassVar[str] = """\
Settings after a lone -- apply to every run, as `ssgan train` takes them. Without a NAME, `ssgan
study` lists all studies and their runs."""

    def __post_init__(self) -> None:
        if self.name is None and self.words and not self.help:
            raise UsageError("study needs a NAME; `ssgan study` lists all studies")

    def has_more_help(self) -> bool:
        """A study has variants to list."""
        return self.name is not None


@dataclass(frozen=True, kw_only=True)
class Tune(Options):
    """Search settings that reach the best score in a fixed time of training.

    Every trial is a run of ssgan train and one of ssgan evaluate. Run it again to continue.
    """

    # a recipe such as cifar10:ssgan_laptop; without one, the settings are chosen to fit --data
    recipe: str | None = argument(None, "RECIPE")
    # training images: {SOURCES}
    data: str | None = option(None, "SOURCE", default_text="those of the recipe")
    # real images to compare with
    test: str | None = option(None, "SOURCE", default_text="the held-out part of --data")
    # where runs and results go; the same command continues there
    out: Path = option(Path(), "DIR", required=True)
    # minutes of training for every trial, as counted by its seconds a step
    minutes: float = 20.0
    # number of trials; the first one is the recipe itself
    trials: int = option(40, at_least=1, at_most=10_000)
    on: str = option("local", "ENGINE")
    jobs: int | None = option(None, at_least=1, default_text="1; Slurm: 100; Ray: what fits")
    threads: int | None = option(None, at_least=1, default_text=_THREADS)
    gpus: int = option(0, at_least=0)
    slurm: tuple[str, ...] = option((), "KEY=VALUE,KEY=VALUE")
    # a database for what the search has seen, such as postgresql://USER@HOST/NAME
    storage: str | None = option(None, "URL", default_text="OUT/optuna.journal")
    # a TOML file with the settings to search, and their choices or ranges
    space: Path | None = option(None, "FILE", default_text="a space for ResNets and SNDCGAN")
    # {FEATURES}, as for ssgan evaluate
    features: str = option("lite0", "NAME")
    # images generated for a score
    samples: int = option(5000, at_least=2)
    # seed of the search and of every trial
    seed: int = option(0, at_least=0)
    # stop a trial at a third of its steps when its FD-random is above the median there
    prune: bool = False
    # trials that are trained again, with further seeds, and compared with the recipe
    top: int = option(3, at_least=1)
    # number of those seeds; 0: none
    confirm_seeds: int = option(3, at_least=0, at_most=100)
    # print the space and the time it takes; run and write nothing
    dry_run: bool = False
    settings: tuple[str, ...] = ()  # the words after a lone --

    setting_words: ClassVar[str] = "settings"
    settings_follow_dashes: ClassVar[bool] = True
    synonyms: ClassVar[Mapping[str, str]] = {
        "--gpu": "settings of every trial follow a lone --, such as: -- --device cuda",
        "--steps": "the number of steps follows from --minutes",
        **dict.fromkeys(
            ("--batch", "--size"),
            "settings of every trial follow a lone --, such as: -- --batch_size 32",
        ),
    }
    usage: ClassVar[tuple[str, ...]] = (
        "[RECIPE] [--data SOURCE] --out DIR [OPTIONS] [-- --any.setting VALUE ...]",
    )
    notes: ClassVar[str] = """\
Settings after a lone -- apply to every trial, and leave the space."""

    def __post_init__(self) -> None:
        if not (self.recipe or self.data or self.help):
            raise UsageError("tune needs a RECIPE or --data SOURCE; see ssgan tune --help")
        if not 0 < self.minutes < 1e6:
            raise UsageError(f"--minutes must be above 0, not {self.minutes:g}")
