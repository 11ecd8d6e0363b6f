import pytest
import torch

from ssgan.models.resnet import ResNetGenerator
from ssgan.runs.checkpoint import find_state
from ssgan.runs.sampling import load_discriminator, sample_latents, to_pixels
from ssgan.types import UserError
from tests.evaluation.saved import lively_state, save_run
from tests.training.tiny import tiny

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["ssgan", "conditional"])
def test_the_discriminator_of_a_checkpoint_is_that_of_the_state_frozen(name, tmp_path):
    state = lively_state(tiny(name))
    root = save_run(tmp_path / "run", name, state)
    found = load_discriminator(find_state(root).checkpoint, CPU)
    expected = state.discriminator.state_dict()
    assert found.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[key]) for key, value in found.state_dict().items())
    assert not found.training
    assert not any(weight.requires_grad for weight in found.parameters())


def test_the_best_state_has_no_discriminator(tmp_path):
    best = find_state(save_run(tmp_path / "run"), best=True).checkpoint
    with pytest.raises(UserError, match=r"best\.ckpt holds the averaged generator alone"):
        load_discriminator(best, CPU)


def test_pixels_of_a_diverged_generator_are_black_or_white_and_no_error():
    row = torch.tensor([torch.nan, torch.inf, -torch.inf, 0.0])
    found = to_pixels(row.expand(1, 3, 4, 4))
    assert found[0, 0, :, 0].tolist() == [0, 255, 0, 128]
    assert (found == found[:, :1, :, :1]).all()


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize("threshold", [0.05, 0.5, 1.5])
def test_truncated_latents_have_the_distribution_of_repeated_draws(kind, threshold):
    """Compared with draws that are repeated one by one until they are within the threshold."""
    spec = ResNetGenerator(latent_size=8, latents=kind)
    found = sample_latents(spec, 0, "sample", 4000, threshold).flatten()
    draw = torch.Generator().manual_seed(0)
    many = torch.randn(10**6, generator=draw)
    if kind == "uniform":
        many = 2 * torch.rand(10**6, generator=draw) - 1
    expected = many[many.abs() <= threshold]
    assert found.abs().max() <= threshold
    levels = torch.linspace(0.02, 0.98, 25)
    apart = found.quantile(levels) - expected[:500_000].quantile(levels)
    assert apart.abs().max() < 0.04 * threshold


def test_truncation_keeps_what_is_within_and_depends_on_the_row_alone():
    spec = ResNetGenerator(latent_size=8)
    free, cut = (sample_latents(spec, 4, "sample", 50, t) for t in (None, 1.0))
    within = free.abs() <= 1
    assert 0 < within.sum() < within.numel()
    assert torch.equal(free[within], cut[within])
    assert torch.equal(sample_latents(spec, 4, "sample", 5, 1.0), cut[:5])
    assert not torch.equal(sample_latents(spec, 5, "sample", 5, 1.0), cut[:5])
    assert torch.equal(sample_latents(spec, 4, "sample", 50, 9.0), free)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("inf"), float("nan")])
def test_a_threshold_that_is_none_is_refused(threshold):
    with pytest.raises(UserError, match="truncation must be a finite number above 0"):
        sample_latents(ResNetGenerator(), 0, "sample", 1, threshold)
