"""S3GAN's losses against the formulas, and the labels and pseudo-labels it uses."""

from dataclasses import replace

import pytest
import torch

from ssgan import losses
from ssgan.methods.penalty import DRAGAN, WGANGP
from ssgan.methods.s3gan import S3GAN
from ssgan.ops.modes import frozen
from ssgan.types import Batch, GeneratorInput, UserError
from tests.methods.test_equations import ADVERSARIAL, BATCH, NUM_ROTATED, assert_same, gradients
from tests.reference import losses as plain
from tests.reference.networks import small_pair

CLASSES, SHARE = 3, 0.5
LABELS = {
    "all": [0, 1, 2, 2, 1, 0, 0, 1],
    "few": [0, -1, -1, 2, -1, -1, 1, -1],
    "none": [-1] * BATCH,
}


def example(labels="few"):
    torch.manual_seed(1)
    index = torch.arange(BATCH)
    images = torch.rand(BATCH, 3, 4, 4, dtype=torch.float64) * 2 - 1
    latents = torch.randn(BATCH, 3, dtype=torch.float64)
    mixing = torch.rand(BATCH, dtype=torch.float64)
    drawn = torch.tensor([1, 0, 0, 2, 1, 2, 1, 0])
    real = Batch(images, torch.tensor(LABELS[labels]), index, BATCH)
    noise = torch.rand(BATCH, 3 * 4 * 4, dtype=torch.float64)
    return real, GeneratorInput(
        latents, drawn, index, BATCH, mixing, lambda size: noise[:, :size], lambda: real
    )


def pair():
    return small_pair(num_classes=CLASSES, width=4 + CLASSES)


def method(**changes):
    return S3GAN(alpha=0.3, beta=1.7, class_weight=2.3, labelled_fraction=SHARE, **changes)


def cases():
    for game in ADVERSARIAL:
        for penalty in (None, WGANGP(weight=7.0), DRAGAN(weight=7.0)):
            yield method(adversarial=game, penalty=penalty)
    yield method(pseudo_label="sampled")


def d_formula(m, G, D, real, draw):
    """L_D image by image; the class term is over as many labels as a batch has on average."""
    chances = draw.noise(1) if m.pseudo_label == "sampled" else None
    known = plain.complete_labels(D, real.images, real.labels, chances)
    with torch.no_grad():
        fakes = G(draw.latents, draw.labels)
    game = type(m.adversarial).__name__
    V = plain.adversarial_d(game, D, real.images, fakes, known, draw.labels)
    Q = plain.classes(D, real.images, NUM_ROTATED, plain.ROTATIONS, plain.rotation_cross_entropy)
    C = sum(plain.labelled_classes(D, real.images, real.labels)) / (m.labelled_fraction * BATCH)
    total = V + 1.7 * Q + 2.3 * C
    if m.penalty is not None:
        P = plain.penalty(type(m.penalty).__name__, D, real.images, fakes, known, draw)
        total = total + 7.0 * P
    return total


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("m", list(cases()), ids=str)
def test_discriminator_loss_is_the_formula(m, labels):
    G, D = pair()
    real, draw = example(labels)
    if labels == "few":  # guesses differ, and some is another class than 0
        assert (
            len(set(plain.complete_labels(D, real.images, torch.full((BATCH,), -1)).tolist())) > 1
        )
    with frozen(G):
        ours = m.discriminator_loss(G, D, real, draw)
    assert_same(ours.total, d_formula(m, G, D, real, draw), D)
    assert (ours.terms["class"] == 0) == (labels == "none")


def test_with_all_labels_given_the_class_term_is_their_mean():
    G, D = pair()
    real, draw = example("all")
    m = replace(method(), labelled_fraction=1.0)
    with frozen(G):
        ours = m.discriminator_loss(G, D, real, draw)
    assert_same(ours.total, d_formula(m, G, D, real, draw), D)
    each = plain.labelled_classes(D, real.images, real.labels)
    torch.testing.assert_close(ours.terms["class"], sum(each) / BATCH)


@pytest.mark.parametrize("game", ADVERSARIAL, ids=str)
def test_generator_loss_is_the_formula(game):
    G, D = pair()
    _, draw = example()
    with frozen(D):
        ours = method(adversarial=game).generator_loss(G, D, draw).total
    fakes = G(draw.latents, draw.labels)
    V = plain.adversarial_g(type(game).__name__, D, fakes, draw.labels)
    Q = plain.classes(D, fakes, NUM_ROTATED, plain.ROTATIONS, plain.rotation_cross_entropy)
    assert_same(ours, V + 0.3 * Q, G)


def test_without_a_labelled_image_the_class_logits_get_no_gradient():
    G, D = pair()
    real, draw = example("none")
    with frozen(G):
        total = method().discriminator_loss(G, D, real, draw).total
    rows = dict(zip(dict(D.named_parameters()), gradients(total, D), strict=True))
    assert torch.equal(rows["auxiliary.weight"][4:], torch.zeros(CLASSES, 6, dtype=torch.float64))
    assert rows["auxiliary.weight"][:4].abs().sum() > 0
    assert all(gradient.isfinite().all() for gradient in rows.values())


