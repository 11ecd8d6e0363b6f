"""The shapes of a network are known before it is built, at no cost."""

import subprocess
import sys
from dataclasses import replace

import pytest

from ssgan.models.norms import ConditionalBatchNorm
from ssgan.runs.config import DataConfig
from ssgan.runs.shapes import BUILDERS, shapes
from tests.models.families import FAMILIES
from tests.training.tiny import tiny


@pytest.mark.parametrize("part", BUILDERS)
@pytest.mark.parametrize("name", FAMILIES)
def test_they_are_those_of_the_network_that_is_built(name, part):
    family = FAMILIES[name]
    data = DataConfig(source=tiny().data.source, image_size=family.sizes[0])
    config = tiny(data=data, generator=family.generator, discriminator=family.discriminator)
    built = BUILDERS[part](config, 0).state_dict()
    assert shapes(BUILDERS[part], config, 0) == {k: tuple(v.shape) for k, v in built.items()}


def test_those_of_a_network_with_labels_depend_on_their_number():
    config = tiny("conditional")
    assert isinstance(config.generator.norm, ConditionalBatchNorm)
    three, four = (shapes(BUILDERS["generator"], config, count) for count in (3, 4))
    assert three.keys() == four.keys()
    assert three != four


def test_finding_them_draws_nothing_and_loads_nothing_slow():
    """SymPy alone takes a second, at the start of every command."""
    code = (
        "import sys, torch; from tests.training.tiny import tiny\n"
        "from ssgan.runs.shapes import BUILDERS, shapes\n"
        "before = torch.get_rng_state()\n"
        "for build in BUILDERS.values(): assert shapes(build, tiny(), 0)\n"
        "assert torch.equal(before, torch.get_rng_state())\n"
        "sys.exit('sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_a_network_that_cannot_be_built_without_content_is_left_alone():
    class NeedsContent(type(tiny().generator)):
        def build(self, shape, num_classes):
            raise NotImplementedError("no meta kernel")

    config = replace(tiny(), generator=NeedsContent(latent_size=8))
    assert shapes(BUILDERS["generator"], config, 0) is None
