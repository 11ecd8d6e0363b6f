import pytest
import torch

from ssgan.evaluation.image_sets import GeneratedImages, RealImages
from ssgan.models.norms import BatchStatistics
from ssgan.ops.rng import Key, normal
from ssgan.runs.checkpoint import find_state
from ssgan.runs.sampling import load_generator, refresh_batch_statistics
from ssgan.types import UserError
from tests.evaluation.saved import lively_state, real_images, save_run
from tests.training.tiny import tiny

CPU = torch.device("cpu")


def side_of(root):
    return GeneratedImages("run", find_state(root).checkpoint, CPU)


@pytest.fixture(scope="module", params=["ssgan", "conditional"])
def side(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("sides") / request.param
    return side_of(save_run(root, request.param))


def test_an_image_depends_on_seed_and_number_alone(side):
    whole = side.images(0, torch.arange(20))
    assert whole.shape == (20, 3, 32, 32)
    assert whole.float().std() > 10
    alone = torch.cat([side.images(0, torch.tensor([k])) for k in range(20)])
    assert (alone.int() - whole.int()).abs().max() <= 1  # float32 in another order
    for seed, same in ((0, True), (1, False)):
        again = side.images(seed, torch.arange(20))
        assert torch.equal(again, whole) is same


def test_the_identity_is_that_of_weights_and_seed(side, tmp_path):
    assert side.content(0) != side.content(1)
    state = lively_state(tiny())
    first = side_of(save_run(tmp_path / "one", state=state))
    assert side_of(save_run(tmp_path / "two", state=state)).identity == first.identity
    with torch.no_grad():
        next(state.generator_ema.parameters())[0] += 1e-3
    assert side_of(save_run(tmp_path / "three", state=state)).identity != first.identity


def test_refreshed_batch_statistics_are_those_of_that_many_samples_and_another_side(tmp_path):
    """Two batches by hand: their plain mean is what the first norm of G normalises with."""
    root = save_run(tmp_path / "run")
    checkpoint, seen = find_state(root).checkpoint, []
    refreshed = GeneratedImages(
        "run", checkpoint, CPU, 100, lambda done, total: seen.append((done, total))
    )
    assert seen == [(0, 128), (64, 128), (128, 128)]
    assert refreshed.batch_norm == "mean of 128 samples"
    plain = side_of(root)
    assert plain.batch_norm == "as trained"
    assert refreshed.identity == plain.identity  # the same weights
    assert refreshed.content(0) != plain.content(0)  # other pixels
    numbers = torch.arange(3)
    assert not torch.equal(refreshed.images(0, numbers), plain.images(0, numbers))

    generator = load_generator(checkpoint, CPU)
    latents = normal(
        Key(0, "refresh latents"), torch.arange(128), checkpoint.config.generator.latent_size
    )
    norm = next(m for m in generator.modules() if isinstance(m, BatchStatistics))
    norm.register_forward_pre_hook(lambda _, inputs: maps.append(inputs[0]))
    maps = []
    for batch in latents.split(64):
        generator(batch, None)
    mean = torch.stack([m.mean(dim=(0, 2, 3)) for m in maps]).mean(0)
    refresh_batch_statistics(generator, checkpoint, 100)
    torch.testing.assert_close(norm.running_mean, mean)


def test_a_generator_without_batch_statistics_is_not_said_to_have_new_ones(tmp_path):
    checkpoint = find_state(save_run(tmp_path / "run")).checkpoint
    with pytest.raises(UserError, match="has no batch statistics"):
        refresh_batch_statistics(torch.nn.Linear(2, 2), checkpoint, 64)


def test_the_best_state_makes_the_same_images_as_its_checkpoint(tmp_path):
    root = save_run(tmp_path / "run")
    best = GeneratedImages("best", find_state(root, best=True).checkpoint, CPU)
    numbers = torch.arange(3)
    assert torch.equal(best.images(0, numbers), side_of(root).images(0, numbers))


def test_a_generator_that_makes_nan_is_refused_by_number_and_seed(tmp_path):
    state = lively_state(tiny())
    with torch.no_grad():
        next(state.generator_ema.parameters()).fill_(3e38)  # finite, and its outputs are not
    broken = side_of(save_run(tmp_path / "run", state=state))
    with pytest.raises(UserError, match="image 5 of seed 2 holds NaN or infinity"):
        broken.images(2, torch.arange(5, 8))


def test_labels_of_a_conditional_run_are_uniform(tmp_path):
    side, seen = side_of(save_run(tmp_path / "run", "conditional")), []
    side._generator.register_forward_hook(lambda network, given, made: seen.append(given[1]))
    for start in range(0, 600, 100):
        side.images(0, torch.arange(start, start + 100))
    counts = torch.cat(seen).bincount(minlength=10)
    assert len(counts) == 10
    assert 35 < counts.min() <= counts.max() < 85  # 60 expected, spread 7.3


def test_prepared_images_come_in_one_random_order_each_once():
    dataset = real_images(50)
    side = RealImages(dataset)
    whole = side.images(0, torch.arange(50))
    assert torch.equal(side.images(7, torch.arange(20)), whole[:20])
    seen = {image.permute(1, 2, 0).contiguous().numpy().tobytes() for image in whole}
    assert seen == {image.tobytes() for image in dataset.images}
    assert not torch.equal(whole[0].permute(1, 2, 0), torch.from_numpy(dataset.images[0]))
    assert (side.selection(50), side.available) == ("all", 50)
    assert side.selection(20) == "first of keyed permutation 0"
