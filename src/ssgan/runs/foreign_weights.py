"""Weights that another program wrote: taken one by one by their names, and made a model of ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ssgan.data.base import UserProvided
from ssgan.files.environment import package_version
from ssgan.files.names import printable
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.ssgan import SSGAN
from ssgan.models.base import AbstractDiscriminatorConfig, AbstractGeneratorConfig
from ssgan.ops.rotation import NUM_ROTATIONS
from ssgan.ops.spectral_norm import as_matrix
from ssgan.runs.config import DataConfig, RunConfig
from ssgan.runs.model_file import StoredModel
from ssgan.runs.shapes import require_shapes
from ssgan.types import ImageShape, UserError

_IMAGES = "images like those that the imported networks were trained on"
_PUBLISHED_STEPS = 100_000  # of a run that begins from such a model, unless it is set


class ForeignWeights:
    """The tensors of a file; whoever takes one says how it is called there."""

    def __init__(self, path: Path, tensors: Mapping[str, Tensor]) -> None:
        """Raises UserError for tensors that are no finite numbers."""
        self.path, self.left = path, dict(tensors)
        for name, tensor in tensors.items():
            if not torch.isfinite(tensor).all():
                raise UserError(f"{path} cannot be used: {printable(name)} holds NaN or infinity")

    def __contains__(self, name: str) -> bool:
        return name in self.left

    def shape(self, name: str, axes: int) -> tuple[int, ...]:
        """The shape of a tensor with so many axes; UserError when there is none."""
        found = self.left.get(name)
        if found is None or found.ndim != axes:
            words = "it has none" if found is None else f"it has {found.ndim}"
            raise UserError(
                f"{self.path} holds no network of this kind: {name} must have {axes} axes, and "
                f"{words}"
            )
        return tuple(found.shape)

    def take(self, name: str) -> Tensor:
        """A tensor as float32; UserError when there is none, or none is left."""
        if name not in self.left:
            raise UserError(f"{self.path} lacks {name}, which networks of this kind have")
        return self.left.pop(name).float()

    def require_all_taken(self, kind: str) -> None:
        """Raise UserError for a tensor that nobody has taken: the file has other networks."""
        if self.left:
            name = printable(sorted(self.left)[0])
            raise UserError(f"{self.path} holds {name}, which {kind} does not have")


def iterate_vectors(weight: Tensor, u: Tensor) -> dict[str, Tensor]:
    """Both singular vectors after one power iteration from u: what other programs' forwards use."""
    matrix = as_matrix(weight)
    v = F.normalize(torch.mv(matrix.T, u.flatten()), dim=0)
    return {"spectral_u": F.normalize(torch.mv(matrix, v), dim=0), "spectral_v": v}


def build_model(
    path: Path,
    shape: ImageShape,
    networks: tuple[AbstractGeneratorConfig, AbstractDiscriminatorConfig],
    tensors: Mapping[str, Mapping[str, Tensor]],
    classes: Sequence[str],
    step: int,
) -> StoredModel:
    """The model of imported state dicts, by their names in a TrainState.

    Its method is SS-GAN if D has four auxiliary logits, and conditional if there are classes. The
    other settings are those of the published runs. Raises UserError for tensors that do not fit.
    """
    head = tensors.get("discriminator", {}).get("heads.auxiliary.bias")
    if head is not None and (len(head) != NUM_ROTATIONS or classes):
        raise UserError(f"{path}: D has {len(head)} auxiliary logits; those of SS-GAN are 4")
    method = ConditionalGAN() if classes else GAN() if head is None else SSGAN()
    source = UserProvided(_IMAGES)
    generator, discriminator = networks
    model = StoredModel(
        path=path,
        config=RunConfig(
            method=method,
            data=DataConfig(source=source, image_size=shape.size, channels=shape.channels),
            generator=generator,
            discriminator=discriminator,
            total_steps=_PUBLISHED_STEPS,
            discriminator_updates=2,
        ),
        classes=tuple(classes),
        step=step,
        source=f"imported from {path.name}",
        version=package_version("ssgan"),
        tensors={name: dict(table) for name, table in tensors.items()},
    )
    for name in model.tensors:
        require_shapes(model, name)
    return model
