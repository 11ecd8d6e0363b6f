"""Table 2 of the paper: SS-GAN and the GAN under nine settings, on CIFAR-10 and on ImageNet.

A setting has a gradient penalty of weight 1 or 10 and no spectral norm, or spectral norm and no
penalty; Adam with betas (0, 0.9) or (0.5, 0.999); and one or two updates of D per step. That the
rows with a penalty have the hinge loss is from memory of the paper and not verified.

`robustness:SETTING_METHOD` is `cifar10:ssgan` with another setting or method. In its names `gp10`
is the weight of the penalty, `sn` spectral norm, `b0` and `b5` beta1, `n1` and `n2` n_dis. The two
of `sn_b0_n2` are `cifar10:gan` and `cifar10:ssgan`.

`robustness_imagenet:SETTING_METHOD` has the data and networks of `imagenet128`. The length of the
published runs is not known to us; 100,000 steps are inferred. At about that step the curves of
Figure 4b agree with the row of spectral norm and n_dis 2 (SN, betas 0, 0.9, n_dis 2). The two of
`sn_b0_n2` are the first tenth of `imagenet128:gan` and `imagenet128:ssgan`.

`ssgan study table2` and `table2-imagenet` print the published FIDs, means over three seeds.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import NamedTuple

from ssgan.methods.gan import GAN
from ssgan.methods.penalty import WGANGP
from ssgan.methods.ssgan import SSGAN
from ssgan.models.resnet import ResNet5Discriminator, ResNet5Generator, ResNetDiscriminator
from ssgan.recipes import cifar10, imagenet128
from ssgan.runs.config import AdamConfig, RunConfig


class Table2Setting(NamedTuple):
    """A row of the table."""

    penalty: float | None  # weight of the gradient penalty; None: spectral norm instead
    beta1: float
    beta2: float
    discriminator_updates: int  # n_dis

    @property
    def name(self) -> str:
        """The setting in the names of recipes, such as gp10_b5_n1."""
        norm = "sn" if self.penalty is None else f"gp{self.penalty:g}"
        return f"{norm}_b{f'{self.beta1:g}'[-1]}_n{self.discriminator_updates}"

    @property
    def norm(self) -> str:
        """The regularization of D in words."""
        return "spectral norm" if self.penalty is None else f"penalty of weight {self.penalty:g}"

    @property
    def row(self) -> str:
        """The label of the row in the published table."""
        norm = "SN" if self.penalty is None else f"GP {self.penalty:g}"
        return f"{norm}, betas {self.beta1:g}, {self.beta2:g}, n_dis {self.discriminator_updates}"


SETTINGS = (
    Table2Setting(penalty=1.0, beta1=0.0, beta2=0.9, discriminator_updates=1),
    Table2Setting(penalty=1.0, beta1=0.0, beta2=0.9, discriminator_updates=2),
    Table2Setting(penalty=1.0, beta1=0.5, beta2=0.999, discriminator_updates=1),
    Table2Setting(penalty=10.0, beta1=0.0, beta2=0.9, discriminator_updates=1),
    Table2Setting(penalty=10.0, beta1=0.0, beta2=0.9, discriminator_updates=2),
    Table2Setting(penalty=10.0, beta1=0.5, beta2=0.999, discriminator_updates=1),
    Table2Setting(penalty=None, beta1=0.0, beta2=0.9, discriminator_updates=1),
    Table2Setting(penalty=None, beta1=0.0, beta2=0.9, discriminator_updates=2),
    Table2Setting(penalty=None, beta1=0.5, beta2=0.999, discriminator_updates=1),
)
_METHODS = {"gan": GAN, "ssgan": SSGAN}
_TITLES = {"gan": "GAN", "ssgan": "SS-GAN"}


def cifar10_config(setting: Table2Setting, method: str) -> RunConfig:
    """The run of a setting with `gan` or `ssgan` on CIFAR-10."""
    penalty = None if setting.penalty is None else WGANGP(weight=setting.penalty)
    adam = AdamConfig(beta1=setting.beta1, beta2=setting.beta2)
    return replace(
        cifar10.ssgan(),
        method=_METHODS[method](penalty=penalty),
        discriminator=ResNetDiscriminator(spectral=penalty is None),
        discriminator_updates=setting.discriminator_updates,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )


def imagenet_config(setting: Table2Setting, method: str) -> RunConfig:
    """The run of a setting with `gan` or `ssgan` on ImageNet at 128 pixels."""
    return replace(
        cifar10_config(setting, method),
        data=imagenet128.DATA,
        generator=ResNet5Generator(),
        discriminator=ResNet5Discriminator(spectral=setting.penalty is None),
    )


def _build_recipes(
    group: str, dataset: str, data: str, build: Callable[[Table2Setting, str], RunConfig]
) -> dict[str, Callable[[], RunConfig]]:
    """A recipe with a docstring for every cell of the table, by its name on the command line."""
    recipes: dict[str, Callable[[], RunConfig]] = {}
    for setting, method in product(SETTINGS, _METHODS):
        config, name = build(setting, method), f"{group}:{setting.name}_{method}"
        updates, betas = setting.discriminator_updates, f"{setting.beta1:g}, {setting.beta2:g}"
        recipe = partial(build, setting, method)
        recipe.__doc__ = f"""{_TITLES[method]}, {setting.norm}, betas ({betas}), n_dis {updates}.

    ssgan train {name}{data}

Published: FID in Table 2 ({dataset}; {setting.row}).
Cost: {config.total_steps:,} steps, batch {config.batch_size}, n_dis {updates}; D reads \
{_num_images_read(config, setting)} images a step. Not run at this scale.
"""
        recipes[name] = recipe
    return recipes


def _num_images_read(config: RunConfig, setting: Table2Setting) -> int:
    """Images that D reads in a step: reals, fakes, rotated copies, and points of the penalty."""
    batch = config.batch_size
    with_rotated = batch + 3 * config.method.num_rotated(batch)
    penalty = 0 if setting.penalty is None else batch
    return config.discriminator_updates * (with_rotated + batch + penalty) + with_rotated


RECIPES = {
    **_build_recipes("robustness", "CIFAR-10", "", cifar10_config),
    **_build_recipes("robustness_imagenet", "ImageNet", " --data folder:PATH", imagenet_config),
}
