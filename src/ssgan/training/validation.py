"""Settings that do not fit each other, the images or the ranks: refused in one line."""

import copy
import math

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ssgan.data.base import AbstractSource, DatasetInfo
from ssgan.data.crops import Crops
from ssgan.data.dataset import Dataset
from ssgan.evaluation.selection_metric import check_features
from ssgan.methods.s3gan import S3GAN
from ssgan.metrics.rotation_check import check_rotations_of
from ssgan.ops.activation_checkpointing import checkpointed_modules
from ssgan.ops.collective import num_ranks
from ssgan.runs.config import RunConfig
from ssgan.runs.shapes import require_memory
from ssgan.runs.state import TrainState, fresh_state
from ssgan.types import UserError

_FEW = 1000  # pictures; our choice: the paper has no such small set


def validate_run(
    config: RunConfig,
    num_images: int,
    num_classes: int,
    *,
    num_unlabelled: int = 0,
    ranks: int | None = None,
    device: torch.device | None = None,
    state: TrainState | None = None,
) -> TrainState:
    """Raise UserError for settings that do not fit each other, the source or the ranks.

    Needs no decoded image. `num_classes` counts classes with images, and `num_unlabelled` images
    without a label, where others have one. `ranks` is the number of processes of the run (None: of
    this process group). Returns the state whose networks were checked: `state`, or a fresh one on
    `device` (None: the CPU).
    """
    check_labels(config, num_classes)
    check_unlabelled(config, num_images, num_unlabelled)
    check_compile(config)
    check_features(config.evaluate)
    check_num_images(config, num_images, num_classes)
    if state is None:
        require_memory(config, num_classes)
        state = fresh_state(config, num_classes, device or torch.device("cpu"))
    check_parts(config, state, num_classes)
    check_activation_checkpointing(config, state)
    check_ranks(config, state, num_ranks() if ranks is None else ranks)
    return state


def validate_dataset(
    config: RunConfig,
    dataset: Dataset,
    device: torch.device | None = None,
    state: TrainState | None = None,
) -> TrainState:
    """`validate_run` with prepared images."""
    return validate_run(
        *(config, len(dataset), dataset.num_classes),
        num_unlabelled=dataset.num_unlabelled,
        device=device,
        state=state,
    )


def validate_info(config: RunConfig, info: DatasetInfo, ranks: int | None = None) -> TrainState:
    """`validate_run` with what is known of images that are not decoded."""
    return validate_run(
        *(config, info.header_stats.num_images, len(info.classes)),
        num_unlabelled=info.num_unlabelled,
        ranks=ranks,
    )


def check_labels(config: RunConfig, num_classes: int) -> None:
    """Raise UserError when the method needs labels and the data or G have none."""
    if not config.method.conditional:
        return
    method, source = type(config.method).__name__, config.data.source
    if num_classes < 2:
        found = "one class" if num_classes else "none"
        raise UserError(
            f"{method} needs labels, and {source.name()} has {found}: {source.label_advice()}, "
            f"or a method without labels{_layout_warnings(source)}"
        )
    if not config.generator.reads_labels:
        generator, norm = type(config.generator).__name__, getattr(config.generator, "norm", None)
        if norm is None:
            raise UserError(
                f"{method} needs a generator that reads labels, which {generator} does not"
            )
        raise UserError(
            f"{method} needs a generator that reads labels, and generator.norm is "
            f"{type(norm).__name__}, which reads none: leave --generator.norm out, or give "
            "ConditionalBatchNorm"
        )


def check_unlabelled(config: RunConfig, num_images: int, num_unlabelled: int) -> None:
    """Raise UserError when a conditional method would use more labels than there are."""
    labelled, method = num_images - num_unlabelled, config.method
    if not (method.conditional and num_unlabelled and method.num_labelled(num_images) > labelled):
        return
    share = math.floor(1e6 * labelled / num_images) / 1e6
    way = f"S3GAN learns from some: --method S3GAN --method.labelled_fraction {share:g}"
    if isinstance(method, S3GAN):
        way = f"set method.labelled_fraction to at most {share:g}"
    raise UserError(
        f"{type(method).__name__} is to use {method.num_labelled(num_images):,} labels, and "
        f"{config.data.source.name()} has labels for {labelled:,} of its {num_images:,} images: "
        f"{way}"
    )


def _layout_warnings(source: AbstractSource) -> str:
    """The end of a refusal: what is unusual about the layout of the source."""
    try:
        return "".join(f"; {sentence}" for sentence in source.layout_warnings())
    except UserError:  # the source was removed after its images were prepared
        return ""


def check_parts(config: RunConfig, state: TrainState, num_classes: int) -> None:
    """Raise UserError when a part has one image and G needs the batch statistics of more.

    Whether it does depends on the family, so a copy of G is given one image.
    """
    if config.batch_size > config.accumulation:
        return
    generator = copy.deepcopy(state.generator)
    weight = next(generator.parameters())
    labels = None
    if config.method.conditional and num_classes:
        labels = torch.zeros(1, dtype=torch.int64, device=weight.device)
    try:
        generator(weight.new_zeros(1, config.generator.latent_size), labels)
    except ValueError:
        raise UserError(
            f"batch_size {config.batch_size} in accumulation {config.accumulation} parts is one "
            f"image a part, too few for the batch norm of {type(config.generator).__name__}: "
            "give parts of at least 2"
        ) from None


