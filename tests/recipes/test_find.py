"""Every recipe builds, is stored and read back, and takes a step at a small size."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from ssgan.config.merge import merge
from ssgan.config.serialize import dump, load
from ssgan.data.base import AbstractCollection, AbstractSource, DatasetInfo, HeaderStats
from ssgan.data.dataset import Dataset
from ssgan.methods.s3gan import S3GAN
from ssgan.models.sndcgan import SNDCGANDiscriminator
from ssgan.recipes.auto import choose_networks, explain_choices, fit_recipe, with_source
from ssgan.recipes.find import find_recipe, list_recipes
from ssgan.training.loop import train
from ssgan.types import UserError


def small(config):
    generator = replace(config.generator, width=1 / 32)
    discriminator = replace(config.discriminator, width=1 / 16)
    if isinstance(config.method, S3GAN):  # 10 % of 8 images would be one label for ten classes
        config = replace(config, method=replace(config.method, labelled_fraction=1.0))
    return replace(
        config, generator=generator, discriminator=discriminator, batch_size=8, total_steps=1,
        discriminator_updates=1,
    )  # fmt: skip


def noise(config, count=8):
    shape = (count, config.data.image_size, config.data.image_size, config.data.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    classes = tuple("abcdefghij")
    return Dataset(images, np.arange(count) % 10, classes, "noise", {})


@pytest.mark.slow
@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_is_stored_read_back_and_takes_a_step(name):
    config = find_recipe(name)()
    assert load(dump(config)) == config
    config = small(config)
    (report,) = train(config, noise(config))
    assert report.step == 1
    assert set(report.terms) >= {f"{network}/{term}" for network in "DG" for term in terms(config)}


def terms(config):
    return [name for name in ("adversarial",) if hasattr(config.method, name)] + (
        ["rotation", "rotation_accuracy"] if config.method.predicts_rotation else []
    )


@pytest.mark.parametrize("name", list_recipes())
def test_a_docstring_has_the_command(name):
    words = "ssgan demo" if name == "objects:demo" else f"ssgan train {name}"
    assert words in find_recipe(name).__doc__


@pytest.mark.parametrize("name", list_recipes())
def test_every_recipe_keeps_its_best_state(name):
    """Its last step is scored, and one before."""
    config = find_recipe(name)()
    assert 0 < config.evaluate.every <= config.total_steps / 2


def test_the_paper_s_settings():
    """Section 2.2 of the facts: hinge, Adam 2e-4 (0, 0.9), two updates of D, 16 of 64 rotated."""
    config = find_recipe("cifar10:ssgan")()
    assert type(config.method.adversarial).__name__ == "Hinge"
    assert (config.method.alpha, config.method.beta) == (0.2, 1.0)
    assert config.method.num_rotated(config.batch_size) == 16
    for adam in (config.generator_optimizer, config.discriminator_optimizer):
        assert (adam.learning_rate, adam.beta1, adam.beta2) == (2e-4, 0.0, 0.9)
    assert (config.discriminator_updates, config.batch_size, config.total_steps) == (2, 64, 100_000)
    assert config.discriminator.spectral
    assert not config.generator.spectral


def test_the_baseline_differs_in_the_method_alone():
    ssgan, gan = find_recipe("cifar10:ssgan_quarter")(), find_recipe("cifar10:gan_quarter")()
    differing = [f.name for f in fields(ssgan) if getattr(ssgan, f.name) != getattr(gan, f.name)]
    assert differing == ["method"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar10:ssgam", "did you mean cifar10:ssgan?"),
        ("nothing", "there are objects:"),
        ("no_such_module_here:run", "cannot import 'no_such_module_here'"),
        ("./my_file:run", "'./my_file' is no module; name it as it is imported"),
        (":run", "'' is no module; name it as it is imported"),
        ("math:nope", "math has no function 'nope'"),
    ],
)
def test_a_wrong_recipe_is_named_with_what_would_be_right(name, words):
    with pytest.raises(UserError) as error:
        find_recipe(name)
    assert words in str(error.value)


BATCH = 64 if torch.accelerator.is_available() else 32  # of networks for up to 64 pixels
LARGEST = 128 if torch.accelerator.is_available() else 64  # side chosen for large photographs


class Pretend(AbstractSource, AbstractCollection):
    """A source of images that are only headers."""

    def __init__(self, *found):
        self.found = HeaderStats(*found)

    def open(self):
        return self

    def name(self):
        return "pretend"

    def __len__(self):
        return self.found.num_images

    def fingerprint(self):
        return "0"

    def read(self, numbers, preprocessing):
        yield from ()

    def header_stats(self):
        return self.found


@pytest.mark.parametrize(
    ("header_stats", "size", "channels", "batch", "augment"),
    [
        ((300, 40, False), 32, 3, BATCH, True),
        ((60_000, 28, True), 32, 1, BATCH, False),
        ((60_000, 28, True, 20), 32, 1, BATCH, True),  # twenty crops of 3,000 pictures
        ((20, 500, False), LARGEST, 3, 16, True),
        ((1, 64, True), 64, 1, 4, True),
    ],
)
def test_settings_fit_the_images_and_every_choice_has_a_reason(
    header_stats, size, channels, batch, augment
):
    config, reasons = fit_recipe(Pretend(*header_stats))
    chosen = (config.data.image_size, config.data.channels, config.batch_size, config.augment)
    assert chosen == (size, channels, batch, augment)
    alone = header_stats[0] == 1  # one image has no spread
    assert len(reasons) == 6 + alone
    assert (config.evaluate.every == 0) == alone
    assert ("no evaluation: it compares with at least 2 images" in reasons) == alone
    assert config.evaluate.images <= 32 * batch  # as many fakes as 32 steps make
    config.generator.build(config.data.shape, 0)
    config.discriminator.build(config.data.shape, 4, 0)


def test_every_reason_is_about_the_settings_that_run_and_not_about_those_first_chosen():
    source = Pretend(6000, 40, False)
    fitted, before = fit_recipe(source)
    rate = fitted.generator_optimizer.learning_rate
    changes = {
        "method": "GAN",
        "data": {"image_size": 64, "channels": 1},
        "generator": {"width": 0.125},
        "discriminator": "DCGANDiscriminator",
        "discriminator_optimizer": {"learning_rate": 0.001},
        "batch_size": 16,
        "total_steps": 40,
        "augment": True,
        "evaluate": {"every": 0},
    }
    config = merge(fitted, changes, "--")
    reasons = explain_choices(config, fitted, source.header_stats())
    assert reasons == [
        "GAN (as given): needs no labels, trains without the rotation task",
        "image size 64 (as given); the median short side of 6000 images is 40 pixels",
        "grey (as given); some images have color",
        "ResNetGenerator with width 0.125 (as given) and DCGANDiscriminator (as given)",
        "batch size 16 (as given), 40 steps (as given), "
        f"learning rates {rate:g} and 0.001 (as given)",
        "differentiable augmentation (as given); 5,000 pictures or more",
        "no evaluation (as given)",
    ]
    assert not set(reasons) & set(before)


def test_the_reason_for_the_networks_names_the_size_that_runs():
    source = Pretend(300, 40, False)
    fitted, _ = fit_recipe(source)
    larger = merge(fitted, {"data": {"image_size": 64}, "augment": False}, "--")
    reasons = explain_choices(larger, fitted, source.header_stats())
    assert reasons[3].partition(": for 64 pixels on ")[1]
    assert reasons[5] == "no augmentation (as given); D may memorize fewer than 5,000 pictures"


def test_large_photographs_get_64_pixels_on_a_cpu_and_the_reason_says_so():
    source = Pretend(300, 500, False)
    fitted, reasons = fit_recipe(source)
    assert fitted.data.image_size == LARGEST
    capped = "; on a CPU at most 64 are chosen" if LARGEST == 64 else ""
    assert reasons[1] == (
        f"image size {LARGEST}: the median short side of 300 images is 500 pixels{capped}"
    )


@pytest.mark.parametrize(
    ("size", "accelerated", "rate", "steps"),
    [(32, False, 8e-4, 10_000), (64, False, 8e-4, 10_000), (128, False, 2e-4, 5000)]
    + [(size, True, 2e-4, 50_000) for size in (32, 64, 128, 256)],
)
def test_learning_rates_and_steps_follow_size_and_machine(size, accelerated, rate, steps):
    choice = choose_networks(size, accelerated)
    assert (choice.learning_rate, choice.steps) == (rate, steps)
    fast = isinstance(choice.discriminator, SNDCGANDiscriminator) and size <= 64
    assert fast == (rate == 8e-4)


def test_a_source_whose_info_is_known_is_not_opened_again(monkeypatch):
    source = Pretend(300, 40, True)
    info, (fitted, _) = DatasetInfo(source.header_stats(), ()), fit_recipe(source)
    monkeypatch.setattr(source, "open", None)
    assert fit_recipe(source, info)[0] == fitted
    assert with_source(fitted, source, info).data.channels == 1
