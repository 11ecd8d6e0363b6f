"""What studies draw of results that are made up: tables against NumPy and SciPy."""

import io
import json
import statistics

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from ssgan.data.sources import parse_source
from ssgan.files.run_directory import RunDirectory
from ssgan.plots.bands import std_band
from ssgan.studies.catalogue import find_study
from ssgan.studies.output import write_study
from ssgan.studies.rendering import format_difference
from ssgan.studies.statistics import PairedDifference
from ssgan.studies.trials import estimate_study_disk
from ssgan.types import UserError
from tests.studies.made_up import DATA, options, plan, write_distance, write_probe

FIDS = {"gan": (68.2, 71.9, 64.4), "ssgan": (49.6, 52.8, 50.1)}


def written(name, chosen, found):
    study = find_study(name)
    return write_study(study, study.at_scale(chosen.scale, chosen.features), chosen, found)


def measured(chosen, name):
    return json.loads((chosen.out / name / "results.json").read_text())["measured"]


def lines_of(text):
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {row[0].strip(): row[1:] for row in rows}


@pytest.fixture
def table1(tmp_path):
    chosen = options(tmp_path, seeds=(0, 1, 2))
    found = plan("table1", chosen, "gan,ssgan")
    for trial in found:
        write_distance(trial, FIDS[trial.variant.name][trial.seed])
    return chosen, found


def test_mean_deviation_and_best_over_seeds_and_the_paired_comparison(table1):
    chosen, found = table1
    lines = lines_of(written("table1", chosen, found).text.split("## Published")[0])
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


def test_the_results_hold_protocol_commands_and_every_number(table1):
    chosen, found = table1
    written("table1", chosen, found)
    facts = json.loads((chosen.out / "table1" / "results.json").read_text())
    assert facts["measured"]["protocol"]["features_identity"] == "f" * 64
    assert facts["measured"]["values"]["gan"] == {"0": 68.2, "1": 71.9, "2": 64.4}
    assert len(facts["commands"]) == 12
    assert facts["options"]["seeds"] == [0, 1, 2]
    assert [run["seed"] for run in facts["runs"]] == [0, 0, 1, 1, 2, 2]
    page = (chosen.out / "table1" / "table.md").read_text()
    assert all(command in page for command in facts["commands"])


def test_published_numbers_stand_in_a_table_of_their_own(table1):
    text = written("table1", *table1).text
    ours, theirs = text.split("## Published (full width, 100,000 steps, other protocol)")
    assert "17.11" in theirs
    assert "17.11" not in ours
    assert "FID" in ours


def test_what_is_missing_is_named_and_the_rest_is_drawn(table1):
    chosen, found = table1
    found[3].measuring[0].result.unlink()
    result = written("table1", chosen, found)
    assert result.missing == ("SS-GAN: seed 1",)
    assert "Missing: SS-GAN: seed 1." in result.text
    assert lines_of(result.text)["SS-GAN minus GAN"][1] == "2"


def test_nothing_measured_is_said(tmp_path):
    chosen = options(tmp_path)
    assert "Nothing is measured yet." in written("table1", chosen, plan("table1", chosen)).text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"num_fake": 5000}, "two protocols.*num_fake 10000 against 5000"),
        ({"features_identity": "e" * 64}, "two protocols.*features_identity"),
        ({"name": "KID"}, "FID and KID are different metrics"),
        ({"step": 2500}, "is of a run, step 2500, not of step 3000"),
    ],
)
def test_numbers_of_two_protocols_are_refused(table1, change, expected):
    chosen, found = table1
    write_distance(found[-1], 50.0, **change)
    with pytest.raises(UserError, match=expected):
        written("table1", chosen, found)
    assert not (chosen.out / "table1" / "table.md").exists()


def test_one_seed_gets_no_interval_and_says_so(tmp_path):
    chosen = options(tmp_path, seeds=(0,))
    found = plan("table1", chosen, "gan,ssgan")
    for trial in found:
        write_distance(trial, FIDS[trial.variant.name][0])
    text = written("table1", chosen, found).text
    assert "One training seed: no standard deviation and no interval" in text
    assert lines_of(text)["SS-GAN minus GAN"] == ["-18.60 (one pair: no interval)", "1"]
    assert lines_of(text.split("## Published")[0])["SS-GAN"] == ["49.60", "49.60", "0: 49.60"]


def test_alphas_are_held_to_the_papers_own(tmp_path):
    chosen = options(tmp_path)
    found = plan("alpha", chosen)
    for trial, value in zip(found, (50.0, 48.0, 47.0, 52.0, 49.0, 50.0), strict=True):
        write_distance(trial, value)
    ours, theirs = written("alpha", chosen, found).text.split("## Published")
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
    ours, theirs = written("table1-celeba-hq", chosen, found).text.split("## Published")
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


