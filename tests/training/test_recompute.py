"""Runs that activation_checkpointing: the same steps, from less that is kept."""

from dataclasses import replace

import pytest
import torch

from ssgan.methods.penalty import WGANGP
from ssgan.methods.ssgan import SSGAN
from ssgan.models import layers
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.ops import activation_checkpointing
from ssgan.ops.activation_checkpointing import checkpointed_modules
from ssgan.runs.state import fresh_state
from ssgan.training.loop import train
from ssgan.training.networks import Networks
from ssgan.training.resume import refuse_changes
from ssgan.training.validation import validate_run
from ssgan.types import UserError
from tests.training.tiny import images, stop_after, tiny, to_the_end

pytestmark = pytest.mark.slow

BIGGAN = {
    "generator": BigGANGenerator(width=1 / 48, latent_size=12, attention=16),
    "discriminator": BigGANDiscriminator(width=1 / 48, attention=8),
}
SNDCGAN = {
    "generator": SNDCGANGenerator(width=1 / 32),
    "discriminator": SNDCGANDiscriminator(width=1 / 32),
}
DCGAN = {
    "generator": DCGANGenerator(width=1 / 32),
    "discriminator": DCGANDiscriminator(width=1 / 32),
}
PENALTY = {"method": SSGAN(penalty=WGANGP())}
CASES = {
    "resnet": {},
    "labels": {"name": "conditional"},
    "penalty": PENALTY,
    "re-used fakes": {"reuse_fakes": True, "discriminator_updates": 2},
    "parts, augmented": {"accumulation": 2, "augment": True},
    "biggan": BIGGAN,
    "biggan, penalty, re-used fakes": {**BIGGAN, **PENALTY, "reuse_fakes": True},
    "bfloat16": {"precision": "bfloat16"},
    "biggan, bfloat16, penalty": {**BIGGAN, **PENALTY, "precision": "bfloat16"},
}


def run_of(config):
    """The losses of all steps, and everything that the networks hold after them."""
    losses = []
    for report in train(config, images()):
        losses.append({name: float(value) for name, value in report.terms.items()})
    networks = ("generator", "discriminator", "generator_ema")
    return losses, {name: getattr(report.state, name).state_dict() for name in networks}


@pytest.fixture(params=[False, True], ids=["", "fast"])
def fast_forms(request, monkeypatch):
    """Without and with the forms of a convolution that are for wide layers."""
    if request.param:
        three = lambda weight: weight.shape[-1] == 3  # noqa: E731
        in_float64 = lambda x, w: three(w) and w.shape[0] > 3 and x.dtype is torch.float64  # noqa: E731
        monkeypatch.setattr(layers, "suits_winograd", in_float64)
        monkeypatch.setattr(layers, "suits_few_outputs", lambda x, w: three(w))


@pytest.mark.usefixtures("fast_forms")
@pytest.mark.parametrize("case", CASES)
def test_losses_weights_and_statistics_are_those_without_to_the_bit(case, monkeypatch):
    config = tiny(**{"total_steps": 2, "precision": "float64", **CASES[case]})
    expected_losses, expected = run_of(config)
    repeated = []
    said = activation_checkpointing.is_recomputing
    monkeypatch.setattr(
        "ssgan.models.norms.is_recomputing", lambda: repeated.append(said()) or said()
    )
    losses, found = run_of(replace(config, activation_checkpointing=True))
    assert losses == expected_losses
    assert True in repeated
    for name, tensors in found.items():
        assert tensors.keys() == expected[name].keys()
        for key, value in tensors.items():
            assert torch.equal(value, expected[name][key]), f"{name}: {key}"


def test_the_networks_recompute_and_the_average_does_not():
    state = fresh_state(tiny(), 0, torch.device("cpu"))
    blocks = [*checkpointed_modules(state.generator, state.discriminator)]
    assert len(blocks) == 3 + 4
    for wanted in (True, False):  # a state may be handed from one run to another
        Networks(tiny(activation_checkpointing=wanted), state, torch.device("cpu"))
        assert {block.activation_checkpointing for block in blocks} == {wanted}
        assert not any(
            block.activation_checkpointing for block in checkpointed_modules(state.generator_ema)
        )


@pytest.mark.parametrize(("first", "then"), [(False, True), (True, False)])
def test_a_run_may_be_continued_with_it_or_without(first, then, tmp_path):
    """So one that ran out of memory goes on where it was."""
    whole = to_the_end(tiny(activation_checkpointing=first), tmp_path / "whole", images())
    stop_after(tiny(activation_checkpointing=first), tmp_path / "parts", images(), 3)
    assert to_the_end(tiny(activation_checkpointing=then), tmp_path / "parts", images()) == whole
    refuse_changes(
        tmp_path, tiny(activation_checkpointing=first), tiny(activation_checkpointing=then)
    )


def test_it_is_refused_where_it_would_do_nothing():
    for networks in (SNDCGAN, DCGAN):
        config = tiny(activation_checkpointing=True, **networks)
        names = " and ".join(type(spec).__name__ for spec in networks.values())
        with pytest.raises(UserError, match=f"{names} have neither"):
            validate_run(config, 20, 0)
        with pytest.raises(UserError, match="activation_checkpointing acts on residual blocks"):
            next(train(config, images()))
    validate_run(tiny(activation_checkpointing=True, generator=SNDCGAN["generator"]), 20, 0)


def test_it_is_refused_together_with_compile():
    with pytest.raises(UserError, match="compile does not work with activation_checkpointing"):
        validate_run(tiny(activation_checkpointing=True, compile=True), 20, 0)
