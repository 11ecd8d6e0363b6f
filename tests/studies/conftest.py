"""Table 1 of two methods and three seeds, with made-up distances."""

import pytest

from tests.studies.made_up import FIDS, options, plan, write_distance


@pytest.fixture
def table1(tmp_path):
    chosen = options(tmp_path, seeds=(0, 1, 2))
    found = plan("table1", chosen, "gan,ssgan")
    for trial in found:
        write_distance(trial, FIDS[trial.variant.name][trial.seed])
    return chosen, found
