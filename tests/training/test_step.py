"""One step: who changes, how often, and that parts are the whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ssgan.data.dataset import Dataset
from ssgan.methods.penalty import WGANGP
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN
from ssgan.methods.ssgan_annealed import AnnealedSSGAN
from ssgan.models.biggan import BigGANGenerator
from ssgan.models.norms import BatchNorm
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.ops.rng import Key
from ssgan.ops.spectral_norm import advance_spectral_norm
from ssgan.runs.config import AdamConfig
from ssgan.runs.state import ema_halflife, fresh_state
from ssgan.training.feed import Feed
from ssgan.training.loop import train
from ssgan.training.networks import Networks
from ssgan.training.validation import validate_run
from ssgan.types import UserError
from tests.training.tiny import METHODS, SUCCESSORS, images, tiny

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def final(config, dataset=None):
    for report in train(config, dataset or images()):
        state = report.state
    return state


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


@pytest.mark.parametrize("name", ["ssgan", "ms", "la-plus", "annealed", "r3", "s3gan"])
def test_alpha_never_reaches_the_discriminator(name):
    """alpha is in L_G alone: whatever it is, D after its update of the first step is the same."""
    states = [
        final(tiny(name, method=replace((METHODS | SUCCESSORS)[name], alpha=alpha), total_steps=1))
        for alpha in (0.0, 5.0)
    ]
    assert torch.equal(weights(states[0].discriminator), weights(states[1].discriminator))
    assert not torch.equal(weights(states[0].generator), weights(states[1].generator))


@pytest.mark.parametrize("name", ["ssgan", "ms", "la-plus", "r3", "s3gan"])
def test_beta_never_reaches_the_generator_but_through_the_discriminator(name):
    """With D's learning rate next to nothing, beta changes nothing that G sees."""
    still = AdamConfig(learning_rate=1e-30)
    states = [
        final(
            tiny(
                name,
                method=replace((METHODS | SUCCESSORS)[name], beta=beta),
                discriminator_optimizer=still,
                total_steps=2,
            )
        )
        for beta in (0.0, 5.0)
    ]
    assert torch.equal(weights(states[0].generator), weights(states[1].generator))


def test_an_annealed_run_is_a_run_whose_alpha_is_changed_by_hand():
    """alpha 0.8 in the first of two steps, 0.4 in the second: 0 would be reached after the last."""
    annealed = final(tiny(method=AnnealedSSGAN(alpha=0.8), total_steps=2))
    by_hand = final(tiny(method=SSGAN(alpha=0.8), total_steps=1))
    for _ in train(tiny(method=SSGAN(alpha=0.4), total_steps=2), images(), by_hand):
        pass
    assert torch.equal(weights(annealed.generator), weights(by_hand.generator))
    assert torch.equal(weights(annealed.discriminator), weights(by_hand.discriminator))


def test_without_the_game_the_real_head_is_left_alone():
    """SSGAN-LA asks D's eight classes alone."""
    config = tiny(method=SUCCESSORS["la"], total_steps=2)
    before = fresh_state(config, 0, CPU).discriminator.heads
    after = final(config).discriminator.heads
    assert torch.equal(before.real.weight, after.real.weight)
    assert not torch.equal(before.auxiliary.weight, after.auxiliary.weight)


