"""Projection: a picture that G made comes back, and the search depends on its key alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ssgan.evaluation.projection import ProjectionSettings, Projector
from ssgan.runs.sampling import generate_pixels
from ssgan.types import UserError
from tests.evaluation.saved import lively_state
from tests.training.tiny import tiny

SETTINGS = ProjectionSettings(steps=150, starts=3)


def projector(name, settings=SETTINGS, classes=None, **generator):
    config = tiny(name)
    config = replace(config, generator=replace(config.generator, **generator))
    state = lively_state(config)
    state.generator_ema.eval().requires_grad_(False)
    state.discriminator.eval().requires_grad_(False)
    networks = state.generator_ema, state.discriminator
    return Projector(*networks, config.generator, classes, settings)


def own_picture(found, seed=5, label=None):
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(1, found.spec.latent_size, generator=generator)
    if found.spec.latents == "uniform":
        latents = latents.clamp(-1, 1)
    labels = None if label is None else torch.tensor([label])
    return generate_pixels(found.generator, latents, labels)[0]


@pytest.mark.parametrize("latents", ["normal", "uniform"])
def test_a_picture_of_g_comes_back_far_nearer_than_any_sample(latents):
    search = projector("ssgan", latents=latents)
    target = own_picture(search)
    steps = []
    found = search.project(target, steps.append)
    assert steps == list(range(151))
    assert found.distance < found.nearest_sample / 10
    assert found.distance == pytest.approx(found.features + found.pixels)
    assert np.abs(found.image.astype(float) - target).mean() < 10
    assert np.array_equal(generate_pixels(search.generator, found.latents, None)[0], found.image)
    assert latents == "normal" or found.latents.abs().max() <= 1


def test_the_class_of_a_picture_is_found_among_all():
    search = projector("conditional", classes=list(range(10)))
    target = own_picture(search, label=7)
    assert search.project(target).label == 7
    search.classes = [2]
    assert search.project(target).label == 2


def test_a_search_depends_on_its_seed_alone():
    search = projector("ssgan", replace(SETTINGS, steps=5))
    target = own_picture(search)
    first = search.project(target)
    torch.randn(3)
    assert torch.equal(search.project(target).latents, first.latents)
    search.settings = replace(search.settings, seed=1)
    assert not torch.equal(search.project(target).latents, first.latents)


def test_the_best_point_is_kept_where_later_ones_are_worse():
    """With steps that are far too long, the start is better than all that follow."""
    search = projector("ssgan", replace(SETTINGS, steps=20, learning_rate=1e3))
    found = search.project(own_picture(search))
    assert found.distance == pytest.approx(found.nearest_sample, rel=1e-3)


def test_a_generator_whose_images_are_not_finite_is_refused():
    search = projector("ssgan")
    target = own_picture(search)
    with torch.no_grad():
        next(search.generator.parameters()).fill_(torch.nan)
    with pytest.raises(UserError, match="no image of this generator is finite"):
        search.project(target)


def test_a_discriminator_without_blocks_is_refused():
    search = projector("ssgan")
    with pytest.raises(UserError, match=r"Linear has no method block_outputs"):
        Projector(search.generator, torch.nn.Linear(1, 1), search.spec, None, SETTINGS)