def test_the_large_runs_are_held_to_ssgan_s_and_memory_is_said(large):
    ours, theirs = map(lines_of, written("large-batch", *large).text.split("## Published"))
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
    written(name, chosen, found)
    pairs = [(row["variant"], row["baseline"]) for row in measured(chosen, name)["comparisons"]]
    assert pairs == [("gp1_b0_n1_ssgan", "gp1_b0_n1_gan"), ("sn_b0_n2_ssgan", "sn_b0_n2_gan")]


TOP1 = {
    ("gan", 0): (0.50, 0.44), ("gan", 1): (0.52, 0.40),
    ("ssgan", 0): (0.49, 0.53), ("ssgan", 1): (0.51, 0.57),
}  # fmt: skip


def probed(name, chosen, steps):
    found = plan(name, chosen, "gan,ssgan")
    for trial in found:
        top1 = TOP1[trial.variant.name, trial.seed]
        rows = {(s, b + 2): top1[b] - 0.01 * k for k, s in enumerate(steps) for b in range(2)}
        write_probe(trial, rows)
    return found


def test_probes_block_by_block_with_the_best_block_s_mean(tmp_path):
    chosen = options(tmp_path)
    text = written("table3", chosen, probed("table3", chosen, [3000])).text
    ours = text.split("## Published")[0].split("difference to GAN (paired by seed, 95% CI)")
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
    text = written("table3", chosen, found).text.split("## Published")[0]
    assert lines_of(text)["best"] == lines_of(text)["block 0"] == ["0.505 +- 0.007"]


def test_curves_have_the_steps_that_all_runs_of_an_arm_have(tmp_path):
    chosen = options(tmp_path)
    for trial, steps in zip(
        plan("figure2", chosen, "gan"), ([0, 500, 3000], [0, 3000]), strict=True
    ):
        write_probe(trial, dict.fromkeys([(step, 3) for step in steps], 0.5))
    text = written("figure2", chosen, plan("figure2", chosen, "gan")).text
    rows = lines_of(text.split("## Published")[0])
    assert [name for name in rows if name[0].isdigit()] == ["0", "3,000"]


def test_a_band_is_a_standard_deviation_of_the_runs_each_way():
    low, high = std_band(np.array([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]]))
    assert high - low == pytest.approx([2 * statistics.stdev([1, 2, 6]), 0.0])
    assert (low + high) / 2 == pytest.approx([3.0, 5.0])


def test_probes_of_two_protocols_are_refused(tmp_path):
    chosen = options(tmp_path)
    found = probed("table3", chosen, [3000])
    folder = found[-1].measuring[0].result.parent
    (folder / "probe.jsonl").unlink()
    folder.joinpath("probe.png").unlink()
    folder.rmdir()
    write_probe(found[-1], {(3000, 2): 0.5, (3000, 3): 0.5}, labels=40)
    with pytest.raises(UserError, match="two protocols: labels 50 against 40"):
        written("table3", chosen, found)


def test_a_probe_whose_rows_have_gone_says_what_to_remove(tmp_path):
    chosen = options(tmp_path)
    found = probed("table3", chosen, [3000])
    folder = found[-1].measuring[0].result.parent
    (folder / "probe.jsonl").unlink()
    with pytest.raises(UserError, match=r"probe\.jsonl has no rows: remove probe\.png beside it"):
        written("table3", chosen, found)


def test_curves_over_training_are_a_figure_and_a_table(tmp_path):
    chosen = options(tmp_path)
    steps = [0, 1500, 3000]
    result = written("figure2", chosen, probed("figure2", chosen, steps))
    lines = lines_of(result.text.split("## Published")[0])
    assert lines["1,500"] == ["0.410 +- 0.028", "0.540 +- 0.028"]
    assert lines["3,000"] == ["0.400 +- 0.028", "0.530 +- 0.028"]
    facts = measured(chosen, "figure2")
    assert facts["block"] == 3
    assert facts["values"]["ssgan"]["1"] == {
        "0": 0.57, "1500": pytest.approx(0.56), "3000": pytest.approx(0.55),
    }  # fmt: skip
    (comparison,) = facts["comparisons"]
    assert (comparison["step"], comparison["mean"]) == (3000, pytest.approx(0.13))
    with Image.open(io.BytesIO((tmp_path / "figure2" / "figure.png").read_bytes())) as picture:
        assert picture.width > 2 * picture.height  # ours, and the paper's beside it


def test_fids_over_training_are_those_of_the_kept_states(tmp_path):
    flags = ("--total_steps", "25000")
    chosen = options(tmp_path, scale="paper", seeds=(0,), overrides=flags)
    (trial,) = plan("figure4", chosen, "ssgan")
    for job, (step, value) in enumerate({10_000: 40.0, 20_000: 30.0, 25_000: 25.0}.items()):
        write_distance(trial, value, job, step=step)
    written("figure4", chosen, [trial])
    values = {"10000": 40.0, "20000": 30.0, "25000": 25.0}
    assert measured(chosen, "figure4")["values"] == {"ssgan": {"0": values}}
    write_distance(trial, 1.0, 0, step=10_000, num_fake=10)
    with pytest.raises(UserError, match="two protocols"):
        written("figure4", chosen, [trial])