@pytest.mark.parametrize("updates", [1, 2, 3])
def test_the_discriminator_is_updated_as_often_as_said(updates):
    state = final(tiny(discriminator_updates=updates, total_steps=2))
    assert state.step == 2
    counts = [
        {int(s["step"]) for s in optimizer.state.values()}
        for optimizer in (state.discriminator_optimizer, state.generator_optimizer)
    ]
    assert counts == [{2 * updates}, {2}]


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("name", ["gan", "ssgan", "rotation-only", "ms", "la", "la-plus", "s3gan"])
@pytest.mark.parametrize("parts", [2, 4])
def test_parts_are_the_whole_without_batch_statistics(name, parts, augment):
    """Accumulation is exact where no layer looks at its batch: D, over a step, to 1e-11.

    With augmentation too: each image, upright, turned or fake, is changed as in the whole.
    """
    fraction = {} if name == "gan" else {"rotated_fraction": 0.5}
    method = replace((METHODS | SUCCESSORS)[name], **fraction)
    changes = {"method": method, "precision": "float64", "total_steps": 1, "augment": augment}
    still = AdamConfig(learning_rate=1e-30)  # G's batch norm does look at its batch
    states = []
    for accumulation in (1, parts):
        config = tiny(name, accumulation=accumulation, generator_optimizer=still, **changes)
        state = fresh_state(config, images().num_classes, CPU)
        state.generator.eval()
        state.generator.train = lambda mode=True: None
        for report in train(config, images(), state):
            states.append(report.state)
    a, b = (weights(state.discriminator) for state in states)
    # 1e-11: where terms cancel to a gradient of rounding errors, Adam divides those by 1e-8
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("name", ["ssgan", "s3gan"])
def test_power_iterations_advance_once_an_update(name):
    """One for each update of D and one for G's, however often D is asked; none in evaluation."""
    config = tiny(name, total_steps=1, discriminator_updates=2, generator_optimizer=AdamConfig())
    still = AdamConfig(learning_rate=1e-30)
    config = replace(config, discriminator_optimizer=still)
    state, twin = (fresh_state(config, images().num_classes, CPU) for _ in range(2))
    from ssgan.ops.spectral_norm import advance_spectral_norm

    for _ in train(config, images(), state):
        pass
    for _ in range(3):
        advance_spectral_norm(twin.discriminator)
    mine, theirs = state.discriminator.state_dict(), twin.discriminator.state_dict()
    names = [name for name in mine if "spectral_" in name]
    assert names
    for name in names:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-6, atol=1e-7)


def test_learning_rates_fall_linearly_to_zero():
    config = tiny(learning_rate_decay="linear", total_steps=4)
    rates = [
        report.state.generator_optimizer.param_groups[0]["lr"] for report in train(config, images())
    ]
    torch.testing.assert_close(rates, [2e-4, 1.5e-4, 1e-4, 0.5e-4])


def test_the_average_starts_short_sighted():
    config = tiny(ema_halflife_steps=1000.0)
    state = fresh_state(config, 0, CPU)
    assert ema_halflife(state, config) == pytest.approx(0.05)
    state.step = 10**6
    assert ema_halflife(state, config) == 1000


def feed(**changes):
    config = tiny(**changes)
    return Feed(config, images(), CPU)


def test_each_image_once_an_epoch():
    """20 images in batches of 8: five updates see each image exactly twice."""
    watched = feed(discriminator_updates=5)
    dataset, counts = images(), {}
    for update in range(5):
        ((batch, _),) = watched.discriminator(0, update)
        for image in batch.images:
            matches = [
                number
                for number, pixels in enumerate(dataset.images)
                if same(image, pixels) or same(image.flip(2), pixels)
            ]
            assert len(matches) == 1
            counts[matches[0]] = counts.get(matches[0], 0) + 1
    assert sorted(counts) == list(range(20))
    assert set(counts.values()) == {2}


def same(image, pixels):
    return np.array_equal(((image + 1) * 127.5).round().permute(1, 2, 0).numpy(), pixels)


def test_the_stream_does_not_know_how_updates_are_cut_into_steps():
    two, one = feed(discriminator_updates=2), feed(discriminator_updates=1)
    plain = tiny().data
    for watched in (two, one):
        watched.config = replace(watched.config, data=replace(plain, mirror=False))
    ((second, _),) = two.discriminator(0, 1)
    ((first_of_next, _),) = one.discriminator(1, 0)
    assert torch.equal(second.images, first_of_next.images)


def test_draws_differ_by_update_step_and_network():
    watched = feed()
    draws = [d.latents for _, d in [*watched.discriminator(0, 0), *watched.discriminator(0, 1)]]
    draws += [d.latents for _, d in watched.discriminator(1, 0)]
    draws += [d.latents for d in watched.generator(0)]
    assert len({tuple(draw.flatten().tolist()) for draw in draws}) == 4


def test_images_are_between_minus_one_and_one_and_channels_last():
    ((batch, _),) = feed().discriminator(0, 0)
    assert batch.images.min() >= -1
    assert batch.images.max() <= 1
    assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_labels_belong_to_their_images():
    watched, dataset = feed(name="conditional"), images()
    ((batch, draw),) = watched.discriminator(0, 0)
    for image, label in zip(batch.images, batch.labels, strict=True):
        number = next(
            n
            for n, pixels in enumerate(dataset.images)
            if same(image, pixels) or same(image.flip(2), pixels)
        )
        assert dataset.labels[number] == label
    assert draw.labels.max() < 10