class Calls:
    """D, with the images and labels of every call."""

    def __init__(self, D):
        self.D, self.seen = D, []

    def __call__(self, images, labels):
        self.seen.append((images.detach(), labels, torch.is_grad_enabled()))
        return self.D(images, labels)


def label_of(image, sources):
    """The label of the image in `sources`, (images, labels) pairs, that was rotated to this one."""
    for images, labels in sources:
        for upright, label in zip(images, labels, strict=True):
            if any(torch.equal(plain.rotate_by_index(upright, k), image) for k in range(4)):
                return int(label)
    raise AssertionError("an image from nowhere")


def test_drawn_pseudo_labels_have_the_frequencies_of_D_s_class_probabilities():
    _, draw = example()
    logits = torch.tensor([[0.0, 2.0, -1.0]], dtype=torch.float64).expand(1000, 3)
    chances = (torch.arange(1000) + 0.5)[:, None] / 1000
    draw = replace(draw, noise=lambda size: chances[:, :size])
    counted = (
        method(pseudo_label="sampled").pseudo_labels(logits, draw).bincount(minlength=3) / 1000
    )
    torch.testing.assert_close(counted.double(), logits[0].softmax(0), rtol=0, atol=1e-3)
    assert method().pseudo_labels(logits, draw).unique().tolist() == [1]


def test_every_copy_carries_the_label_of_its_own_image():
    """Rotated copies too: a real's label or pseudo-label, the label a fake was generated for."""
    G, D = pair()
    real, draw = example()
    known = plain.complete_labels(D, real.images, real.labels)
    with torch.no_grad():
        fakes = G(draw.latents, draw.labels)
    sources = [(real.images, known), (fakes, draw.labels)]
    calls = Calls(D)
    method().discriminator_loss(G, calls, real, draw)
    method().generator_loss(G, calls, draw)
    for images, labels, _ in calls.seen[1:]:
        assert labels.tolist() == [label_of(image, sources) for image in images]


@pytest.mark.parametrize(("share", "extra"), [(SHARE, [BATCH]), (1.0, [])])
def test_pseudo_labels_cost_one_pass_over_the_reals_without_a_graph(share, extra):
    G, D = pair()
    real, draw = example("few" if extra else "all")
    calls, upright_and_rotated = Calls(D), BATCH + 3 * NUM_ROTATED
    m = replace(method(), labelled_fraction=share)
    m.discriminator_loss(G, calls, real, draw)
    m.generator_loss(G, calls, draw)
    with_graph = [upright_and_rotated + BATCH, upright_and_rotated]
    assert [len(images) for images, _, _ in calls.seen] == extra + with_graph
    assert [graph for _, _, graph in calls.seen] == [False] * len(extra) + [True, True]


def test_parts_of_a_batch_have_their_mean_equal_to_the_whole():
    """Though one part has two of the three labels."""
    G, D = pair()
    real, draw = example()
    whole = method().discriminator_loss(G, D, real, draw)
    parts = []
    for part in range(2):
        rows = slice(part, BATCH, 2)
        batch = Batch(real.images[rows], real.labels[rows], real.index[rows], BATCH)
        some = GeneratorInput(
            draw.latents[rows],
            draw.labels[rows],
            draw.index[rows],
            BATCH,
            draw.mixing[rows],
            draw.noise,
            draw.real,
        )
        parts.append(method().discriminator_loss(G, D, batch, some))
    for ours, theirs in [(whole.total, [p.total for p in parts])] + [
        (whole.terms[name], [p.terms[name] for p in parts]) for name in whole.terms
    ]:
        torch.testing.assert_close(sum(theirs) / 2, ours, rtol=1e-12, atol=1e-12)


def test_the_weight_of_the_class_term_is_in_the_discriminator_s_loss_alone():
    G, D = pair()
    real, draw = example()
    totals = [
        (m.discriminator_loss(G, D, real, draw).total, m.generator_loss(G, D, draw).total)
        for m in (replace(method(), class_weight=weight) for weight in (0.0, 5.0))
    ]
    C = method().discriminator_loss(G, D, real, draw).terms["class"]
    torch.testing.assert_close(totals[1][0] - totals[0][0], 5 * C)
    assert totals[0][1] == totals[1][1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alpha": -0.1}, "alpha must be"),
        ({"beta": float("nan")}, "beta must be"),
        ({"class_weight": float("inf")}, "class_weight must be"),
        ({"labelled_fraction": 0.0}, "labelled_fraction must be above 0 and at most 1, not 0.0"),
        ({"labelled_fraction": 1.1}, "labelled_fraction must be above 0 and at most 1, not 1.1"),
        ({"labelled_fraction": float("nan")}, "labelled_fraction must be above 0"),
        ({"rotated_fraction": 2.0}, "rotated_fraction must be"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(changes, words):
    with pytest.raises(UserError, match=f"^{words}"):
        S3GAN(**changes)


def test_the_defaults_are_those_of_the_published_code_on_all_labels():
    assert S3GAN() == S3GAN(
        adversarial=losses.Hinge(), alpha=0.2, beta=1.0, class_weight=1.0, labelled_fraction=1.0
    )