def test_a_figure_is_drawn_beside_published_curves_with_gaps(tmp_path):
    chosen = options(tmp_path, scale="paper", seeds=(0,))
    found = plan("figure4b", chosen, "gan,ssgan")
    for trial in found:
        for job in range(10):
            write_distance(trial, 90.0 - job, job, step=100_000 * (job + 1))
    text = written("figure4b", chosen, found).text
    ours, theirs = map(lines_of, text.split("## Published (ImageNet at full width"))
    assert ours["600,000"] == ["85.00", "85.00"]
    assert theirs["600,000"] == ["-", "49.0", "51.0", "48.0"]
    assert measured(chosen, "figure4b")["values"]["gan"]["0"]["1000000"] == 81.0
    with Image.open(tmp_path / "figure4b" / "figure.png") as picture:
        assert picture.width > 2 * picture.height


def test_the_score_over_training_is_the_one_that_the_settings_name(tmp_path, monkeypatch):
    monkeypatch.setattr("ssgan.studies.jobs.TrainingJob.is_done", lambda self: True)
    for features, name in (("random", "FD-random"), ("lite0", "FD-EfficientNetLite0")):
        chosen = options(tmp_path, seeds=(0,), overrides=("--evaluate.features", features))
        (trial,) = plan("figure4", chosen, "ssgan")
        metrics = RunDirectory(trial.training.root).metrics
        metrics.parent.mkdir(parents=True, exist_ok=True)
        scores = {"FD-random": 0.5, "FD-EfficientNetLite0": 50.0}
        facts = {"step": 500, "split": "train", "num_real": 20, "num_fake": 20}
        rows = [{**facts, "name": of, "value": v, "features": of} for of, v in scores.items()]
        metrics.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        text = written("figure4", chosen, [trial]).text
        assert measured(chosen, "figure4")["values"] == {"ssgan": {"0": {"500": scores[name]}}}
        assert f"{name} (not FID)" in text
    chosen = options(tmp_path, seeds=(0,), overrides=("--evaluate.features", "inception"))
    with pytest.raises(UserError, match="no run has logged FID"):
        written("figure4", chosen, plan("figure4", chosen, "ssgan"))


def test_runs_of_an_arm_without_a_common_step_are_refused_by_name(tmp_path, monkeypatch):
    """As of a run that another command has trained with evaluate.every 0."""
    monkeypatch.setattr("ssgan.studies.jobs.TrainingJob.is_done", lambda self: True)
    chosen = options(tmp_path, seeds=(0, 1))
    found = plan("figure4", chosen, "ssgan")
    metrics = RunDirectory(found[1].training.root).metrics
    metrics.parent.mkdir(parents=True)
    facts = {"split": "train", "num_real": 20, "num_fake": 20, "features": "random"}
    metrics.write_text(json.dumps({"step": 500, "name": "FD-random", "value": 0.5, **facts}))
    words = "SS-GAN have no common step with FD-random.*; seed 0 has no value at all"
    with pytest.raises(UserError, match=words):
        written("figure4", chosen, found)


def test_the_disk_counts_every_run_and_the_images_once(tmp_path):
    outline = parse_source(DATA).outline()
    one = estimate_study_disk(plan("table1", options(tmp_path, seeds=(0,)), "gan"), outline)
    three = estimate_study_disk(plan("table1", options(tmp_path, seeds=(0, 1, 2)), "gan"), outline)
    assert three.runs == 3 * one.runs > 0
    assert three.images == one.images == 40 * 32 * 32 * 3


def test_a_p_that_is_rounding_alone_is_told_as_a_bound():
    spread = PairedDifference((0, 1, 2), 1.0, 0.9, 1.1, 0.0)
    assert format_difference(spread, 1.0).endswith("p < 1e-12")
    assert format_difference(spread._replace(p=2e-12), 1.0).endswith("p 2e-12")


def test_table_5_stands_below_table_4_apart_from_what_is_measured(tmp_path):
    chosen = options(tmp_path, scale="paper", test=None, seeds=(0,))
    found = plan("table4", chosen, "ssgan_sbn")
    write_probe(found[0], {(1_000_000, block): 0.25 for block in range(6)})
    ours, table4, table5 = written("table4", chosen, found).text.split("## Published")
    assert lines_of(ours)["best"] == ["0.250"]
    assert lines_of(table4)["best"][-1] == "0.383"
    assert lines_of(table5)["RotNet"] == ["0.387"]
    assert "RotNet" not in ours + table4