def test_augmentation_changes_what_is_learnt_and_repeats():
    digests = [weights(final(tiny(augment=augment)).generator) for augment in (True, True, False)]
    assert torch.equal(digests[0], digests[1])
    assert not torch.equal(digests[0], digests[2])


def test_other_networks_and_grey_images_take_a_step():
    pixels = np.random.default_rng(0).integers(0, 256, (12, 48, 48, 1), dtype=np.uint8)
    config = tiny(
        generator=SNDCGANGenerator(width=1 / 32, norm=BatchNorm()),
        discriminator=SNDCGANDiscriminator(width=1 / 32),
        total_steps=1,
    )
    config = replace(config, data=replace(config.data, image_size=48, channels=1))
    (report,) = train(config, Dataset(pixels, None, (), "grey", {}))
    assert all(torch.isfinite(value) for value in report.terms.values())


def test_bfloat16_keeps_losses_and_weights_in_float32():
    (report,) = train(tiny(precision="bfloat16", total_steps=1), images())
    assert {value.dtype for value in report.terms.values()} == {torch.float32}
    assert {p.dtype for p in report.state.generator.parameters()} == {torch.float32}


def test_a_conditional_method_refuses_images_without_labels():
    unlabelled = replace(images(), labels=None, classes=())
    with pytest.raises(UserError, match="ConditionalGAN needs labels"):
        next(train(tiny("conditional"), unlabelled))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"batch_size": 10, "accumulation": 4}, "nearest: 8, 12"),
        ({"batch_size": 8, "accumulation": 4}, "rotates 2 of batch_size 8"),
        ({"total_steps": -1}, "total_steps must be at least 1"),
        ({"ema_halflife_steps": float("nan")}, "ema_halflife_steps must be 0 or more"),
        ({"generator": SNDCGANGenerator(latent_size=0)}, "generator.latent_size must be at least"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(changes, words):
    with pytest.raises(UserError, match=words):
        tiny(**changes)


@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan")])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (SSGAN, "alpha"),
        (SSGAN, "beta"),
        (RotationOnly, "alpha"),
        (RotationOnly, "beta"),
        (WGANGP, "weight"),
        (AdamConfig, "learning_rate"),
    ],
)
def test_a_weight_or_rate_out_of_range_is_refused_by_name(owner, name, value):
    with pytest.raises(UserError, match=f"^{name} must be a finite number.*, not {value}$"):
        owner(**{name: value})


def test_parts_of_one_image_are_refused_where_batch_norm_sees_rows():
    """The ResNet's maps have many places, SNDCGAN's first norm has one number a channel."""
    changes = {"method": METHODS["gan"], "accumulation": 8, "total_steps": 1}
    assert final(tiny(**changes)).step == 1
    networks = {
        "generator": SNDCGANGenerator(width=1 / 32),
        "discriminator": SNDCGANDiscriminator(width=1 / 32),
    }
    assert final(tiny(**{**changes, "accumulation": 4}, **networks)).step == 1
    with pytest.raises(UserError, match="8 in accumulation 8 parts is one image a part"):
        final(tiny(**changes, **networks))


def test_weights_follow_from_the_seed_alone():
    torch.manual_seed(1)
    first = fresh_state(tiny(), 0, CPU)
    torch.manual_seed(2)
    second = fresh_state(tiny(), 0, CPU)
    assert torch.equal(weights(first.generator), weights(second.generator))
    other = fresh_state(tiny(seed=1), 0, CPU)
    assert not torch.equal(weights(first.generator), weights(other.generator))
    assert Key(0, "weights").words != Key(1, "weights").words


def step_by_hand(config, state, dataset):
    """One step of SS-GAN with n_dis 2, whose G learns from the second draw of D."""
    feed, method = Feed(config, dataset, CPU), config.method
    G, D = state.generator, state.discriminator
    for update in range(2):
        ((real, draw),) = feed.discriminator(0, update)
        advance_spectral_norm(G, D)
        fakes = G(draw.latents, draw.labels)
        loss = method.discriminator_loss(lambda *_, f=fakes: f.detach(), D, real, draw)
        state.discriminator_optimizer.zero_grad()
        loss.total.backward()
        state.discriminator_optimizer.step()
    advance_spectral_norm(D)
    loss = method.generator_loss(lambda *_: fakes, D, draw)
    state.generator_optimizer.zero_grad()
    loss.total.backward()
    state.generator_optimizer.step()


