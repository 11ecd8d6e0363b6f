"""Each method's losses and gradients against the formulas, written out image by image."""

import pytest
import torch

from ssgan import losses
from ssgan.methods.class_losses import MultiHinge, Softmax
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.penalty import DRAGAN, R1R2, WGANGP
from ssgan.methods.r3gan import R3GAN, R3SSGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.s3gan import S3GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.methods.ssgan_annealed import AnnealedSSGAN
from ssgan.methods.ssgan_la import SSGANLA, LabelAugmentation, SSGANLAPlus
from ssgan.methods.ssgan_ms import SSGANMS
from ssgan.ops.modes import frozen
from ssgan.types import Batch, GeneratorInput, UserError
from tests.reference import losses as plain
from tests.reference.networks import small_pair

BATCH, NUM_ROTATED = 8, 2
ADVERSARIAL = [losses.Hinge(), losses.NonSaturating(), losses.Wasserstein(), losses.LeastSquares()]


def example(num_classes=0):
    torch.manual_seed(1)
    index = torch.arange(BATCH)
    labels = torch.randint(num_classes, (BATCH,)) if num_classes else None
    fake_labels = labels.flip(0) if num_classes else None
    images = torch.rand(BATCH, 3, 4, 4, dtype=torch.float64) * 2 - 1
    latents = torch.randn(BATCH, 3, dtype=torch.float64)
    mixing = torch.rand(BATCH, dtype=torch.float64)
    noise = torch.rand(BATCH, 3 * 4 * 4, dtype=torch.float64)
    real = Batch(images, labels, index, BATCH)
    draw = GeneratorInput(
        *(latents, fake_labels, index, BATCH, mixing),
        noise=lambda size: noise[:, :size],
        real=lambda: real,
    )
    return real, draw


def gradients(loss, network):
    grads = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [torch.zeros(()) if g is None else g for g in grads]


