"""Settings of a real run: any value is one or is refused in a line, and counts have bounds."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssgan import recipes
from ssgan.config.merge import merge
from ssgan.config.schema import MAX_COUNT, walk
from ssgan.config.serialize import dump
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.runs.config import RunConfig
from ssgan.runs.config_io import load_config
from ssgan.types import UserError
from tests.config.test_merge import JSON, nested

RUN = recipes.scenes.ssgan()
BIG = replace(RUN, generator=BigGANGenerator(), discriminator=BigGANDiscriminator())
PATHS = [found.path for found in walk(RUN)]
COUNTS = [
    (config, found.path)
    for config in (RUN, BIG)
    for found in walk(config)
    if type(found.value) is int and found.name != "seed"
]
EDGES = st.sampled_from(
    [MAX_COUNT, MAX_COUNT + 1, 2**63 - 1, 2**63, 10**30, 10**5000, -(10**30), 1e308]
)
CLASSES = st.sampled_from(["GAN", "ConditionalGAN", "Folder", "BigGANGenerator", "WGANGP", "none"])


def replaced(table, names, value):
    """A table in which one value of a nested table is another."""
    first, *below = names
    return {**table, first: replaced(table[first], below, value) if below else value}


READERS = {
    "settings laid over a recipe": lambda path, value: merge(RUN, nested(path, value), "fuzz"),
    "a stored config": lambda path, value: load_config(
        replaced(dump(RUN), path.split("."), value), (), "fuzz"
    ),
}


@pytest.mark.parametrize("form", READERS)
def test_any_value_anywhere_gives_a_run_or_a_user_error(form, record_property):
    """One value of a valid config is replaced by any JSON value."""
    ends = Counter()

    @given(path=st.sampled_from(PATHS), value=JSON | EDGES | CLASSES)
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def search(path, value):
        complaint = ""
        try:
            assert isinstance(READERS[form](path, value), RunConfig)
        except UserError as error:
            complaint = str(error)
        assert "\n" not in complaint
        ends["refused" if complaint else "used"] += 1

    search()
    record_property("values", ends.total() * len(READERS))
    assert ends["refused"] > 50, ends
    assert ends["used"] > 0, ends


@pytest.mark.parametrize("value", [MAX_COUNT + 1, 10**30])
@pytest.mark.parametrize(("config", "path"), COUNTS)
def test_every_count_is_refused_beyond_what_can_be_with_its_bound(config, path, value):
    with pytest.raises(UserError) as caught:
        merge(config, nested(path, value), "mine.toml")
    said = str(caught.value)
    bound = "1, 3 or 4" if path == "data.channels" else "at most "
    bound = "a whole number below 2^64" if value >= 2**64 else bound
    assert said.startswith(f"{path} must be {bound}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("path", "largest"),
    [("output.sample_rows", 100), ("discriminator_updates", 1000), ("evaluate.images", MAX_COUNT)],
)
def test_the_bound_itself_is_allowed(path, largest):
    assert merge(RUN, nested(path, largest), "") != RUN
    with pytest.raises(UserError, match=f"{path} must be at most {largest:,}, not {largest + 1}"):
        merge(RUN, nested(path, largest + 1), "")
