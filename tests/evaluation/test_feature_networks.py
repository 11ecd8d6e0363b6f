import shutil

import pytest
import torch

from ssgan.evaluation.feature_networks import DiscriminatorFeatures
from ssgan.runs.checkpoint import find_state
from ssgan.runs.state import fresh_state
from ssgan.types import UserError
from tests.evaluation.saved import save_run
from tests.metrics.pictures import pictures
from tests.training.tiny import tiny


@pytest.mark.parametrize("name", ["ssgan", "conditional", "s3gan"])
def test_rows_are_what_both_heads_of_d_read(tmp_path, name):
    state = fresh_state(tiny(name), 10, torch.device("cpu"))
    features = DiscriminatorFeatures(find_state(save_run(tmp_path / "run", name, state)).checkpoint)
    images = pictures(5, seed=0)
    labels = None if name == "ssgan" else torch.arange(5)
    state.discriminator.eval()
    expected = state.discriminator(images.float() / 127.5 - 1, labels).features
    torch.testing.assert_close(features(images), expected, rtol=1e-5, atol=1e-6)
    assert features.size == expected.shape[1]
    assert features.distance_name == "FD-D-of-run-step-0"


def test_reading_images_does_not_move_d(tmp_path):
    features = DiscriminatorFeatures(find_state(save_run(tmp_path / "run")).checkpoint)
    first = features(pictures(3, seed=0))
    features(pictures(7, seed=1))
    assert torch.equal(features(pictures(3, seed=0)), first)


def test_the_identity_is_that_of_the_weights(tmp_path):
    state = fresh_state(tiny(), 10, torch.device("cpu"))
    one = DiscriminatorFeatures(find_state(save_run(tmp_path / "a", state=state)).checkpoint)
    same = DiscriminatorFeatures(find_state(save_run(tmp_path / "b", state=state)).checkpoint)
    with torch.no_grad():
        next(state.discriminator.parameters())[0] += 1e-3
    other = DiscriminatorFeatures(find_state(save_run(tmp_path / "c", state=state)).checkpoint)
    assert one.identity() == same.identity() != other.identity()


def test_images_of_another_shape_and_states_without_d_are_refused(tmp_path):
    root = save_run(tmp_path / "run")
    features = DiscriminatorFeatures(find_state(root).checkpoint)
    with pytest.raises(UserError, match="reads images of 32 x 32 pixels with 3 channels, not 64"):
        features(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(UserError, match=r"best\.ckpt holds the averaged generator alone"):
        DiscriminatorFeatures(find_state(root, best=True).checkpoint)


@pytest.mark.parametrize("folder", ["kept", "healthy"])
def test_a_state_has_the_name_of_its_run_wherever_it_lies_in_it(tmp_path, folder):
    """By another name numbers of one D were of two protocols."""
    newest = find_state(save_run(tmp_path / "run")).checkpoint
    copy = tmp_path / "run" / folder / newest.path.name
    copy.parent.mkdir()
    shutil.copyfile(newest.path, copy)
    one, other = DiscriminatorFeatures(newest), DiscriminatorFeatures(find_state(copy).checkpoint)
    assert (other.name, other.identity()) == (one.name, one.identity())
