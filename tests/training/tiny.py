"""Whole runs that take milliseconds: small real networks, and images that are in memory."""

import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch.utils._pytree import tree_flatten

from ssgan.data.base import Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.scenes.source import Scenes
from ssgan.files.run_directory import RunDirectory
from ssgan.losses import NonSaturating
from ssgan.methods.class_losses import MultiHinge
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.r3gan import R3SSGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.s3gan import S3GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.methods.ssgan_annealed import AnnealedSSGAN
from ssgan.methods.ssgan_la import SSGANLA, SSGANLAPlus
from ssgan.methods.ssgan_ms import SSGANMS
from ssgan.models.norms import ConditionalBatchNorm
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.runs import checkpoint
from ssgan.runs.config import DataConfig, EvaluateConfig, OutputConfig, RunConfig
from ssgan.runs.state import TrainState
from ssgan.training.run import run
from ssgan.types import ImageShape

STEPS, IMAGES, SIZE = 6, 20, 32  # 20 images in batches of 8: epochs end within steps
METHODS = {
    "gan": GAN(adversarial=NonSaturating()),
    "conditional": ConditionalGAN(),
    "ssgan": SSGAN(),
    "rotation-only": RotationOnly(),
}
SUCCESSORS = {
    "ms": SSGANMS(),
    "la": SSGANLA(class_loss=MultiHinge()),
    "la-plus": SSGANLAPlus(),
    "annealed": AnnealedSSGAN(),
    "r3": R3SSGAN(),
    "s3gan": S3GAN(labelled_fraction=0.75),  # of 20 images of 10 classes, at least one of each
}


def images(seed: int = 0) -> Dataset:
    """Scenes with their labels: a data set of one's own, of pixels that are drawn once."""
    pixels, labels, classes, content = _drawn(seed)
    return Dataset(pixels.copy(), labels.copy(), classes, content, {"num_images": IMAGES})


@cache
def _drawn(seed: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], str]:
    source = Scenes(num_images=IMAGES, seed=seed)
    collection = source.open()
    preprocessing = Preprocessing(shape=ImageShape(3, SIZE))
    pixels = np.stack(list(collection.read(range(IMAGES), preprocessing)))
    labels = np.array(collection.labels(), np.int64)
    return pixels, labels, collection.classes(), collection.fingerprint()


def tiny(name: str = "ssgan", **changes: object) -> RunConfig:
    """A run of 6 steps with a method by its name above; `changes` are fields of RunConfig."""
    method = (METHODS | SUCCESSORS)[name]
    norm = {"norm": ConditionalBatchNorm()} if method.conditional else {}
    config = RunConfig(
        method=method,
        data=DataConfig(source=Scenes(num_images=IMAGES), image_size=SIZE, mirror=True),
        generator=ResNetGenerator(width=1 / 64, latent_size=8, **norm),
        discriminator=ResNetDiscriminator(width=1 / 32),
        total_steps=STEPS,
        batch_size=8,
        discriminator_updates=2 if name == "gan" else 1,
        ema_halflife_steps=3.0,
        precision="float32",
        device="cpu",
        output=OutputConfig(
            log_every=1,
            sample_every=0,
            checkpoint_every=3,
            sample_rows=2,
            tensorboard=False,
        ),
        evaluate=EvaluateConfig(
            every=2 if name == "rotation-only" else 0, images=16, num_images_d=8
        ),
    )
    return replace(config, **changes)


def with_output(config: RunConfig, **changes: object) -> RunConfig:
    """The same run, writing other things."""
    return replace(config, output=replace(config.output, **changes))


def evaluating(config: RunConfig, **changes: object) -> RunConfig:
    """The same run, measured otherwise."""
    return replace(config, evaluate=replace(config.evaluate, **changes))


def to_the_end(
    config: RunConfig, root: Path, dataset: Dataset, trusted: tuple[str, ...] = ()
) -> str:
    """Run, or continue, to the last step; the digest of the state that is then on disk."""
    for _ in run(config, root, dataset):
        pass
    return digest_on_disk(config, root, dataset, trusted)


def stop_after(config: RunConfig, root: Path, dataset: Dataset, step: int) -> None:
    """Leave a directory with `step` as its newest checkpoint, as a killed run would.

    For 0, the run is left before its first checkpoint, with a step in its log.
    """
    steps = run(with_output(config, checkpoint_every=step or config.total_steps), root, dataset)
    for report in steps:
        if report.step >= step:
            break
    steps.close()


def digest_on_disk(
    config: RunConfig, root: Path, dataset: Dataset, trusted: tuple[str, ...] = ()
) -> str:
    """The digest of the newest whole checkpoint, which must be of the last step of this run."""
    saved, _ = checkpoint.load_newest(RunDirectory(root), trusted)
    assert saved is not None, f"{root} has no whole checkpoint"
    assert saved.step == config.total_steps, f"{root} ended at step {saved.step}"
    assert saved.config.method == config.method
    assert saved.data_hash == dataset.content_hash
    return digest_of(saved)


def digest_of(saved: checkpoint.Checkpoint) -> str:
    """What `digest_state` says of a state into which this was put, without building one."""
    leaves = tree_flatten(saved.tensors)[0]
    return _digest(saved, [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)])


def digest_state(state: TrainState) -> str:
    """sha256 over the bytes of every tensor and the step: equal only for equal states."""
    return _digest(state, checkpoint.state_tensors(state))


def _digest(facts: TrainState | checkpoint.Checkpoint, tensors: list[torch.Tensor]) -> str:
    whole = hashlib.sha256(f"{checkpoint.progress_facts(facts)}".encode())
    for tensor in tensors:
        whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def writer_of(
    layout: RunDirectory, config: RunConfig, dataset: Dataset
) -> checkpoint.CheckpointWriter:
    """The writer of a run's checkpoints."""
    return checkpoint.CheckpointWriter(layout, config, dataset.content_hash, dataset.classes)


def rows_of(path: Path) -> list[dict[str, object]]:
    """The lines of a log, every one of which must parse, without the time they took."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
