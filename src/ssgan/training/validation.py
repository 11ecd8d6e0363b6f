"""Settings that do not fit each other or the images: refused in one line, before any work."""

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ssgan.data.base import AbstractSource
from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import check_features
from ssgan.ops.activation_checkpointing import checkpointed_modules
from ssgan.ops.collective import num_ranks
from ssgan.runs.config import RunConfig
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.label_subset import select_labels
from ssgan.types import UNLABELLED, UserError


def validate_run(
    config: RunConfig, num_images: int, num_classes: int, ranks: int | None = None
) -> None:
    """Raise UserError for settings that do not fit each other or the source, before any decoding.

    The numbers are those of the source, and of the processes that there will be; None: that there
    are. The networks are built once to see that they can be.
    """
    check_labels(config, num_classes)
    check_parts(config, num_classes)
    check_scores(config, num_images)
    check_compile(config)
    check_num_labelled(config, num_images, num_classes)
    state = fresh_state(config, num_classes, torch.device("cpu"))
    check_recompute(config, state)
    check_ranks(config, state, num_ranks() if ranks is None else ranks)


def check_labels(config: RunConfig, num_classes: int) -> None:
    """Raise UserError when the method needs labels and the data or G do without."""
    if not config.method.conditional:
        return
    method = type(config.method).__name__
    if num_classes < 2:
        found = "one class" if num_classes else "none"
        raise UserError(
            f"{method} needs labels, and {config.data.source.name()} has {found}: use folders of "
            f"at least two classes, or a method without labels{_oddities(config.data.source)}"
        )
    if not config.generator.reads_labels:
        raise UserError(
            f"{method} needs a generator that reads labels, which {type(config.generator).__name__}"
            " does not as it is set: generator.norm ConditionalBatchNorm does"
        )


def _oddities(source: AbstractSource) -> str:
    """The end of a refusal: what the layout of the source is seen to be."""
    try:
        return "".join(f"; {sentence}" for sentence in source.layout_warnings())
    except UserError:  # it has gone since its images were prepared
        return ""


def check_parts(config: RunConfig, num_classes: int) -> None:
    """Raise UserError when parts are of one image and G has no batch statistics of one.

    Whether it has depends on the family, so one forward pass is tried then.
    """
    if config.batch_size > config.accumulation:
        return
    num_classes = num_classes if config.method.conditional else 0
    with torch.random.fork_rng(devices=[]):
        generator = config.generator.build(config.data.shape, num_classes)
    labels = torch.zeros(1, dtype=torch.int64) if num_classes else None
    try:
        generator(torch.zeros(1, config.generator.latent_size), labels)
    except ValueError:
        raise UserError(
            f"batch_size {config.batch_size} in accumulation {config.accumulation} parts is one "
            f"image a part, too few for the batch norm of {type(config.generator).__name__}: "
            "give parts of at least 2"
        ) from None


def check_scores(config: RunConfig, num_images: int) -> None:
    """Raise UserError for scores that cannot be: of too few images, or without their weights."""
    if config.evaluate.every and num_images < 2:
        raise UserError(
            f"evaluate.every {config.evaluate.every}: a score compares with at least 2 "
            f"images, and {config.data.source.name()} has {num_images}: set it to 0"
        )
    check_features(config.evaluate)


def check_ranks(config: RunConfig, state: TrainState, ranks: int) -> None:
    """Raise UserError for what cannot be done by so many ranks."""
    if ranks == 1:
        return
    parts = ranks * config.accumulation
    of_parts = f"{ranks} processes" + (
        f" times accumulation {config.accumulation}" if config.accumulation > 1 else ""
    )
    if config.batch_size % parts:
        raise UserError(
            f"batch_size {config.batch_size} cannot be cut into equal parts for {of_parts}; "
            f"nearest: {-(-config.batch_size // parts) * parts}"
        )
    turned = config.method.num_rotated(config.batch_size)
    if config.method.predicts_rotation and turned % parts:
        raise UserError(
            f"method.rotated_fraction turns {turned} of batch_size {config.batch_size} images, "
            f"which must be a multiple of {parts} for {of_parts}"
        )
    if ":" in config.device:
        raise UserError(
            f"device {config.device} is one device for {ranks} processes: leave the number "
            "out, and each takes its own"
        )
    if config.compile:
        raise UserError("compile is for one process; leave it out")
    if any(isinstance(module, _BatchNorm) for module in state.generator.modules()):
        raise UserError(
            f"{type(config.generator).__name__} has PyTorch's own batch norm, which sees one "
            "process's part of a batch alone: use a norm of ssgan.models.norms"
        )


def check_compile(config: RunConfig) -> None:
    """Raise UserError for what does not go with a compiled form.

    It is differentiated once, and chooses by itself what to compute anew in backward.
    """
    if config.compile and config.recompute:
        raise UserError(
            "compile does not go with recompute, as it chooses by itself what to compute anew: "
            "leave one of the two out"
        )
    if config.compile and getattr(config.method, "penalty", None) is not None:
        raise UserError(
            "compile does not go with method.penalty, which needs second derivatives that "
            "torch.compile does not give: leave one of the two out"
        )


def check_recompute(config: RunConfig, state: TrainState) -> None:
    """Raise UserError when recomputation is asked for and neither network has blocks for it."""
    if config.recompute and not any(checkpointed_modules(state.generator, state.discriminator)):
        networks = " and ".join(
            type(spec).__name__ for spec in (config.generator, config.discriminator)
        )
        raise UserError(
            f"recompute acts on residual blocks and attention, and {networks} have neither: leave "
            "it out; accumulation saves memory with any network"
        )


def check_num_labelled(config: RunConfig, num_images: int, num_classes: int) -> None:
    """Raise UserError when the method is given fewer labels than there are classes."""
    count = config.method.num_labelled(num_images)
    if config.method.conditional and count < min(num_images, num_classes):
        raise UserError(
            f"{_few(config, count, num_images)}, fewer than its {num_classes} classes: raise "
            "method.labelled_fraction"
        )


def check_given_labels(config: RunConfig, dataset: Dataset) -> None:
    """Raise UserError when labels are kept from the method and a class is left with none."""
    labels = select_labels(config, dataset)
    if labels is None or UNLABELLED not in labels:
        return
    bare = [name for number, name in enumerate(dataset.classes) if number not in labels]
    if bare:
        count = config.method.num_labelled(len(dataset))
        raise UserError(
            f"{_few(config, count, len(dataset))}, none of them of class {', '.join(bare)}: raise "
            "method.labelled_fraction, or take another seed"
        )


def _few(config: RunConfig, count: int, num_images: int) -> str:
    method, source = type(config.method).__name__, config.data.source.name()
    return f"{method} is given {count} of the {num_images} labels of {source}"
