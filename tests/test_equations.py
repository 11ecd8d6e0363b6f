"""Each method's losses and gradients against the formulas, written out image by image."""

import pytest
import torch

from ssgan import losses
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.penalty import WGANGP
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN
from ssgan.ops.freeze import frozen
from ssgan.types import Batch, Draw
from tests.reference import losses as plain
from tests.reference.networks import small_pair

BATCH, TURNED = 8, 2
GAMES = [losses.Hinge(), losses.NonSaturating(), losses.Wasserstein(), losses.LeastSquares()]


def example(num_classes=0):
    torch.manual_seed(1)
    index = torch.arange(BATCH)
    labels = torch.randint(num_classes, (BATCH,)) if num_classes else None
    fake_labels = labels.flip(0) if num_classes else None
    images = torch.rand(BATCH, 3, 4, 4, dtype=torch.float64) * 2 - 1
    latents = torch.randn(BATCH, 3, dtype=torch.float64)
    mixing = torch.rand(BATCH, dtype=torch.float64)
    return Batch(images, labels, index, BATCH), Draw(latents, fake_labels, index, BATCH, mixing)


def gradients(loss, network):
    grads = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [torch.zeros(()) if g is None else g for g in grads]


def assert_same(ours, formula, network):
    torch.testing.assert_close(ours, formula, rtol=1e-10, atol=1e-10)
    for a, b in zip(gradients(ours, network), gradients(formula, network), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def cases():
    for game in GAMES:
        for penalty in (None, WGANGP(weight=7.0)):
            yield GAN(adversarial=game, penalty=penalty)
            yield ConditionalGAN(adversarial=game, penalty=penalty)
            yield SSGAN(adversarial=game, penalty=penalty, alpha=0.3, beta=1.7)
    yield RotationOnly(alpha=0.3, beta=1.7)
    yield SSGAN(rotated_fraction=1.0)


def turned_count(method):
    return round(getattr(method, "rotated_fraction", 0) * BATCH)


@pytest.mark.parametrize("method", list(cases()), ids=str)
def test_discriminator_loss_is_the_formula(method):
    classes = 3 if method.conditional else 0
    G, D = small_pair(num_classes=classes)
    real, draw = example(classes)
    with frozen(G):
        ours = method.discriminator_loss(G, D, real, draw).total
    with torch.no_grad():
        fakes = G(draw.latents, draw.labels)
    formula = torch.zeros((), dtype=torch.float64)
    if not isinstance(method, RotationOnly):
        game = type(method.adversarial).__name__
        formula = plain.adversarial_d(game, D, real.images, fakes, real.labels, draw.labels)
        if method.penalty is not None:
            P = plain.gradient_penalty(D, real.images, fakes, real.labels, draw.mixing)
            formula = formula + 7.0 * P
    if method.turns_images:
        formula = formula + method.beta * plain.rotation(
            D, real.images, real.labels, turned_count(method)
        )
    assert_same(ours, formula, D)


@pytest.mark.parametrize("method", list(cases()), ids=str)
def test_generator_loss_is_the_formula(method):
    classes = 3 if method.conditional else 0
    G, D = small_pair(num_classes=classes)
    _, draw = example(classes)
    with frozen(D):
        ours = method.generator_loss(G, D, draw).total
    fakes = G(draw.latents, draw.labels)
    formula = torch.zeros((), dtype=torch.float64)
    if not isinstance(method, RotationOnly):
        formula = plain.adversarial_g(type(method.adversarial).__name__, D, fakes, draw.labels)
    if method.turns_images:
        formula = formula + method.alpha * plain.rotation(
            D, fakes, draw.labels, turned_count(method)
        )
    assert_same(ours, formula, G)


@pytest.mark.parametrize("method", [GAN(), SSGAN(), RotationOnly()], ids=str)
def test_no_gradient_reaches_the_network_that_is_held_still(method):
    G, D = small_pair()
    real, draw = example()
    with frozen(G):
        method.discriminator_loss(G, D, real, draw).total.backward()
    assert all(p.grad is None for p in G.parameters())
    D.zero_grad(set_to_none=True)
    with frozen(D):
        method.generator_loss(G, D, draw).total.backward()
    assert all(p.grad is None for p in D.parameters())
    assert all(p.requires_grad for p in [*G.parameters(), *D.parameters()])


def test_one_call_of_the_discriminator_a_loss():
    """Real, turned and fake images go through D together: 176 and 112 images at batch 64."""
    G, D = small_pair()
    seen = []

    def counting(images, labels):
        seen.append(len(images))
        return D(images, labels)

    real, draw = example()
    SSGAN().discriminator_loss(G, counting, real, draw)
    SSGAN().generator_loss(G, counting, draw)
    assert seen == [BATCH + 3 * TURNED + BATCH, BATCH + 3 * TURNED]


def test_turned_copies_stay_out_of_the_game():
    """The adversarial term sees upright images only, so it does not know rotated_fraction."""
    G, D = small_pair()
    real, draw = example()
    quarter = SSGAN(rotated_fraction=0.25).discriminator_loss(G, D, real, draw)
    every = SSGAN(rotated_fraction=1.0).discriminator_loss(G, D, real, draw)
    torch.testing.assert_close(quarter.terms["adversarial"], every.terms["adversarial"])
    assert quarter.terms["rotation"] != every.terms["rotation"]


def test_parts_of_a_batch_have_their_mean_equal_to_the_whole():
    """Parts hold every P-th place; each part's own share of turned rows is the global one's."""
    G, D = small_pair()
    real, draw = example()
    method = SSGAN()
    whole = method.discriminator_loss(G, D, real, draw).total
    totals = []
    for part in range(2):
        rows = slice(part, BATCH, 2)
        batch = Batch(real.images[rows], None, real.index[rows], BATCH)
        some = Draw(draw.latents[rows], None, draw.index[rows], BATCH, draw.mixing[rows])
        totals.append(method.discriminator_loss(G, D, batch, some).total)
    torch.testing.assert_close(sum(totals) / 2, whole, rtol=1e-12, atol=1e-12)
