"""Does a classifier forget? The experiment of the paper's Figure 3: its settings and its tasks.

Chen et al., "Self-Supervised GANs via Auxiliary Rotation Loss", CVPR 2019.

A classifier tells the images of one class from all others. After `iterations_per_task` iterations
the next class is asked for, after the last class the first one again, and nothing tells the
network so: a discriminator whose fakes move is in that place. In the figure: CIFAR-10, 1,000
iterations a class, two cycles through ten classes, with the rotation loss and without.

The figure leaves the rest open. Chosen here, each a field unless it says otherwise:

- Accuracy is balanced: the mean of the share of the class that is taken for it and the share of the
  others that is not. A constant answer has 0.5, which is where the published curve starts.
- Half of every batch is the class, half the others, drawn evenly and with replacement (no field).
- Classes come in the order of their numbers (no field). One output serves all tasks. Neither
  weights nor Adam's averages are reset at a switch (no field).
- The network is this package's ResNet discriminator, its real head the classifier, its second head
  for the turns. Without the rotation loss that head is there too, and never learns: both arms of
  one seed start from the same weights and see the same images.
- The loss is D's in SS-GAN with the other classes in place of fakes, here logistic; the last
  quarter of the batch, classes and others alike, is also seen turned.
- Accuracy is measured on held-out images: every `measure_every` iterations, at the end of every
  task, and for the new task right after a switch, before its first update.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ssgan.config.schema import check_count
from ssgan.data.base import AbstractSource, Preprocessing
from ssgan.evaluation.splits import Split
from ssgan.losses import AdversarialLoss, NonSaturating
from ssgan.methods.base import check_shares, check_weights
from ssgan.models.base import AbstractDiscriminatorConfig
from ssgan.models.resnet import ResNetDiscriminator
from ssgan.runs.config import AdamConfig
from ssgan.runs.precision import Precision
from ssgan.types import ImageShape, UserError


class Task(NamedTuple):
    """One stretch of iterations with one class."""

    number: int  # from 0, over all cycles
    cycle: int  # from 1
    label: int  # the class to be told from the others
    start: int  # iterations done before it


@dataclass(frozen=True, kw_only=True)
class ForgettingSettings:
    """Everything that decides what the classifier learns, and what is measured."""

    source: AbstractSource  # labelled images to train on
    held_out: AbstractSource | None = None  # images to test on; None: a stratified fifth of source
    image_size: int = 32  # side in pixels
    channels: int = 3  # 3 (colour) or 1 (grey)
    network: AbstractDiscriminatorConfig = ResNetDiscriminator(width=0.5)  # the classifier
    loss: AdversarialLoss = NonSaturating()  # of the class (as reals) and the others (as fakes)
    rotation: float = 1.0  # weight of the rotation loss, at least 0; 0: without it
    rotated_fraction: float = 0.25  # share of the batch also seen turned, in (0, 1]
    batch_size: int = 64  # images an iteration, an even number: half of the class, half others
    iterations_per_task: int = 1000  # updates before the class changes, at least 1
    cycles: int = 2  # times through all classes, 1 to 1000
    measure_every: int = 100  # iterations between measurements, at least 1
    asked: int = 1000  # held-out images of the class, and of the others, at most; at least 1
    optimizer: AdamConfig = AdamConfig(learning_rate=2e-4, beta1=0.5, beta2=0.999)
    # auto: bfloat16 where the hardware is fast at it, else float32
    precision: Precision = "auto"
    seed: int = 0  # of the weights, the images of every batch, and a held-out fifth

    def __post_init__(self) -> None:
        for name in ("iterations_per_task", "measure_every", "asked"):
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
                f"rotated_fraction {self.rotated_fraction} of batch_size {self.batch_size} turns 0 "
                "images, and the rotation loss needs one: give a larger batch"
            )

    @property
    def preprocessing(self) -> Preprocessing:
        """How a picture becomes a square."""
        return Preprocessing(shape=ImageShape(self.channels, self.image_size))

    def total_steps(self, num_classes: int) -> int:
        """Iterations of the whole study."""
        return self.cycles * num_classes * self.iterations_per_task

    def task(self, step: int, num_classes: int) -> Task:
        """The task of the update that follows `step` iterations."""
        number = step // self.iterations_per_task
        cycle, label = divmod(number, num_classes)
        return Task(number, cycle + 1, label, number * self.iterations_per_task)

    def tasks_measured_at(self, step: int, num_classes: int) -> list[Task]:
        """What is asked after `step` iterations: the task just learnt, then one that begins."""
        if step == 0:
            return [self.task(0, num_classes)]
        switch = step % self.iterations_per_task == 0
        tasks = []
        if switch or step % self.measure_every == 0:
            tasks.append(self.task(step - 1, num_classes))
        if switch and step < self.total_steps(num_classes):
            tasks.append(self.task(step, num_classes))
        return tasks


def check_classes(source: str, classes: tuple[str, ...]) -> None:
    """Raise UserError unless there is a class and a rest to tell it from."""
    if not classes:
        raise UserError(
            f"{source} has no labels: one class is to be told from the rest; put every image into "
            "the folder of its class"
        )
    if len(classes) == 1:
        raise UserError(
            f"{source} has one class, {classes[0]!r}: there must be two or more, for one is to be "
            "told from the rest"
        )


def check_images(parts: Split) -> None:
    """Raise UserError, by its name, for a class without an image to train on or to test on."""
    for part, purpose in ((parts.train, "train on"), (parts.test, "test on")):
        for label, name in enumerate(parts.classes):
            if label not in part.labels:
                source = part.dataset.manifest.get("source", "the data")
                raise UserError(f"{source} has no image of class {name!r} to {purpose}")
