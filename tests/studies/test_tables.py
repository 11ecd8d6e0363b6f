"""Rendered tables from made-up results, against NumPy and SciPy."""

import numpy as np
import pytest
from scipy import stats

from ssgan.studies.rendering import format_difference
from ssgan.studies.statistics import PairedDifference
from ssgan.types import UserError
from tests.studies.made_up import (
    FIDS,
    lines_of,
    measured,
    options,
    plan,
    probed,
    write,
    write_distance,
    write_probe,
)


def test_mean_deviation_and_best_over_seeds_and_the_paired_comparison(table1):
    chosen, found = table1
    lines = lines_of(write("table1", chosen, found).text.split("## Published")[0])
    for name, label in (("gan", "GAN"), ("ssgan", "SS-GAN")):
        numbers = np.array(FIDS[name])
        assert lines[label][:2] == [
            f"{numbers.mean():.2f} +- {numbers.std(ddof=1):.2f}", f"{numbers.min():.2f}",
        ]  # fmt: skip
    test = stats.ttest_rel(FIDS["ssgan"], FIDS["gan"])
    low, high = test.confidence_interval(0.95)
    difference = np.subtract(FIDS["ssgan"], FIDS["gan"]).mean()
    expected = f"{difference:.2f} [{low:.2f}, {high:.2f}], p {test.pvalue:.2g}"
    assert lines["SS-GAN minus GAN"] == [expected, "3"]
    (comparison,) = measured(chosen, "table1")["comparisons"]
    assert comparison["p"] == pytest.approx(test.pvalue)
    assert comparison["seeds"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"num_fake": 5000}, "two protocols.*num_fake 10000 against 5000"),
        ({"features_identity": "e" * 64}, "two protocols.*features_identity"),
        ({"name": "KID"}, "FID and KID are different metrics"),
        ({"step": 2500}, "measures a run, step 2500, not step 3000"),
    ],
)
def test_numbers_of_two_protocols_are_refused(table1, change, expected):
    chosen, found = table1
    write_distance(found[-1], 50.0, **change)
    with pytest.raises(UserError, match=expected):
        write("table1", chosen, found)
    assert not (chosen.out / "table1" / "table.md").exists()


def test_one_seed_gets_no_interval_and_says_so(tmp_path):
    chosen = options(tmp_path, seeds=(0,))
    found = plan("table1", chosen, "gan,ssgan")
    for trial in found:
        write_distance(trial, FIDS[trial.variant.name][0])
    text = write("table1", chosen, found).text
    assert "One training seed: no standard deviation and no interval" in text
    assert lines_of(text)["SS-GAN minus GAN"] == ["-18.60 (one pair: no interval)", "1"]
    assert lines_of(text.split("## Published")[0])["SS-GAN"] == ["49.60", "49.60", "0: 49.60"]


def test_alphas_are_compared_with_the_paper_s_own(tmp_path):
    chosen = options(tmp_path)
    found = plan("alpha", chosen)
    for trial, value in zip(found, (50.0, 48.0, 47.0, 52.0, 49.0, 50.0), strict=True):
        write_distance(trial, value)
    ours, theirs = write("alpha", chosen, found).text.split("## Published")
    assert lines_of(ours)["alpha 1 minus alpha 0.2"][0].startswith("-2.50 [")
    assert lines_of(ours)["alpha 0.5"][1] == "48.00"
    assert "No numbers" in theirs
    pairs = [(row["variant"], row["baseline"]) for row in measured(chosen, "alpha")["comparisons"]]
    assert pairs == [("alpha_0.5", "alpha_0.2"), ("alpha_1", "alpha_0.2")]


def test_table_1_of_another_data_set_has_its_own_published_numbers(tmp_path):
    chosen = options(tmp_path, scale="paper", samples=3000)
    found = plan("table1-celeba-hq", chosen)
    for number, trial in enumerate(found):
        write_distance(trial, 30.0 + number, num_fake=3000, num_real=3000)
    ours, theirs = write("table1-celeba-hq", chosen, found).text.split("## Published")
    assert lines_of(ours)["SS-GAN"][:2] == ["32.50 +- 2.12", "31.00"]
    assert "SS-GAN (sBN) minus GAN" in lines_of(ours)
    assert lines_of(theirs)["FID"] == ["23.77", "26.11", "24.36"]


@pytest.fixture
def large(tmp_path):
    chosen = options(tmp_path, scale="paper", seeds=(0,), samples=50_000)
    found = plan("large-batch", chosen)
    for trial, value in zip(found, (24.0, 90.0, 34.0), strict=True):
        write_distance(trial, value, num_real=50_000, num_fake=50_000)
    return chosen, found


