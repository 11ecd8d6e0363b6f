"""torch-mimicry's own SS-GAN step at 32 pixels, as its trainer takes it.

mimicry is not a dependency: its folder is put on the path. Its published version imports packages
that take no part in a step, and one that torch no longer has (torch._six): while it is imported,
modules without content stand in for them.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.optim import Adam

from benchmarks.timing import timed

VERSION = "0.1.16"
_UNUSED = (
    *("tensorflow", "torchvision", "skimage", "sklearn", "scipy", "requests", "six"),
    *("tensorboard", "torch._six", "torch.utils.tensorboard"),
)
_CHANNELS = 256, 128  # its own widths of G and D
_BATCHES = 8  # batches of noise that stand for data


def how_to_make(path: Path) -> str:
    """What to do when mimicry is not at the path."""
    return (
        f"no torch_mimicry in {path}; make one with\n"
        f"    python -m pip install --no-deps --target {path} torch-mimicry=={VERSION}"
    )


def is_there(path: Path) -> bool:
    """Whether the folder holds mimicry."""
    return (path / "torch_mimicry" / "__init__.py").exists()


class MimicryStepper:
    """Its networks, two Adams as in its examples, and its step; always float32.

    Real images are tensors that are there already: data costs mimicry nothing here.
    """

    def __init__(self, path: Path, batch: int, updates: int, width: float = 1.0) -> None:
        mimicry = imported(path)
        self.metric_log, ssgan = mimicry.training.metric_log, mimicry.nets.ssgan
        channels = [round(count * width) for count in _CHANNELS]
        self.updates, self.steps = updates, 0
        self.generator = ssgan.SSGANGenerator32(ngf=channels[0])
        self.discriminator = ssgan.SSGANDiscriminator32(ndf=channels[1])
        self.generator_optimizer, self.discriminator_optimizer = (
            Adam(network.parameters(), 2e-4, betas=(0.0, 0.9))
            for network in (self.generator, self.discriminator)
        )
        self.scheduler = mimicry.training.scheduler.LRScheduler(
            lr_decay="linear",
            optD=self.discriminator_optimizer,
            optG=self.generator_optimizer,
            num_steps=1_000_000,
        )
        labels = torch.zeros(batch, dtype=torch.long)
        self.batches = [(torch.rand(batch, 3, 32, 32) * 2 - 1, labels) for _ in range(_BATCHES)]

    def step(self) -> float:
        """Train by one step: `updates` of D, then one of G on the last batch; its seconds."""
        return timed(self.take)

    def take(self) -> None:
        """Train by one step."""
        log = self.metric_log.MetricLog()
        shared = {"global_step": self.steps, "device": torch.device("cpu"), "scaler": None}
        for update in range(self.updates):
            number = self.steps * self.updates + update
            batch = self.batches[number % _BATCHES]
            log = self.discriminator.train_step(
                real_batch=batch,
                netG=self.generator,
                optD=self.discriminator_optimizer,
                log_data=log,
                **shared,
            )
        log = self.generator.train_step(
            real_batch=batch,
            netD=self.discriminator,
            optG=self.generator_optimizer,
            log_data=log,
            **shared,
        )
        self.steps += 1
        self.scheduler.step(log_data=log, global_step=self.steps)


def imported(path: Path) -> Any:
    """The package in this folder; what stood in for others is forgotten again."""
    finder = _Stand()
    sys.path.insert(0, str(path))
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module("torch_mimicry")
    finally:
        sys.meta_path.remove(finder)
        sys.path.remove(str(path))
        for name in [name for name, module in sys.modules.items() if isinstance(module, _Empty)]:
            del sys.modules[name]


class _Empty(ModuleType):
    """A module that has whatever name is asked for: a class without content."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Stand(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module for everything that a step does not use."""

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if any(name == unused or name.startswith(f"{unused}.") for unused in _UNUSED):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""
