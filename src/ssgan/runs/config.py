"""The settings of a run: one frozen dataclass and its parts."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from ssgan.config.schema import check_count
from ssgan.config.serialize import added_setting
from ssgan.data.base import AbstractSource, Fit, Preprocessing
from ssgan.methods.base import Method
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.runs.precision import Precision
from ssgan.types import ImageShape, UserError

MAX_RATIO = 16  # of the sides of a picture, to which samples are stretched


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which images a run trains on, and how they become squares of one size."""

    source: AbstractSource  # where the images come from
    # side in pixels: 32, 48, 64, 96 or 128 by the network; BigGAN has 192, 256 and 512 too
    image_size: int
    channels: int = 3  # 3 (colour), 1 (grey) or 4 (colour with transparency)
    # under transparent pixels, 0 to 255 each; with 4 channels they stay transparent
    background: tuple[int, int, int] = (255, 255, 255)
    mirror: bool = False  # mirror each image left to right with probability 1/2
    # how a picture that is no square becomes one. crop: the largest centred square; pad: all of it,
    # over the background; squash: all of it, with its sides made equal
    fit: Fit = added_setting("crop")
    # width / height of the pictures that squash made squares; samples for people are stretched back
    # to it. `ssgan train` sets it to the median of the pictures; None: samples are squares
    ratio: float | None = added_setting(None)

    def __post_init__(self) -> None:
        check_count("image_size", self.image_size, 8)
        if self.channels not in (1, 3, 4):
            raise UserError(f"channels must be 1, 3 or 4, not {self.channels}")
        if self.ratio is not None and not 1 / MAX_RATIO <= self.ratio <= MAX_RATIO:
            raise UserError(f"ratio must be in 1/{MAX_RATIO} to {MAX_RATIO}, not {self.ratio}")
        if not all(0 <= value <= 255 for value in self.background):
            raise UserError(f"background must be three numbers 0 to 255, not {self.background}")

    @property
    def shape(self) -> ImageShape:
        """The shape of every image of the run."""
        return ImageShape(self.channels, self.image_size)

    @property
    def preprocessing(self) -> Preprocessing:
        """How an image becomes a square."""
        return Preprocessing(shape=self.shape, background=self.background, fit=self.fit)


@dataclass(frozen=True, kw_only=True)
class AdamConfig:
    """Adam for one network. The betas are those of the paper's best settings (Table 2)."""

    learning_rate: float = 2e-4  # above 0, finite
    beta1: float = 0.0  # decay of the mean of gradients, in [0, 1)
    beta2: float = 0.9  # decay of the mean of squared gradients, in [0, 1)

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"learning_rate must be a finite number above 0, not {self.learning_rate}"
            )
        for name, value in (("beta1", self.beta1), ("beta2", self.beta2)):
            if not 0 <= value < 1:
                raise UserError(f"{name} must be at least 0 and below 1, not {value}")


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """What a run writes, and how often. Nothing here changes a step."""

    log_every: int = 20  # steps between lines of log.jsonl
    sample_every: int = 500  # steps between sample grids; 0: only at the end
    checkpoint_every: int = 500  # steps between checkpoints; the last step always has one
    snapshot_every: int = 0  # steps between snapshots of D and the averaged G, to probe; 0: none
    # with shard_state every process writes its part of a checkpoint, and none gathers the whole; a
    # run that continues merges the newest one first
    sharded_checkpoints: bool = added_setting(False)
    sample_rows: int = 8  # rows, and columns, of a sample grid; at most 100
    tensorboard: bool = True  # also write event files for TensorBoard

    def __post_init__(self) -> None:
        for name in ("log_every", "checkpoint_every"):
            check_count(name, getattr(self, name), 1)
        check_count("sample_rows", self.sample_rows, 1, 100)
        for name in ("sample_every", "snapshot_every"):
            check_count(name, getattr(self, name), 0)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """What is evaluated during a run, how often, and what follows. Nothing here changes a step."""

    every: int = 0  # steps between evaluations, which choose the best state; 0: never
    images: int = 2000  # generated images (and at most as many real ones) for distances, diversity
    # features of the Frechet distance that is the score and chooses the best state; FD-random is
    # always computed too. lite0 and inception (FID) need weights, and minutes each time on a CPU
    features: Literal["random", "lite0", "inception"] = added_setting("random")
    num_images_d: int = 512  # real images, and as many generated ones, on which D is evaluated
    # when a run collapses or diverges: warn, or also save and stop it (exit code 75)
    on_collapse: Literal["warn", "stop"] = "warn"

    def __post_init__(self) -> None:
        check_count("every", self.every, 0)
        for name in ("images", "num_images_d"):
            check_count(name, getattr(self, name), 2)