def test_the_large_runs_are_compared_with_ss_gan_s_and_name_their_sources(large):
    ours, theirs = map(lines_of, write("large-batch", *large).text.split("## Published"))
    assert ours["GAN, batch 2048 minus SS-GAN, batch 2048"][0].startswith("+66.00")
    assert ours["SS-GAN, batch 1024 minus SS-GAN, batch 2048"][0].startswith("+10.00")
    assert theirs["GAN, batch 2048, mean of 3 seeds"] == [
        "71.6 +- 66.3", "from memory, not verified",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["table2", "table2-imagenet"])
def test_rows_of_table_2_are_compared_within_themselves(name, tmp_path):
    chosen = options(tmp_path, scale="paper")
    variants = "gp1_b0_n1_gan,gp1_b0_n1_ssgan,sn_b0_n2_gan,sn_b0_n2_ssgan"
    found = plan(name, chosen, variants)
    for number, trial in enumerate(found):
        write_distance(trial, 20.0 + number)
    write(name, chosen, found)
    pairs = [(row["variant"], row["baseline"]) for row in measured(chosen, name)["comparisons"]]
    assert pairs == [("gp1_b0_n1_ssgan", "gp1_b0_n1_gan"), ("sn_b0_n2_ssgan", "sn_b0_n2_gan")]


def test_probes_block_by_block_with_the_best_block_s_mean(tmp_path):
    chosen = options(tmp_path)
    text = write("table3", chosen, probed("table3", chosen, [3000])).text
    ours = text.split("## Published")[0].split("difference to GAN (paired by seed, 95 % CI)")
    means = lines_of(ours[0])
    assert means["block 2"] == ["0.510 +- 0.014", "0.500 +- 0.014"]
    assert means["block 3"] == ["0.420 +- 0.028", "0.550 +- 0.028"]
    assert means["best"] == ["0.510 +- 0.014", "0.550 +- 0.028"]
    test = stats.ttest_rel((0.53, 0.57), (0.44, 0.40))
    low, high = test.confidence_interval(0.95)
    expected = f"+0.130 [{low:.3f}, {high:.3f}], p {test.pvalue:.2g}"
    assert lines_of(ours[1])["block 3"] == [expected]


def test_the_best_block_is_that_of_the_best_mean_and_not_of_the_best_run(tmp_path):
    chosen = options(tmp_path)
    found = plan("table3", chosen, "gan")
    for trial, steady, wild in zip(found, (0.50, 0.51), (0.60, 0.30), strict=True):
        write_probe(trial, {(3000, 0): steady, (3000, 1): wild})
    text = write("table3", chosen, found).text.split("## Published")[0]
    assert lines_of(text)["best"] == lines_of(text)["block 0"] == ["0.505 +- 0.007"]


def test_probes_of_two_protocols_are_refused(tmp_path):
    chosen = options(tmp_path)
    found = probed("table3", chosen, [3000])
    folder = found[-1].measuring[0].result.parent
    (folder / "probe.jsonl").unlink()
    folder.joinpath("probe.png").unlink()
    folder.rmdir()
    write_probe(found[-1], {(3000, 2): 0.5, (3000, 3): 0.5}, labels=40)
    with pytest.raises(UserError, match="two protocols: labels 50 against 40"):
        write("table3", chosen, found)


def test_a_probe_without_rows_says_what_to_remove(tmp_path):
    chosen = options(tmp_path)
    found = probed("table3", chosen, [3000])
    folder = found[-1].measuring[0].result.parent
    (folder / "probe.jsonl").unlink()
    with pytest.raises(UserError, match=r"probe\.jsonl has no rows: remove probe\.png beside it"):
        write("table3", chosen, found)


def test_table_5_follows_table_4_apart_from_measured_numbers(tmp_path):
    chosen = options(tmp_path, scale="paper", test=None, seeds=(0,))
    found = plan("table4", chosen, "ssgan_sbn")
    write_probe(found[0], {(1_000_000, block): 0.25 for block in range(6)})
    ours, table4, table5 = write("table4", chosen, found).text.split("## Published")
    assert lines_of(ours)["best"] == ["0.250"]
    assert lines_of(table4)["best"][-1] == "0.383"
    assert lines_of(table5)["RotNet"] == ["0.387"]
    assert "RotNet" not in ours + table4


def test_a_p_that_is_only_rounding_is_shown_as_a_bound():
    spread = PairedDifference((0, 1, 2), 1.0, 0.9, 1.1, 0.0)
    assert format_difference(spread, 1.0).endswith("p < 1e-12")
    assert format_difference(spread._replace(p=2e-12), 1.0).endswith("p 2e-12")