def check_num_images(config: RunConfig, num_images: int, num_classes: int) -> None:
    """Raise UserError for too few images to evaluate, or fewer visible labels than classes."""
    source = config.data.source.name()
    if config.evaluate.every and num_images < 2:
        raise UserError(
            f"evaluate.every {config.evaluate.every}: evaluation needs at least 2 images, and "
            f"{source} has {num_images}: set it to 0"
        )
    count = config.method.num_labelled(num_images)
    if config.method.conditional and count < min(num_images, num_classes):
        raise UserError(
            f"{type(config.method).__name__} is given {count} of the {num_images} labels of "
            f"{source}, fewer than its {num_classes} classes: raise method.labelled_fraction"
        )


def check_ranks(config: RunConfig, state: TrainState, ranks: int) -> None:
    """Raise UserError for settings that do not fit the number of ranks."""
    if ranks == 1:
        return
    parts = ranks * config.accumulation
    times = f" times accumulation {config.accumulation}" if config.accumulation > 1 else ""
    processes = f"{ranks} processes{times}"
    if config.batch_size % parts:
        raise UserError(
            f"batch_size {config.batch_size} cannot be cut into equal parts for {processes}; "
            f"nearest: {-(-config.batch_size // parts) * parts}"
        )
    rotated = config.method.num_rotated(config.batch_size)
    if config.method.predicts_rotation and rotated % parts:
        raise UserError(
            f"method.rotated_fraction rotates {rotated} of batch_size {config.batch_size} images, "
            f"which must be a multiple of {parts} for {processes}"
        )
    if ":" in config.device:
        raise UserError(
            f"device {config.device} is one device for {ranks} processes: without the number each "
            "process takes its own"
        )
    if config.compile:
        raise UserError(f"compile works with one process, not with {ranks}: leave it out")
    if config.output.sharded_checkpoints and not config.shard_state:
        raise UserError("output.sharded_checkpoints needs shard_state: set both, or neither")
    if any(isinstance(module, _BatchNorm) for module in state.generator.modules()):
        raise UserError(
            f"{type(config.generator).__name__} has PyTorch's own batch norm, which sees one "
            "process's part of a batch alone: use a norm of ssgan.models.norms"
        )


def check_compile(config: RunConfig) -> None:
    """Raise UserError for settings that do not work with compiled networks."""
    if config.compile and config.activation_checkpointing:
        raise UserError(
            "compile does not work with activation_checkpointing, because torch.compile chooses by "
            "itself what to recompute: leave one of the two out"
        )
    if config.compile and getattr(config.method, "penalty", None) is not None:
        raise UserError(
            "compile does not work with method.penalty, whose second derivatives torch.compile "
            "does not support: leave one of the two out"
        )


def check_activation_checkpointing(config: RunConfig, state: TrainState) -> None:
    """Raise UserError for activation_checkpointing where neither network has blocks for it."""
    if config.activation_checkpointing and not any(
        checkpointed_modules(state.generator, state.discriminator)
    ):
        networks = " and ".join(
            type(spec).__name__ for spec in (config.generator, config.discriminator)
        )
        raise UserError(
            "activation_checkpointing acts on residual blocks and attention, and "
            f"{networks} have neither: leave it out; accumulation saves memory with any network"
        )


def _few_images_warning(config: RunConfig, dataset: Dataset) -> list[str]:
    source = config.data.source
    views = source.count if isinstance(source, Crops) else 1
    pictures = max(1, (len(dataset) - dataset.manifest.get("duplicates", 0)) // views)
    if pictures >= _FEW:
        return []
    noun = "picture is" if pictures == 1 else "different pictures are"
    remedy = "augment, which is on, delays that" if config.augment else "--augment true delays that"
    return [
        f"{pictures:,} {noun} few: expect D to memorise them, and samples that repeat some of them "
        f"or collapse; {remedy}; the smallest set in the paper has 27,000 pictures"
    ]


def dataset_warnings(config: RunConfig, dataset: Dataset, *, is_new: bool) -> list[str]:
    """Sentences on images that train, but not well; most of them for a new run only."""
    warnings = _few_images_warning(config, dataset) if is_new else []
    if is_new and config.method.predicts_rotation:
        report = check_rotations_of(len(dataset), dataset.batch)
        if report is not None and report.is_warning:
            other = "ConditionalGAN" if config.method.conditional else "GAN"
            warnings.append(
                f"rotation prediction may not suit these images ({report.sentence}); "
                f"--method {other} trains without it"
            )
    if len(dataset) < config.batch_size:
        warnings.append(
            f"{len(dataset)} images are fewer than batch_size {config.batch_size}: batches repeat "
            "images"
        )
    return warnings
