"""Run directories and results keep the names that earlier versions gave them."""

import json
from pathlib import Path

import pytest

from ssgan.studies.catalogue import find_study
from ssgan.studies.jobs import FileJob
from ssgan.studies.trials import list_jobs
from tests.studies.made_up import DATA, options, plan

EARLIER = json.loads((Path(__file__).parent / "earlier" / "names.json").read_text())


@pytest.mark.parametrize("key", EARLIER)
def test_a_study_finds_the_runs_and_results_of_earlier_versions(key):
    """The names were written by the code of version 0.1.0."""
    name, scale, features, *overrides = key.split()
    features = None if features == "None" else features
    samples = find_study(name).at_scale(scale, features).samples
    chosen = options(
        Path("out"), scale=scale, features=features, samples=samples, seeds=(0,),
        test=f"{DATA},seed=1", overrides=tuple(overrides),
    )  # fmt: skip
    jobs = list_jobs(plan(name, chosen))
    found = [str(job.result if isinstance(job, FileJob) else job.root) for job in jobs]
    assert found == EARLIER[key]
