"""Every fast form against the operations it stands for, through whole steps in float64."""

from dataclasses import replace

import pytest

from ssgan.models import layers
from ssgan.training.loop import train
from tests.training.tiny import images, tiny

pytestmark = pytest.mark.slow

USED = ("conv3x3_winograd", "conv3x3_few_outputs")


def losses(config):
    return [
        {name: float(value) for name, value in report.terms.items()}
        for report in train(config, images())
    ]


def plain(config):
    generator = replace(config.generator, fused=False)
    return replace(
        config, generator=generator, discriminator=replace(config.discriminator, fused=False)
    )


@pytest.mark.parametrize("changes", [{}, {"upsampling": "nearest", "shortcut": "1x1"}])
def test_a_run_with_every_fast_form_has_the_losses_of_one_with_none(changes, monkeypatch):
    config = tiny(precision="float64", total_steps=3)
    config = replace(
        config,
        generator=replace(config.generator, **changes),
        # wide enough that no place of a map sees zeros alone: its sum is 0, or in another order
        # a number of the size of rounding, for which a ReLU has another slope
        discriminator=replace(config.discriminator, width=1 / 4),
    )
    expected = losses(plain(config))
    taken = set()
    for name in USED:
        function = getattr(layers, name)
        note = lambda *given, n=name, f=function: taken.add(n) or f(*given)  # noqa: E731
        monkeypatch.setattr(layers, name, note)
    three = lambda weight: weight.shape[-1] == 3  # noqa: E731
    monkeypatch.setattr(layers, "suits_winograd", lambda x, w: three(w) and w.shape[0] > 3)
    monkeypatch.setattr(layers, "suits_few_outputs", lambda x, w: three(w))
    found = losses(config)
    assert taken == set(USED)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def test_the_plain_form_takes_no_fast_one(monkeypatch):
    def never(*_):
        raise AssertionError("a fast form was taken")

    for name in (*USED, "conv3x3_down", "conv3x3_up_zero", "conv3x3_up_nearest"):
        monkeypatch.setattr(layers, name, never)
    monkeypatch.setattr(layers, "_FUSED", {})
    monkeypatch.setattr(layers, "suits_winograd", lambda *_: True)
    assert losses(plain(tiny(total_steps=1)))