@dataclass(frozen=True, kw_only=True)
class InitialWeights:
    """The model whose weights a run begins with."""

    model: str  # a run, a checkpoint, a .safetensors file, or OWNER/NAME of the Hub; it may move
    sha256: str | None = None  # of the weights; None: of those that are there when the run begins


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All settings of a run: they decide what it learns and what it writes."""

    method: Method  # the losses of D and G
    data: DataConfig
    generator: AbstractGeneratorConfig
    discriminator: AbstractDiscriminatorConfig
    total_steps: int  # generator updates; D has discriminator_updates times as many
    batch_size: int = 64  # real images, and fakes, in each update
    # updates of D before each update of G (the paper's n_dis); at most 1000
    discriminator_updates: int = 1
    # the weights to begin with, as --init MODEL sets it; None: drawn by the seed
    init: InitialWeights | None = added_setting(None)
    generator_optimizer: AdamConfig = AdamConfig()
    discriminator_optimizer: AdamConfig = AdamConfig()
    learning_rate_decay: Literal["none", "linear"] = "none"  # linear: to 0 at total_steps
    ema_halflife_steps: float = 0.0  # half-life of G's average, in steps; 0: no average
    ema_start_step: int = added_setting(0)  # steps before averaging begins; until then a copy of G
    power_iterations: int = added_setting(1)  # of spectral norm, before each update; at least 1
    # FreezeD: so many of D's lowest blocks keep weights and singular vectors, to fine-tune;
    # 0: none, at most all blocks, so that the heads learn
    freeze_discriminator_blocks: int = added_setting(0)
    augment: bool = False  # differentiable colour, translation and cutout, for small data sets
    # G learns from the fakes of D's last update, which saves one pass of G, as the authors' code on
    # GPUs. Otherwise it learns from fakes of its own, as their code on TPUs
    reuse_fakes: bool = added_setting(False)
    accumulation: int = 1  # parts of an update, to save memory; batch norm sees one part
    # activation checkpointing: store only the inputs of residual blocks and attention, and compute
    # the rest again in backward: less memory, more time, the same numbers; ResNets and BigGAN
    activation_checkpointing: bool = added_setting(False)
    # with several processes each holds a part of the weights, their average and Adam's moments
    # (FSDP2), not all: less memory, more communication, the same numbers
    shard_state: bool = added_setting(False)
    # auto: bfloat16 where the hardware is fast at it, else float32; float64 is for proofs
    precision: Precision = "auto"
    # compile both networks with torch.compile: minutes at the start, and no gain on a CPU so far
    compile: bool = added_setting(False)
    device: str = "auto"  # auto: the accelerator if there is one, else cpu
    seed: int = 0  # of all random numbers
    output: OutputConfig = OutputConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    def __post_init__(self) -> None:
        for name in ("total_steps", "batch_size", "accumulation", "power_iterations"):
            check_count(name, getattr(self, name), 1)
        check_count("discriminator_updates", self.discriminator_updates, 1, 1000)
        for name in ("ema_start_step", "freeze_discriminator_blocks"):
            check_count(name, getattr(self, name), 0)
        check_count("generator.latent_size", self.generator.latent_size, 1)
        if not (math.isfinite(self.ema_halflife_steps) and self.ema_halflife_steps >= 0):
            raise UserError(f"ema_halflife_steps must be 0 or more, not {self.ema_halflife_steps}")
        self._check_parts()

    def without_places(self) -> "RunConfig":
        """The settings without the paths of the images and of the initial model, which may move."""
        data = replace(self.data, source=self.data.source.without_place())
        init = None if self.init is None else replace(self.init, model="")
        return replace(self, data=data, init=init)

    def _check_parts(self) -> None:
        parts = self.accumulation
        if self.reuse_fakes and parts > 1:
            raise UserError(
                f"reuse_fakes keeps the activations of G for a whole batch, which accumulation "
                f"{parts} avoids: use one of the two"
            )
        if self.batch_size % parts:
            below, above = self.batch_size // parts * parts, -(-self.batch_size // parts) * parts
            nearest = f"{below}, {above}" if below else f"{above}"
            raise UserError(
                f"batch_size {self.batch_size} cannot be cut into accumulation {parts} equal "
                f"parts; nearest: {nearest}"
            )
        rotated = self.method.num_rotated(self.batch_size)
        if self.method.predicts_rotation and (rotated == 0 or rotated % parts):
            raise UserError(
                f"method.rotated_fraction rotates {rotated} of batch_size {self.batch_size} "
                f"images, which must be a positive multiple of accumulation {parts}"
            )
