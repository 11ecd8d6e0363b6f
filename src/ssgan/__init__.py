"""Train, measure and study self-supervised GANs.

    from dataclasses import replace
    from ssgan import recipes, train

    for report in train(replace(recipes.scenes.ssgan(), total_steps=100)):
        print(report.step, report.terms["D/rotation"].item())

Names are loaded when first used, so that `import ssgan` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ssgan import recipes as recipes
    from ssgan.data.prepare import prepare as prepare
    from ssgan.export.model import Model as Model
    from ssgan.export.model import load as load
    from ssgan.methods.gan import GAN as GAN
    from ssgan.methods.gan import ConditionalGAN as ConditionalGAN
    from ssgan.methods.rotation_only import RotationOnly as RotationOnly
    from ssgan.methods.ssgan import SSGAN as SSGAN
    from ssgan.runs.config import RunConfig as RunConfig
    from ssgan.training.loop import StepReport as StepReport
    from ssgan.training.loop import train as train
    from ssgan.training.run import run as run
    from ssgan.training.tracker import Tracking as Tracking

_HOME = {
    "prepare": "ssgan.data.prepare",
    "Model": "ssgan.export.model",
    "load": "ssgan.export.model",
    "GAN": "ssgan.methods.gan",
    "ConditionalGAN": "ssgan.methods.gan",
    "RotationOnly": "ssgan.methods.rotation_only",
    "SSGAN": "ssgan.methods.ssgan",
    "RunConfig": "ssgan.runs.config",
    "StepReport": "ssgan.training.loop",
    "train": "ssgan.training.loop",
    "run": "ssgan.training.run",
    "Tracking": "ssgan.training.tracker",
}
__all__ = [
    "GAN",
    "SSGAN",
    "ConditionalGAN",
    "Model",
    "RotationOnly",
    "RunConfig",
    "StepReport",
    "Tracking",
    "load",
    "prepare",
    "recipes",
    "run",
    "train",
]


def __getattr__(name: str) -> object:
    if name == "recipes":
        return importlib.import_module("ssgan.recipes")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'ssgan' has no attribute {name!r}")
