import pytest
import torch

from ssgan.runs.checkpoint import find_state
from ssgan.runs.sampling import load_discriminator, to_pixels
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
