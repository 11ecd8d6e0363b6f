"""Forgetting experiment: settings and tasks.

Figure 3 of Chen et al., "Self-Supervised GANs via Auxiliary Rotation Loss", CVPR 2019.

A classifier separates the images of one class from all others. The class changes every
`iterations_per_task` iterations, and after the last class the cycle repeats. The network gets no
sign of a change, as a discriminator gets none when its fakes change. The figure: CIFAR-10, 1,000
iterations per class, two cycles of ten classes, with and without the rotation loss.

The figure leaves the rest open. The choices here, each a field unless noted:

- Accuracy is balanced: the mean of the recall of the class and the recall of the others. A constant
  output has 0.5, where the published curve starts.
- Half of every batch is the class, half the others, drawn uniformly with replacement (no field).
- Classes come in the order of their numbers (no field). All tasks share one output. Neither weights
  nor Adam's averages are reset at a switch (no field).
- The network is this package's ResNet discriminator. Its real/fake head is the classifier, its
  auxiliary head predicts rotations. Without the rotation loss that head exists and never learns, so
  both variants of a seed start from the same weights and see the same images.
- The loss is D's in SS-GAN with the other classes in place of fakes, here logistic. The last
  quarter of the batch, class and others alike, is also rotated.
- Accuracy is measured on held-out images: every `measure_every` iterations, at the end of every
  task, and for the new task right after a switch, before its first update.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ssgan.config.merge import read_json
from ssgan.config.schema import check_count
from ssgan.data.base import AbstractSource, Preprocessing
from ssgan.evaluation.splits import Split
from ssgan.files.run_directory import ForgettingDirectory
from ssgan.losses import AdversarialLoss, NonSaturating
from ssgan.methods.base import check_shares, check_weights
from ssgan.models.base import AbstractDiscriminatorConfig
from ssgan.models.resnet import ResNetDiscriminator
from ssgan.runs.config import AdamConfig
from ssgan.runs.config_io import load_settings
from ssgan.runs.precision import Precision
from ssgan.types import ImageShape, UserError


class Task(NamedTuple):
    """A stretch of iterations with one class."""

    number: int  # from 0, over all cycles
    cycle: int  # from 1
    label: int  # the class to separate from the others
    start: int  # iterations before it


@dataclass(frozen=True, kw_only=True)
class ForgettingSettings:
    """Everything that determines what the classifier learns and what is measured."""

    source: AbstractSource  # labelled training images
    held_out: AbstractSource | None = None  # test images; None: a stratified fifth of source
    image_size: int = 32  # side in pixels
    channels: int = 3  # 3 (colour) or 1 (grey)
    network: AbstractDiscriminatorConfig = ResNetDiscriminator(width=0.5)  # the classifier
    loss: AdversarialLoss = NonSaturating()  # of the class (as reals) and the others (as fakes)
    rotation: float = 1.0  # weight of the rotation loss, at least 0; 0: without it
    rotated_fraction: float = 0.25  # share of the batch that is also rotated, in (0, 1]
    batch_size: int = 64  # images per iteration, an even number: half the class, half others
    iterations_per_task: int = 1000  # updates before the class changes, at least 1
    cycles: int = 2  # times through all classes, 1 to 1000
    measure_every: int = 100  # iterations between measurements, at least 1
    test_images: int = 1000  # held-out images of the class, and of the others, at most; at least 1
    optimizer: AdamConfig = AdamConfig(learning_rate=2e-4, beta1=0.5, beta2=0.999)
    # auto: bfloat16 where the hardware is fast at it, else float32
    precision: Precision = "auto"
    seed: int = 0  # of the weights, the images of every batch, and a held-out fifth

    def __post_init__(self) -> None:
        for name in ("iterations_per_task", "measure_every", "test_images"):
            check_count(name, getattr(self, name), 1)
        check_count("cycles", self.cycles, 1, 1000)
        check_weights(rotation=self.rotation)
        if self.batch_size < 2 or self.batch_size % 2:
            raise UserError(
                f"batch_size must be an even number, 2 or more, not {self.batch_size}: half of "
                "it is the class, half the others"
            )
        check_count("batch_size", self.batch_size, 2)
        check_shares(rotated_fraction=self.rotated_fraction)
        if self.rotation > 0 and round(self.rotated_fraction * self.batch_size) == 0:
            raise UserError(
                f"rotated_fraction {self.rotated_fraction} of batch_size {self.batch_size} "
                "rotates 0 images, but the rotation loss needs one: increase batch_size"
            )

    def without_place(self) -> "ForgettingSettings":
        """The settings without the paths of the images, which may move."""
        held_out = None if self.held_out is None else self.held_out.without_place()
        return replace(self, source=self.source.without_place(), held_out=held_out)

    @property
    def preprocessing(self) -> Preprocessing:
        """The shape that images are converted to."""
        return Preprocessing(shape=ImageShape(self.channels, self.image_size))

    def total_steps(self, num_classes: int) -> int:
        """Iterations of the whole experiment."""
        return self.cycles * num_classes * self.iterations_per_task

    def task(self, step: int, num_classes: int) -> Task:
        """The task of the update that follows `step` iterations."""
        number = step // self.iterations_per_task
        cycle, label = divmod(number, num_classes)
        return Task(number, cycle + 1, label, number * self.iterations_per_task)

    def tasks_measured_at(self, step: int, num_classes: int) -> list[Task]:
        """The tasks measured after `step` iterations: the current one, then one that begins."""
        if step == 0:
            return [self.task(0, num_classes)]
        switch = step % self.iterations_per_task == 0
        tasks = []
        if switch or step % self.measure_every == 0:
            tasks.append(self.task(step - 1, num_classes))
        if switch and step < self.total_steps(num_classes):
            tasks.append(self.task(step, num_classes))
        return tasks


def read_settings(
    directory: ForgettingDirectory, trusted_modules: Sequence[str] = ()
) -> ForgettingSettings | None:
    """The settings of the forgetting run in a directory; None when there is no run.

    Raises UserError for a file that `ssgan forget` did not write.
    """
    if not directory.study.exists():
        return None
    table = read_json(directory.study).get("settings")
    return parse_settings(table, trusted_modules, str(directory.study))


def parse_settings(table: object, trusted_modules: Sequence[str], where: str) -> ForgettingSettings:
    """The settings in a stored table, also of an earlier version; UserError if there are none."""
    if not isinstance(table, Mapping):
        raise UserError(f"{where} holds no settings: ssgan forget did not write it")
    found = load_settings(table, trusted_modules, where)
    if not isinstance(found, ForgettingSettings):
        raise UserError(f"{where} holds settings of {type(found).__name__}, not of ssgan forget")
    return found


def check_classes(source: AbstractSource, classes: Sequence[str]) -> None:
    """Raise UserError unless there are two classes or more."""
    if not classes:
        raise UserError(
            f"{source.name()} has no labels, but each task separates one class from the others: "
            f"{source.label_advice()}"
        )
    if len(classes) == 1:
        raise UserError(
            f"{source.name()} has one class, {classes[0]!r}, but each task separates one class "
            "from the others: there must be two or more"
        )


def check_images(parts: Split) -> None:
    """Raise UserError, naming the class, for one without training or test images."""
    for part, purpose in ((parts.train, "train on"), (parts.test, "test on")):
        for label, name in enumerate(parts.classes):
            if label not in part.labels:
                source = part.dataset.manifest.get("source", "the data")
                raise UserError(f"{source} has no image of class {name!r} to {purpose}")