@pytest.mark.parametrize("normed", [False, True])
def test_with_re_used_fakes_g_learns_from_those_of_ds_last_update(normed):
    """With spectral norm in G too, whose vectors must not move between forward and backward."""
    config = tiny(discriminator_updates=2, total_steps=1, reuse_fakes=True, precision="float64")
    if normed:
        generator = BigGANGenerator(width=1 / 24, latent_size=8, attention=0)
        config = replace(config, generator=generator)
    by_hand = fresh_state(config, 0, CPU)
    step_by_hand(config, by_hand, images())
    ours = final(config)
    for name in ("generator", "discriminator"):
        theirs = getattr(by_hand, name).state_dict()
        for key, value in getattr(ours, name).state_dict().items():
            torch.testing.assert_close(value, theirs[key], atol=1e-12, rtol=1e-9, msg=key)


def test_re_used_fakes_are_made_by_one_pass_of_g_less(monkeypatch):
    passes = []
    generate = Networks.generate
    counted = lambda *given: passes.append(1) or generate(*given)  # noqa: E731
    monkeypatch.setattr(Networks, "generate", counted)
    final(tiny(total_steps=3, discriminator_updates=2))
    assert len(passes) == 3 * 3
    passes.clear()
    final(tiny(total_steps=3, discriminator_updates=2, reuse_fakes=True))
    assert len(passes) == 3 * 2


@pytest.mark.parametrize("name", METHODS | SUCCESSORS)
def test_every_method_can_re_use_fakes(name):
    before = fresh_state(tiny(name), 4, CPU)
    after = final(tiny(name, total_steps=2, reuse_fakes=True))
    assert not torch.equal(weights(before.generator), weights(after.generator))


def test_re_used_fakes_do_not_go_with_parts():
    with pytest.raises(UserError, match="reuse_fakes"):
        tiny(reuse_fakes=True, accumulation=2)


def test_with_re_used_fakes_g_is_given_the_draw_of_ds_last_update():
    config = tiny("conditional", discriminator_updates=3, reuse_fakes=True)
    feed = Feed(config, images(), CPU)
    ((_, shown),) = feed.discriminator(5, 2)
    (given,) = feed.generator(5)
    for field in ("latents", "labels", "index"):
        assert torch.equal(getattr(shown, field), getattr(given, field)), field


def test_a_compiled_run_calls_what_torch_compile_returns(monkeypatch):
    """Two networks are handed over, their weights stay where they are, and results are the same."""
    calls = []

    class StandIn(nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, *given):
            calls.append(type(self.network).__name__)
            return self.network(*given)

    monkeypatch.setattr(torch, "compile", StandIn)
    compiled = final(tiny(total_steps=2, compile=True))
    assert len(calls) == 2 * 4  # a step: G and D for D's update, G and D for G's
    plain = final(tiny(total_steps=2))
    assert torch.equal(weights(compiled.generator), weights(plain.generator))
    assert compiled.generator.state_dict().keys() == plain.generator.state_dict().keys()


def test_a_penalty_is_refused_in_compiled_form():
    config = tiny(method=SSGAN(penalty=WGANGP()), compile=True)
    with pytest.raises(UserError, match="second derivatives"):
        validate_run(config, 20, 0)


@pytest.mark.parametrize("changes", [{}, {"reuse_fakes": True}, {"accumulation": 2}], ids=str)
def test_the_reals_of_gs_update_are_those_of_ds_last(changes):
    """Image by image, with their mirroring and labels, in every part."""
    config = tiny("conditional", discriminator_updates=3, **changes)
    feed = Feed(config, images(), CPU)
    of_discriminator = [real for real, _ in feed.discriminator(5, 2)]
    of_generator = [draw.real() for draw in feed.generator(5)]
    for ours, theirs in zip(of_generator, of_discriminator, strict=True):
        for field in ("images", "labels", "index"):
            assert torch.equal(getattr(ours, field), getattr(theirs, field)), field
