"""Which commands a study runs, and what it refuses before the first one."""

import pytest

from ssgan.data.sources import parse_source
from ssgan.studies.catalogue import find_study
from ssgan.studies.trials import estimate_study_disk, list_jobs, list_open_jobs
from ssgan.types import UserError
from tests.studies.made_up import DATA, options, plan, write_distance, write_probe


def test_studies_share_their_runs(tmp_path):
    runs = [
        {trial.training.command for trial in plan(name, options(tmp_path), "gan,ssgan")}
        for name in ("table1", "table2", "table3", "figure2", "figure4", "figure5", "figure6")
    ]
    assert all(own == runs[0] for own in runs)


def test_an_existing_result_is_reused(tmp_path):
    found = plan("table1", options(tmp_path), "gan,ssgan")
    write_distance(found[0], 20.0)
    assert list_open_jobs(found) == list_jobs(found)[2:]
    probes = plan("table3", options(tmp_path), "gan,ssgan")
    write_probe(probes[3], {(3000, 0): 0.5})
    assert list_open_jobs(probes) == list_jobs(probes)[:-2]


def test_measurements_of_other_images_or_features_have_another_name(tmp_path):
    def results(**changes):
        return {
            job.result
            for trial in plan("table1", options(tmp_path, **changes), "gan")
            for job in trial.measuring
        }

    plain = results()
    changes = ({"test": "scenes:seed=2"}, {"features": "random"}, {"samples": 500})
    for change in changes:
        assert plain.isdisjoint(results(**change))
    assert plain == results(test="scenes:seed=1,num_images=20000")  # the same in other words


def test_unknown_settings_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match="did you mean total_steps"):
        plan("table1", options(tmp_path, overrides=("--total_step", "5")))
    with pytest.raises(UserError, match="'5' is no setting"):
        plan("table1", options(tmp_path, overrides=("5",)))


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("alpha", ("--method.alpha", "0.7"), "'alpha 0.2' and 'alpha 0.5' are one run"),
        ("precision", ("--precision=float32",), "'float32' and 'bfloat16' are one run"),
    ],
)
def test_variants_that_a_setting_makes_one_run_are_refused(name, flags, message, tmp_path):
    chosen = options(tmp_path, overrides=flags)
    with pytest.raises(UserError, match=message):
        plan(name, chosen)
    first = find_study(name).laptop.variants[0].name
    assert len(plan(name, chosen, first)) == 2  # seeds


def test_a_distance_needs_test_images(tmp_path):
    with pytest.raises(UserError, match="give --test SOURCE"):
        plan("table1", options(tmp_path, test=None))


def test_the_disk_counts_every_run_and_the_images_once(tmp_path):
    outline = parse_source(DATA).info()
    one = estimate_study_disk(plan("table1", options(tmp_path, seeds=(0,)), "gan"), outline)
    three = estimate_study_disk(plan("table1", options(tmp_path, seeds=(0, 1, 2)), "gan"), outline)
    assert three.runs == 3 * one.runs > 0
    assert three.images == one.images == 40 * 32 * 32 * 3