def assert_same(ours, formula, network):
    torch.testing.assert_close(ours, formula, rtol=1e-10, atol=1e-10)
    for a, b in zip(gradients(ours, network), gradients(formula, network), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def cases():
    for loss in ADVERSARIAL:
        for penalty in (None, WGANGP(weight=7.0), DRAGAN(weight=7.0)):
            yield GAN(adversarial=loss, penalty=penalty)
            yield ConditionalGAN(adversarial=loss, penalty=penalty)
            yield SSGAN(adversarial=loss, penalty=penalty, alpha=0.3, beta=1.7)
            yield SSGANMS(adversarial=loss, penalty=penalty, alpha=0.3, beta=1.7)
            yield SSGANLAPlus(adversarial=loss, penalty=penalty, alpha=0.3, beta=1.7)
    yield RotationOnly(alpha=0.3, beta=1.7)
    yield SSGAN(rotated_fraction=1.0)
    yield SSGANMS(rotated_fraction=1.0)
    for class_loss in (Softmax(), MultiHinge()):
        yield SSGANLAPlus(class_loss=class_loss, alpha=0.3, beta=1.7)
        yield SSGANLA(class_loss=class_loss)
        yield SSGANLA(class_loss=class_loss, rotated_fraction=0.25)
    yield AnnealedSSGAN(alpha=0.8, final_alpha=0.2, beta=1.7)
    for penalty in (None, WGANGP(weight=7.0), R1R2(weight=7.0)):
        yield R3GAN(penalty=penalty)
        yield R3SSGAN(penalty=penalty, alpha=0.3, beta=1.7)
    yield GAN(penalty=R1R2(weight=7.0))
    yield ConditionalGAN(penalty=R1R2(weight=7.0))


def num_rotated(method):
    return round(getattr(method, "rotated_fraction", 0) * BATCH)


def pair_for(method):
    """Networks for a method, and its number of classes."""
    classes = 3 if method.conditional else 0
    return *small_pair(num_classes=classes, width=method.auxiliary_width_for(classes) or 4), classes


CLASS_LOSSES = {
    Softmax: (plain.cross_entropy, plain.cross_entropy),
    MultiHinge: (plain.multi_hinge, plain.multi_margin),
}


def task_on_both(method, D, real, fakes):
    """What D minimizes besides the adversarial loss."""
    count, beta = num_rotated(method), getattr(method, "beta", 1)
    if isinstance(method, SSGANMS):
        return beta * plain.multiclass_minimax_d(D, real.images, fakes, count)
    if isinstance(method, LabelAugmentation):
        loss, _ = CLASS_LOSSES[type(method.class_loss)]
        return beta * plain.label_augmentation_d(D, real.images, fakes, count, loss)
    return beta * plain.rotation(D, real.images, real.labels, count)


def task_on_fakes(method, D, fakes, labels):
    """What G minimizes besides the adversarial loss."""
    count, alpha = num_rotated(method), getattr(method, "alpha", 1)
    if isinstance(method, SSGANMS):
        return alpha * plain.multiclass_minimax_g(D, fakes, count)
    if isinstance(method, LabelAugmentation):
        _, loss = CLASS_LOSSES[type(method.class_loss)]
        return alpha * plain.label_augmentation_g(D, fakes, count, loss)
    return alpha * plain.rotation(D, fakes, labels, count)


@pytest.mark.parametrize("method", list(cases()), ids=str)
def test_discriminator_loss_is_the_formula(method):
    G, D, classes = pair_for(method)
    real, draw = example(classes)
    with frozen(G):
        ours = method.discriminator_loss(G, D, real, draw).total
    with torch.no_grad():
        fakes = G(draw.latents, draw.labels)
    formula = torch.zeros((), dtype=torch.float64)
    if hasattr(method, "adversarial"):
        loss = type(method.adversarial).__name__
        formula = plain.adversarial_d(loss, D, real.images, fakes, real.labels, draw.labels)
        if method.penalty is not None:
            kind = type(method.penalty).__name__
            P = plain.penalty(kind, D, real.images, fakes, real.labels, draw)
            formula = formula + 7.0 * P
    if method.predicts_rotation:
        formula = formula + task_on_both(method, D, real, fakes)
    assert_same(ours, formula, D)


@pytest.mark.parametrize("method", list(cases()), ids=str)
def test_generator_loss_is_the_formula(method):
    G, D, classes = pair_for(method)
    _, draw = example(classes)
    with frozen(D):
        ours = method.generator_loss(G, D, draw).total
    fakes = G(draw.latents, draw.labels)
    formula = torch.zeros((), dtype=torch.float64)
    if hasattr(method, "adversarial"):
        loss = type(method.adversarial).__name__
        if loss == "Relativistic":
            formula = plain.paired_g(D, draw.real().images, fakes)
        else:
            formula = plain.adversarial_g(loss, D, fakes, draw.labels)
    if method.predicts_rotation:
        formula = formula + task_on_fakes(method, D, fakes, draw.labels)
    assert_same(ours, formula, G)


ONE_EACH = [
    GAN(), SSGAN(), RotationOnly(), SSGANMS(), SSGANLA(), SSGANLA(class_loss=MultiHinge()),
    SSGANLAPlus(), AnnealedSSGAN(), S3GAN(labelled_fraction=0.5), R3GAN(), R3SSGAN(),
]  # fmt: skip


@pytest.mark.parametrize("method", ONE_EACH, ids=str)
def test_no_gradient_reaches_the_frozen_network(method):
    G, D, classes = pair_for(method)
    real, draw = example(classes)
    with frozen(G):
        method.discriminator_loss(G, D, real, draw).total.backward()
    assert all(p.grad is None for p in G.parameters())
    D.zero_grad(set_to_none=True)
    with frozen(D):
        method.generator_loss(G, D, draw).total.backward()
    assert all(p.grad is None for p in D.parameters())
    assert all(p.requires_grad for p in [*G.parameters(), *D.parameters()])


UPRIGHT_AND_ROTATED = BATCH + 3 * NUM_ROTATED
CALLS = [
    (SSGAN(), [UPRIGHT_AND_ROTATED + BATCH, UPRIGHT_AND_ROTATED]),  # 176 and 112 at batch 64
    (SSGANMS(), [2 * UPRIGHT_AND_ROTATED, UPRIGHT_AND_ROTATED]),
    (R3GAN(penalty=None), [2 * BATCH, 2 * BATCH]),
    (R3SSGAN(penalty=None), [UPRIGHT_AND_ROTATED + BATCH, UPRIGHT_AND_ROTATED + BATCH]),
    (SSGANLAPlus(), [2 * UPRIGHT_AND_ROTATED, UPRIGHT_AND_ROTATED]),
    (SSGANLA(), [8 * BATCH, 4 * BATCH]),
    (SSGANLA(rotated_fraction=NUM_ROTATED / BATCH), [8 * NUM_ROTATED, 4 * NUM_ROTATED]),
]


@pytest.mark.parametrize(("method", "images"), CALLS, ids=str)
def test_one_call_of_the_discriminator_a_loss(method, images):
    """Real, rotated and fake images go through D together, and none that no term needs."""
    G, D, _ = pair_for(method)
    seen = []

    def counting(images, labels):
        seen.append(len(images))
        return D(images, labels)

    real, draw = example()
    method.discriminator_loss(G, counting, real, draw)
    method.generator_loss(G, counting, draw)
    assert seen == images


@pytest.mark.parametrize("kind", [SSGAN, SSGANMS, SSGANLAPlus])
def test_the_adversarial_loss_reads_no_rotated_copies(kind):
    """The adversarial term sees upright images only, so it does not know rotated_fraction."""
    G, D, _ = pair_for(kind())
    real, draw = example()
    quarter = kind(rotated_fraction=0.25).discriminator_loss(G, D, real, draw)
    every = kind(rotated_fraction=1.0).discriminator_loss(G, D, real, draw)
    torch.testing.assert_close(quarter.terms["adversarial"], every.terms["adversarial"])
    assert quarter.terms["rotation"] != every.terms["rotation"]


@pytest.mark.parametrize(
    "method", [SSGAN(), SSGANMS(), SSGANLAPlus(), SSGANLA(), R3GAN(), R3SSGAN()], ids=str
)
def test_parts_of_a_batch_have_their_mean_equal_to_the_whole(method):
    """Parts hold every P-th place; each part's own share of rotated rows is the global one's."""
    G, D, _ = pair_for(method)
    real, draw = example()
    whole = method.discriminator_loss(G, D, real, draw).total
    totals, of_generator = [], []
    for part in range(2):
        rows = slice(part, BATCH, 2)
        batch = Batch(real.images[rows], None, real.index[rows], BATCH)
        some = GeneratorInput(
            *(draw.latents[rows], None, draw.index[rows], BATCH, draw.mixing[rows]),
            noise=draw.noise,
            real=lambda batch=batch: batch,
        )
        totals.append(method.discriminator_loss(G, D, batch, some).total)
        of_generator.append(method.generator_loss(G, D, some).total)
    torch.testing.assert_close(sum(totals) / 2, whole, rtol=1e-12, atol=1e-12)
    whole = method.generator_loss(G, D, draw).total
    torch.testing.assert_close(sum(of_generator) / 2, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "method", [SSGAN(), SSGANMS(), SSGANLA(), SSGANLAPlus(), R3SSGAN()], ids=str
)
def test_the_accuracy_is_that_of_the_rotation_logits(method):
    """The share of correctly predicted rotations of fakes, counted image by image."""
    G, D, _ = pair_for(method)
    _, draw = example()
    accuracy = method.generator_loss(G, D, draw).terms["rotation_accuracy"]
    correct = 0
    for image in G(draw.latents, None)[BATCH - num_rotated(method) :]:
        for r in range(4):
            logits = plain.one(D, plain.rotate_by_index(image, r), None)[1]
            correct += int(method.rotation_logits(logits[None])[0].argmax()) == r
    assert accuracy == correct / (4 * num_rotated(method))


def test_rotation_logits_of_each_method():
    """As they are; the first four of five; of each pair the sum of both probabilities."""
    torch.manual_seed(0)
    four, five, eight = (torch.randn(6, n, dtype=torch.float64) for n in (4, 5, 8))
    assert torch.equal(SSGAN().rotation_logits(four), four)
    assert torch.equal(SSGANMS().rotation_logits(five), five[:, :4])
    pairs = eight.softmax(1)[:, 0::2] + eight.softmax(1)[:, 1::2]
    for method in (SSGANLA(), SSGANLAPlus()):
        torch.testing.assert_close(method.rotation_logits(eight).softmax(1), pairs)
    with pytest.raises(ValueError, match="GAN does not train D to predict rotations"):
        GAN().rotation_logits(four[:, :0])


@pytest.mark.parametrize("progress", [0.0, 0.25, 1.0])
def test_annealed_alpha_is_on_the_straight_line_and_other_settings_stay(progress):
    settings = {"beta": 1.7, "penalty": WGANGP(weight=7.0)}
    now = AnnealedSSGAN(alpha=0.8, final_alpha=0.2, **settings).at(progress)
    plainly = SSGAN(alpha=0.8 - 0.6 * progress, **settings)
    G, D = small_pair()
    real, draw = example()
    for_g = [method.generator_loss(G, D, draw).total for method in (now, plainly)]
    for_d = [method.discriminator_loss(G, D, real, draw).total for method in (now, plainly)]
    torch.testing.assert_close(*for_g)
    assert for_d[0] == for_d[1]
    assert now.at(0.5) == now  # constant from here on
    assert SSGAN().at(progress) == SSGAN()


WEIGHTS = [(kind, name) for kind in (SSGANMS, SSGANLAPlus) for name in ("alpha", "beta")]
WEIGHTS += [(AnnealedSSGAN, name) for name in ("alpha", "final_alpha", "beta")]


@pytest.mark.parametrize(("kind", "name"), WEIGHTS)
@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_weights_below_0_or_not_finite_are_refused_by_name(kind, name, value):
    with pytest.raises(UserError, match=f"^{name} must be"):
        kind(**{name: value})
