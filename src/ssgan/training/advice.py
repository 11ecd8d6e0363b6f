"""What to try next when a run goes wrong: the settings that the paper and our own runs support.

The reasons: at one update of D a step the GAN fails on CIFAR-10, with two or with the rotation
loss it does not (the paper's Table 2, docs/results/cifar10-half.md). Its best learning rate is
2e-4, and self-modulated batch norm helps on every data set (Table 1). docs/methods.md says which
method to use when.
"""

from typing import Literal

from ssgan.methods.gan import GAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.models.norms import BatchNorm
from ssgan.runs.config import RunConfig

Problem = Literal[
    "none",
    "dead discriminator",
    "strong discriminator",
    "no gradient",
    "blown up",
    "collapse",
    "forgetting",
    "easy rotations",
    "no progress",
]
RATE = 2e-4  # of Adam in the paper, for both networks
_MOST = 3  # suggestions in a line


def advise(problem: Problem, config: RunConfig) -> str:
    """One line of flags of `ssgan train` that this run does not use yet; "" without a problem."""
    if problem == "none":
        return ""
    found = [flag for flag in _flags(problem, config) if flag][:_MOST]
    if not found:
        return f"try next: another --seed, such as {config.seed + 1}"
    return f"try next, in a new run: {', or '.join(found)}"


def _flags(problem: Problem, config: RunConfig) -> list[str]:
    """The flags that help with a problem, best first; "" where the run uses one already."""
    method, updates, rates = config.method, config.discriminator_updates, _lower_rates(config)
    without_rotation = ""
    if method.predicts_rotation and type(method) is not RotationOnly:  # its only task
        without_rotation = f"--method {'ConditionalGAN' if method.conditional else 'GAN'}"
    more_updates = "--discriminator_updates 2" if updates == 1 else ""
    rotation = "--method SSGAN" if type(method) is GAN else ""
    plain = type(getattr(config.generator, "norm", None)) is BatchNorm
    modulated = "--generator.norm SelfModulatedBatchNorm" if plain else ""
    average = "" if config.ema_halflife_steps else "--ema_halflife_steps 500"
    augment = "" if config.augment else "--augment true"
    decay = "--learning_rate_decay linear" if config.learning_rate_decay == "none" else ""
    bounded = getattr(config.discriminator, "spectral", True)
    spectral = "" if bounded else "--discriminator.spectral true"
    fewer_updates = "--discriminator_updates 1" if updates > 1 else ""
    table = {
        "none": [],
        "dead discriminator": [more_updates, rates, rotation, modulated, spectral],
        "strong discriminator": [fewer_updates, spectral, augment, _penalty(config), rates],
        "no gradient": [rates, _penalty(config), spectral, rotation, modulated],
        "blown up": [rates, spectral, _penalty(config)],
        "collapse": [more_updates, rates, rotation, modulated, average],
        "forgetting": [rotation, more_updates, decay, modulated],
        "easy rotations": [without_rotation, augment],
        "no progress": [decay, more_updates, average, rates],
    }
    return table[problem]


def _lower_rates(config: RunConfig) -> str:
    """The learning rate of the paper for a network above it; else half of the present ones."""
    rates = {
        "generator": config.generator_optimizer,
        "discriminator": config.discriminator_optimizer,
    }
    high = {name: adam for name, adam in rates.items() if adam.learning_rate > RATE}
    return " ".join(
        f"--{name}_optimizer.learning_rate {RATE if high else adam.learning_rate / 2:g}"
        for name, adam in (high or rates).items()
    )


def _penalty(config: RunConfig) -> str:
    """A gradient penalty, where the run can have one and has none."""
    lacks = getattr(config.method, "penalty", "no such setting") is None
    return "--method.penalty WGANGP" if lacks and not config.compile else ""
