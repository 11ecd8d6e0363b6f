"""The options of the verbs that measure; see `options`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

from ssgan.cli.options import SOURCES, USE_DEVICE, Options
from ssgan.cli.parser import UsageError, argument, option

_ONE_STATE = "--step N is one state"
_TASKS = "--iterations-per-task N and --cycles N say how long it learns"


@dataclass(frozen=True, kw_only=True)
class Evaluate(Options):
    """Compute FID, KID, precision and recall of a run or a set of images.

    Every number is stored with its protocol. Run it again to continue after an interruption.
    """

    # a run or a model (as RUN of `ssgan sample`), a folder of images, or a source such as cifar10
    images: tuple[str, ...] = argument((), "RUN|IMAGES")
    # the real images: a folder, a source, or statistics (.npz, also those of pytorch-fid)
    against: str | None = option(
        None,
        "IMAGES",
        default_text="the held-out images of the run's source, or those it trained on",
    )
    # real images that the run has not seen; measures the share of samples that are closer to
    # training images than chance explains (metric authenticity)
    held_out: str | None = option(None, "IMAGES")
    # {FEATURES}; inception gives the FID, inception-bf16 a faster
    # distance in bfloat16, with values of its own
    features: str | None = option(None, "NAME", default_text="the first whose weights are there")
    # a file of Inception weights, or the run whose discriminator is used
    weights: str | None = option(None, "FILE|RUN")
    # download the Inception weights (96 MB) once
    download: bool = False
    # tf1-bilinear, half-pixel-bilinear or clean-bicubic; for inception and lite0
    resize: Literal["tf1-bilinear", "half-pixel-bilinear", "clean-bicubic"] | None = option(
        None, "RULE"
    )
    # number of images of RUN|IMAGES; all, if there are fewer
    n: int | None = option(None, at_least=1, default_text="10000")
    # number of real images; all, if there are fewer
    real_n: int | None = option(None, at_least=1, default_text="as --n")
    # sample sets, from seeds 0, 1, ...
    seeds: int = option(3, at_least=1, at_most=1000)
    # some of {METRICS}; or nameable: the share of samples of a run on objects that show one of its
    # ten kinds, which needs no --against
    metrics: tuple[str, ...] = option((), "NAME,NAME", default_text="all that are possible")
    # images in each of the 100 subsets of the KID
    kid_subset: int = option(1000, at_least=2)
    # measure the best state of the run, not the newest
    best: bool = False
    # measure the state of this step
    step: int | None = option(None, at_least=0)
    # {REFRESH}; large networks in the paper's code use 204800, in batches of 64
    refresh: int = option(0, at_least=1, default_text="as trained")
    # side in pixels at which two sets of images are compared
    size: int | None = option(None, at_least=8)
    # how pictures that are no squares become squares when two sets are compared; a run's own
    # otherwise. {FIT}
    fit: Literal["crop", "pad", "squash"] | None = option(None, default_text="crop, or the run's")
    # a folder or a .jsonl file for the numbers and the picture of nearest real images
    out: str | None = option(None, "PATH", default_text="RUN/evaluation")
    # store the statistics of --against, or of RUN|IMAGES without --against
    write_stats: str | None = option(None, "FILE.npz")
    # images in memory at once
    batch: int = option(64, at_least=1)
    # processes on this machine that share the images, each on its own device; on several machines
    # torchrun or a cluster starts `python -m ssgan evaluate ...`, with one cache for all
    processes: int = option(1, at_least=1)
    # where features and prepared images are kept
    cache: Path | None = option(None, "DIR")
    verify: bool = False
    device: str = option("auto", "NAME")
    # print stored results in one table
    compare: bool = False
    trust: tuple[str, ...] = option((), "MODULE")

    usage: ClassVar[tuple[str, ...]] = (
        "RUN [--against IMAGES] [OPTIONS]",
        "IMAGES --against IMAGES [OPTIONS]",
        "RUN|IMAGES --write-stats FILE.npz [OPTIONS]",
        "RUN --metrics nameable [OPTIONS]",
        "--compare FILE.jsonl [FILE.jsonl ...]",
    )
    synonyms: ClassVar[Mapping[str, str]] = {
        "--gpu": USE_DEVICE,
        "--batch-size": "--batch",
        "--steps": _ONE_STATE,
    }

    def __post_init__(self) -> None:
        if self.help:
            return
        if self.compare:
            if not self.images:
                raise UsageError("--compare needs the .jsonl files of evaluations")
            return
        if len(self.images) != 1:
            given = f", not {' '.join(self.images)}" if self.images else ""
            raise UsageError(f"evaluate takes one run, checkpoint, folder or source{given}")
        only_statistics = self.against is None and self.write_stats is not None
        for name in ("held_out", "real_n", "metrics"):
            if only_statistics and getattr(self, name):
                raise UsageError(f"--{name.replace('_', '-')} requires --against")
        if self.write_stats is not None and not self.write_stats.endswith(".npz"):
            raise UsageError(f"--write-stats {self.write_stats}: the name must end in .npz")


@dataclass(frozen=True, kw_only=True)
class Probe(Options):
    """Train linear classifiers on the features of D, block by block.

    Rows already in probe.jsonl are reused: run the same command again to continue.
    """

    # as RUN of `ssgan sample`: run directories, models; several are compared in one table
    runs: tuple[Path, ...] = argument((), "RUN...", required=True)
    # labelled images to train on: {SOURCES}
    data: str = option("", "SOURCE", required=True)
    # labelled images to test on; by default cifar10-test for cifar10, else a fifth of --data, which
    # is then not trained on
    test: str | None = option(None, "SOURCE")
    # states of each run: step numbers, or all that are stored; 0 is D before training
    steps: str | None = option(None, "N,N|all", default_text="the newest")
    # blocks of D, from 0
    blocks: tuple[int, ...] = option((), "N,N", at_least=0, default_text="all")
    # how a block's map becomes features: {POOLINGS}
    pooling: tuple[str, ...] = option((), "NAME,NAME", default_text="grid,mean")
    # shares of the training labels; nested and stratified
    fractions: tuple[float, ...] = option((), "X,X", default_text="0.01,0.1,1")
    # number of images to train on
    train_n: int | None = option(None, at_least=1, default_text="all")
    # number of images to test on
    test_n: int | None = option(None, at_least=1, default_text="all")
    # seed of the split and of every order of the images
    seed: int = option(0, at_least=0)
    # lbfgs: logistic regression to its minimum, with the penalty chosen on held-out labels; sgd:
    # the schedule that the paper's probe probably used
    solver: Literal["lbfgs", "sgd"] = "lbfgs"
    # weight of the penalty
    l2: float | None = option(None, default_text="chosen on held-out labels")
    # where probe.jsonl, probe.txt and probe.png go
    out: Path | None = option(None, "DIR", default_text="RUN/probe")
    device: str = option("auto", "NAME")
    cache: Path | None = option(None, "DIR")
    verify: bool = False
    trust: tuple[str, ...] = option((), "MODULE")

    usage: ClassVar[tuple[str, ...]] = ("RUN [RUN ...] --data SOURCE [OPTIONS]",)
    synonyms: ClassVar[Mapping[str, str]] = {
        "--gpu": USE_DEVICE,
        "--lr": "the solver sets its steps; --l2 X is the penalty",
    }


@dataclass(frozen=True, kw_only=True)
class Features(Options):
    """Write the features of D to a file, for any classifier.

    Rows are in the order of the data. Run the same command again to continue.
    """

    # a run directory, a checkpoint, a model's file, builtin:NAME, or OWNER/NAME of the Hub
    run: Path = argument(Path(), "RUN", required=True)
    # images, with or without labels: {SOURCES}
    data: str = option("", "SOURCE", required=True)
    # .npy holds features alone, with labels and names in files beside it; .npz and .parquet hold
    # all in one file, several blocks too
    out: Path = option(Path(), "FILE", required=True)
    # a block of D, from 0, or last, or all
    block: str = option("last", "last|N|all")
    # how a block's map becomes features: {POOLINGS}
    pooling: str = option("mean", "NAME")
    # the stored state to read; 0 is D before training
    step: int | None = option(None, at_least=0, default_text="the newest")
    # processes on this machine that share the images, each on its own device; on several machines
    # torchrun or a cluster starts `python -m ssgan features ...`, with one folder for all
    processes: int = option(1, at_least=1)
    device: str = option("auto", "NAME")
    cache: Path | None = option(None, "DIR")
    verify: bool = False
    trust: tuple[str, ...] = option((), "MODULE")

    synonyms: ClassVar[Mapping[str, str]] = {"--gpu": USE_DEVICE, "--steps": _ONE_STATE}


@dataclass(frozen=True, kw_only=True)
class Forget(Options):
    """Run the paper's forgetting experiment.

    A classifier learns one class against the rest, then the next class; after the last one the
    cycle begins again. Its balanced accuracy on held-out images is measured throughout.
    """

    # with --draw, the directories of finished runs
    directories: tuple[Path, ...] = argument((), "DIR...")
    # labelled images: {SOURCES}
    data: str | None = option(None, "SOURCE")
    # where forgetting.jsonl and forgetting.png go; with --draw, a PNG or SVG file
    out: Path | None = option(None, "DIR")
    # images to test on; by default cifar10-test for cifar10, else a fifth of --data, which is then
    # not trained on
    test: str | None = option(None, "SOURCE")
    # weight of the rotation loss; 0 leaves it out
    rotation: float = 1.0
    # seed of the weights and of every batch
    seed: int = option(0, at_least=0)
    # iterations before the class changes
    iterations_per_task: int = option(1000, at_least=1)
    # how often the classes are learnt, one after the other
    cycles: int = option(2, at_least=1)
    # iterations between measurements
    measure_every: int = option(100, at_least=1)
    # number of channels, relative to the published discriminator
    width: float = 0.5
    # images per iteration: half from the class, half from the others
    batch: int = option(64, at_least=2)
    # side of the images in pixels
    size: Literal[32, 48, 64, 96, 128] = 32
    # maximum number of held-out images of the class, and of the others
    test_images: int = option(1000, at_least=1)
    # number format of the network; auto is bfloat16 where the hardware is fast at it
    precision: Literal["auto", "float32", "bfloat16", "float64"] = "auto"
    device: str = option("auto", "NAME")
    cache: Path | None = option(None, "DIR")
    verify: bool = False
    # print tables of finished runs, and draw them to --out; seeds are averaged
    draw: bool = False

    usage: ClassVar[tuple[str, ...]] = (
        "--data SOURCE --out DIR [OPTIONS]",
        "--draw DIR [DIR ...] [--out FILE.png|FILE.svg]",
    )
    synonyms: ClassVar[Mapping[str, str]] = {
        "--gpu": USE_DEVICE,
        "--batch-size": "--batch",
        "--steps": _TASKS,
        "--epochs": _TASKS,
        "--iterations": _TASKS,
        "--asked": "--test-images",  # its name in older versions
    }
    notes: ClassVar[str] = """\
An interrupted command continues when it is run again. docs/forgetting.md describes the
experiment."""

    def __post_init__(self) -> None:
        if self.help:
            return
        if not 0 <= self.rotation < float("inf"):
            raise UsageError(
                f"--rotation must be a finite number, 0 or more, not {self.rotation:g}"
            )
        if self.draw:
            self._check_draw()
            return
        if self.directories:
            raise UsageError(
                f"forget takes no {str(self.directories[0])!r}; to draw directories: ssgan forget "
                "--draw"
            )
        if self.data is None:
            raise UsageError(f"forget needs --data SOURCE with labels: {SOURCES}")
        if self.out is None:
            raise UsageError("forget needs --out DIR")

    def _check_draw(self) -> None:
        for one in fields(self):
            others = one.name not in ("draw", "directories", "out", "words")
            if others and getattr(self, one.name) != one.default:
                name = one.name.replace("_", "-")
                raise UsageError(f"--draw reads finished measurements: leave --{name} out")
