"""D's blocks are read as they are, and pooled as is said."""

import shutil

import pytest
import torch
from torch.nn import functional as F

from ssgan.evaluation.probe.maps import Layer, grid_side, list_states, open_discriminator, pool
from ssgan.files.run_directory import RunDirectory
from ssgan.models.resnet import ResNetDiscriminator
from ssgan.models.sndcgan import SNDCGANDiscriminator
from ssgan.runs.state import fresh_state
from ssgan.training.loop import train
from ssgan.types import ImageShape, UserError
from tests.evaluation.probed import CPU, finished_run, patches, subject_of
from tests.training.tiny import images, tiny


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("blocks") / "mine")


def steps_of(states):
    return [state.step for state in states]


def test_the_features_are_those_of_a_direct_forward_pass(root):
    subject, pixels = subject_of(root), patches(5).images
    layers = [Layer(block, pooling) for block in range(4) for pooling in ("mean", "grid4", "flat")]
    found = subject.features(pixels, layers)
    for report in train(tiny(total_steps=2), images()):
        trained = report.state.discriminator.eval()
    inputs = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        maps = trained.block_outputs(inputs)
        seen_by_heads = trained(inputs).features
    for layer, features in zip(layers, found, strict=True):
        side = maps[layer.block].shape[-1]
        size = {"mean": 1, "grid4": 4, "flat": side}[layer.pooling]
        expected = F.adaptive_avg_pool2d(maps[layer.block], size).flatten(1)
        assert torch.allclose(features, expected, atol=1e-5), layer
    last = found[layers.index(Layer(3, "flat"))].reshape(maps[-1].shape)
    assert torch.allclose(last.relu().mean((2, 3)), seen_by_heads, atol=1e-5)  # before any ReLU


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ResNetDiscriminator(width=1 / 32), [(4, 16), (4, 8), (4, 8), (4, 8)]),
        (
            SNDCGANDiscriminator(width=1 / 32),
            [(2, 32), (4, 16), (4, 16), (8, 8), (8, 8), (16, 4), (16, 4)],
        ),
    ],
)
def test_both_families_give_the_map_after_every_block(tmp_path, config, expected):
    root = finished_run(tmp_path / "run", discriminator=config)
    assert list(subject_of(root).maps) == expected


def test_pooling_is_the_mean_over_equal_squares_channel_by_channel():
    maps = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).float()
    by_hand = [
        [maps[b, c, y : y + 2, x : x + 2].mean() for c in range(3) for y in (0, 2) for x in (0, 2)]
        for b in range(2)
    ]
    assert torch.equal(pool(maps, "grid2"), torch.tensor(by_hand))
    assert torch.equal(pool(maps, "grid3"), torch.tensor(by_hand))  # 3 does not divide 4
    assert torch.equal(pool(maps, "mean"), maps.mean((2, 3)))
    assert torch.equal(pool(maps, "flat"), maps.flatten(1))
    assert torch.equal(pool(maps, "grid"), maps.flatten(1))


@pytest.mark.parametrize(
    ("channels", "side", "expected"),
    [(128, 16, 8), (128, 8, 8), (64, 32, 8), (512, 4, 4), (128, 12, 6), (10_000, 8, 1)],
)
def test_grid_is_the_finest_that_leaves_at_most_9216_features(channels, side, expected):
    assert grid_side("grid", channels, side) == expected


@pytest.mark.parametrize("name", ["max", "grid0", "grid00", "grid-1", "gridx", ""])
def test_an_unknown_pooling_is_refused_with_those_that_are(name):
    with pytest.raises(UserError, match="there are mean, grid"):
        grid_side(name, 4, 8)


def test_the_states_of_a_run_by_steps(root):
    assert steps_of(list_states(root, None)) == [2]
    assert steps_of(list_states(root, "all")) == [1, 2]
    assert steps_of(list_states(root, "0,all")) == [0, 1, 2]
    assert steps_of(list_states(root, "2,0")) == [0, 2]
    assert steps_of(list_states(RunDirectory(root).snapshot(1), None)) == [1]
    with pytest.raises(
        UserError, match=r"no state of step '5'; there are 0, 1, 2 .*snapshot_every"
    ):
        list_states(root, "1,5")
    with pytest.raises(UserError, match="is a single state"):
        list_states(RunDirectory(root).snapshot(1), "all")


def test_step_0_is_d_as_it_was_before_training(root):
    before = fresh_state(tiny(total_steps=2), 10, CPU).discriminator.state_dict()
    found = subject_of(root, "0")
    assert (found.step, found.sha256 != subject_of(root, "1").sha256) == (0, True)
    for name, value in found.discriminator.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_same_d_has_the_same_name_in_a_kept_file_and_in_a_checkpoint(root):
    kept = subject_of(RunDirectory(root).snapshot(2))
    assert kept.sha256 == subject_of(RunDirectory(root).checkpoint(2)).sha256
    assert kept.sha256 != subject_of(root, "1").sha256


@pytest.mark.parametrize(
    ("name", "method"), [("conditional", "ConditionalGAN"), ("s3gan", "S3GAN")]
)
def test_a_conditional_d_is_read_too(tmp_path, name, method):
    subject = subject_of(finished_run(tmp_path / "run", name))
    assert subject.method == method
    assert subject.features(patches(2).images, [Layer(3, "mean")])[0].shape == (2, 4)


def test_a_state_without_d_is_one_clear_line(tmp_path):
    root = finished_run(tmp_path / "run", "rotation-only")  # scores, so it has a best state
    best = RunDirectory(root).best_checkpoint()
    with pytest.raises(UserError, match=r"best.ckpt .*has no discriminator: give a run directory"):
        open_discriminator(list_states(best, None)[0], CPU)


def test_a_folder_without_states_and_a_damaged_one(root, tmp_path):
    with pytest.raises(UserError, match="no checkpoint yet"):
        list_states(tmp_path, "all")
    copy = shutil.copytree(root, tmp_path / "copy")
    file = RunDirectory(copy).snapshot(1)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(UserError, match="cut short"):
        open_discriminator(list_states(copy, "1")[0], CPU)


def test_a_d_that_cannot_be_read_by_block_is_one_clear_line(root, monkeypatch):
    monkeypatch.setattr("ssgan.models.residual.ResidualDiscriminatorNetwork.block_outputs", None)
    with pytest.raises(UserError, match=r"block_outputs\(images\) that returns the maps"):
        subject_of(root)


def test_grey_images_of_48_pixels_pool_to_equal_squares_too():
    shape = ImageShape(1, 48)
    network = ResNetDiscriminator(width=1 / 32).build(shape, 0, 0)
    outputs = network.block_outputs(torch.zeros(1, 1, 48, 48))
    assert [output.shape[-1] for output in outputs] == [24, 12, 12, 12]
    assert {pool(output, "grid4").shape for output in outputs} == {(1, 4 * 4 * 4)}
