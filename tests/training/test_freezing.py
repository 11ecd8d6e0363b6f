"""FreezeD: the lowest blocks of D keep every bit, and all the rest of D learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ssgan.data.base import DatasetInfo
from ssgan.data.dataset import Dataset
from ssgan.methods.penalty import WGANGP
from ssgan.methods.ssgan import SSGAN
from ssgan.runs.state import TrainState, fresh_state
from ssgan.training.cost import estimate_cost
from ssgan.training.loop import train
from ssgan.training.validation import validate_run
from ssgan.types import UserError
from tests.models.families import FAMILIES
from tests.training.tiny import images, tiny
from tests.training.toy import ToyDiscriminator

CPU = torch.device("cpu")
OTHERS = {
    "accumulation": {"accumulation": 2, "method": SSGAN(rotated_fraction=0.5)},
    "two updates, re-used fakes": {"discriminator_updates": 2, "reuse_fakes": True},
    "bfloat16": {"precision": "bfloat16"},
    "recomputed": {"activation_checkpointing": True},
    "gradient penalty": {"method": SSGAN(penalty=WGANGP(weight=1.0))},
    "power iterations": {"power_iterations": 3},
}


def of_family(name: str, **changes: object):
    """A run of a family's networks at its smallest size."""
    family = FAMILIES[name]
    data = replace(tiny().data, image_size=family.sizes[0])
    networks = {"generator": family.generator, "discriminator": family.discriminator}
    return tiny(data=data, total_steps=2, **networks, **changes)


def noise(size: int) -> Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (16, size, size, 3), dtype=np.uint8)
    return Dataset(pixels, None, (), "noise", {})


def tensors_of(discriminator: nn.Module, count: int) -> tuple[set[str], dict[str, torch.Tensor]]:
    """The names of the tensors in the lowest blocks; copies of all of D's."""
    lowest = {
        name
        for block in discriminator.block_modules()[:count]
        for module in block
        for prefix, found in discriminator.named_modules()
        if found is module
        for name in discriminator.state_dict()
        if name.startswith(f"{prefix}.")
    }
    return lowest, {name: t.clone() for name, t in discriminator.state_dict().items()}


def last_state(config, dataset) -> TrainState:
    *_, report = train(config, dataset)
    return report.state


def assert_lowest_stay(config, dataset) -> None:
    count = config.freeze_discriminator_blocks
    start = fresh_state(config, dataset.num_classes, CPU)
    lowest, before = tensors_of(start.discriminator, count)
    after = last_state(config, dataset).discriminator.state_dict()
    assert lowest
    same = {name for name, tensor in before.items() if torch.equal(tensor, after[name])}
    assert lowest <= same
    assert not {name for name in same - lowest if before[name].numel() > 1}  # the rest learns


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("count", [1, "all"])
def test_the_lowest_blocks_of_every_family_keep_every_bit(name, count):
    family = FAMILIES[name]
    count = family.maps if count == "all" else count
    config = of_family(name, freeze_discriminator_blocks=count)
    assert_lowest_stay(config, noise(config.data.image_size))


@pytest.mark.parametrize("name", OTHERS)
def test_they_keep_every_bit_however_an_update_is_computed(name):
    assert_lowest_stay(tiny(freeze_discriminator_blocks=2, **OTHERS[name]), images())


def test_attention_belongs_to_the_block_before_it():
    family = FAMILIES["biggan"]
    discriminator = family.discriminator.build(tiny().data.shape, 4, 0)
    names, _ = tensors_of(discriminator, 1)
    assert any(name.startswith("attention.") for name in names)


def test_the_gradient_of_what_learns_is_that_of_the_whole_network():
    """One step from one state: the heads and upper blocks move as without frozen blocks."""
    frozen, free = tiny(total_steps=1, freeze_discriminator_blocks=2), tiny(total_steps=1)
    states = [last_state(config, images()).discriminator for config in (frozen, free)]
    lowest, after = tensors_of(states[0], 2)
    for name, tensor in states[1].state_dict().items():
        if name not in lowest:
            torch.testing.assert_close(after[name], tensor)


def test_the_dry_run_says_which_share_of_d_trains():
    config, info = tiny(freeze_discriminator_blocks=2), DatasetInfo.of(tiny().data.source.open())
    discriminator = fresh_state(config, 0, CPU).discriminator
    lowest, _ = tensors_of(discriminator, 2)
    sizes = {name: weight.numel() for name, weight in discriminator.named_parameters()}
    share = sum(size for name, size in sizes.items() if name not in lowest) / sum(sizes.values())
    assert 0 < share < 1
    assert f"weights, of which {share:.1%} train\n" in estimate_cost(config, info).text()
    assert "% train" not in estimate_cost(tiny(), info).text()


def test_more_blocks_than_there_are_is_refused():
    with pytest.raises(
        UserError, match=r"blocks 5 is more than the 4 blocks of ResNetDiscr.* 32 p"
    ):
        validate_run(tiny(freeze_discriminator_blocks=5), 20, 0)
    with pytest.raises(UserError, match="freeze_discriminator_blocks must be at least 0"):
        tiny(freeze_discriminator_blocks=-1)


def test_a_network_that_does_not_name_its_blocks_is_refused():
    config = tiny(discriminator=ToyDiscriminator(), freeze_discriminator_blocks=1)
    with pytest.raises(UserError, match=r"ToyDiscriminator does not name its .* block_modules\(\)"):
        fresh_state(config, 0, CPU)
