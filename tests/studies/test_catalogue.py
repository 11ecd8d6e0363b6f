"""The commands of studies, as one would write them by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from ssgan.data.sources import parse_source
from ssgan.recipes.find import find_recipe
from ssgan.studies.catalogue import STUDIES, find_study, table2_grid
from ssgan.studies.trials import list_jobs, list_open_jobs
from ssgan.studies.variants import Variant
from tests.studies.made_up import DATA, commands, options, plan

ROWS = [
    *("gp1_b0_n1", "gp1_b0_n2", "gp1_b5_n1"),
    *("gp10_b0_n1", "gp10_b0_n2", "gp10_b5_n1"),
    *("sn_b0_n1", "sn_b0_n2", "sn_b5_n1"),
]


def test_the_commands_of_table_1():
    found = commands("table1", options(Path("out")), "ssgan,gan")
    train = "ssgan train cifar10:{0}_laptop --data scenes:num_images=40"
    measure = "--against scenes:seed=1 --n 10000 --seeds 1 --metrics fd --out"
    expected = []
    for seed in (0, 1):
        for method in ("gan", "ssgan"):
            run = f"cifar10-{method}_laptop-seed{seed}"
            expected += [
                f"{train.format(method)} --seed {seed} --run out/runs/{run}",
                f"ssgan evaluate out/runs/{run} {measure} out/measured/{run}/fd-n10000-KEY.jsonl",
            ]
    keys = {command[-14:-6] for command in found if "evaluate" in command}
    assert len(keys) == 1
    assert [command.replace(keys.copy().pop(), "KEY") for command in found] == expected


@pytest.mark.parametrize("recipes", ["robustness", "robustness_imagenet"])
def test_table_2_has_every_row_with_and_without_the_rotation_loss(recipes):
    variants = table2_grid(recipes)
    assert [variant.name for variant in variants] == [
        f"{row}_{m}" for row in ROWS for m in ("gan", "ssgan")
    ]
    titles = {variant.name: variant.title for variant in variants}
    assert titles["gp1_b0_n1_gan"] == "GP 1, betas 0, 0.9, n_dis 1, GAN"
    assert titles["sn_b0_n2_ssgan"] == "SN, betas 0, 0.9, n_dis 2, SS-GAN"
    assert len({variant.group for variant in variants}) == 9
    for variant in variants:  # a row of CIFAR-10 has its runs from other studies
        assert find_recipe(variant.recipe)() == find_recipe(f"{recipes}:{variant.name}")()
    others = [
        variant.recipe for variant in variants if not variant.recipe.startswith(f"{recipes}:")
    ]
    assert others == (["cifar10:gan", "cifar10:ssgan"] if recipes == "robustness" else [])


@pytest.mark.parametrize(("number", "method"), [(0, "gan"), (1, "ssgan")])
def test_table_2_at_laptop_scale_is_the_row_with_the_setting_of_its_recipes(number, method):
    variant = find_study("table2").laptop.variants[number]
    row = next(a for a in table2_grid("robustness") if a.name == f"sn_b0_n1_{method}")
    assert variant.title == row.title
    config, of_row = find_recipe(variant.recipe)(), find_recipe(row.recipe)()
    assert config.method == of_row.method
    assert config.discriminator.spectral == of_row.discriminator.spectral
    for name in ("generator_optimizer", "discriminator_optimizer", "discriminator_updates"):
        assert getattr(config, name) == getattr(of_row, name)


def test_the_commands_of_table_2_on_imagenet():
    study = find_study("table2-imagenet")
    assert (study.laptop, study.paper.data, study.paper.samples) == (None, None, 10_000)
    found = commands("table2-imagenet", options(Path("out"), scale="paper"))
    assert [command.split()[2] for command in found[:36:2]] == [
        f"robustness_imagenet:{row}_{method}" for row in ROWS for method in ("gan", "ssgan")
    ]
    assert [command.split()[1] for command in found] == ["train", "evaluate"] * 36


def test_table_2_of_the_paper_shares_runs_with_table_1():
    chosen = options(Path("out"), scale="paper", seeds=(0,))
    shared = set(commands("table1", chosen)) & set(commands("table2", chosen))
    assert len(shared) == 4


def test_probes_over_training_name_their_steps():
    chosen = options(Path("out"), overrides=("--total_steps", "1200"), seeds=(3,))
    _, probe = commands("figure2", chosen, "gan")
    run = "cifar10-gan_laptop-total_steps=1200-seed3"
    assert probe.startswith(
        f"ssgan probe out/runs/{run} --data scenes:num_images=40 --test scenes:seed=1 "
        "--steps 0,500,1000,1200 --blocks 3 --pooling mean --fractions 1 --train-n 10000 --out "
        f"out/measured/{run}/probe-all-"
    )


def test_figure_4_of_the_paper_measures_every_snapshot_and_shares_the_last_with_table_1():
    chosen = options(Path("out"), scale="paper", seeds=(0,))
    train, *evaluations = commands("figure4", chosen, "ssgan")
    assert "--output.snapshot_every 10000 --seed 0 --run out/runs/cifar10-ssgan-seed0" in train
    states = [command.split()[2] for command in evaluations]
    snapshots = "out/runs/cifar10-ssgan-seed0/snapshots/step-000{}0000.ckpt"
    assert states == [snapshots.format(k) for k in range(1, 10)] + ["out/runs/cifar10-ssgan-seed0"]
    assert commands("table1", chosen, "ssgan") == [train, evaluations[-1]]


def test_figure_4_at_laptop_scale_measures_every_snapshot_once_features_are_named():
    run = "out/runs/cifar10-ssgan_laptop-seed0"
    assert len(commands("figure4", options(Path("out"), seeds=(0,)), "ssgan")) == 1
    chosen = options(Path("out"), seeds=(0,), features="lite0")
    _, *evaluations = commands("figure4", chosen, "ssgan")
    states = [command.split()[2] for command in evaluations]
    snapshots = [
        f"{run}/snapshots/step-0000{step}.ckpt" for step in ("0500", "1000", "1500", "2000", "2500")
    ]
    assert states == [*snapshots, run]
    assert all("--features lite0" in command for command in evaluations)


def test_figure_4b_measures_every_published_step_and_shares_its_runs_with_table_1():
    chosen = options(Path("out"), scale="paper", seeds=(0,))
    train, *evaluations = commands("figure4b", chosen, "ssgan_sbn")
    run = "out/runs/imagenet128-ssgan_sbn-seed0"
    states = [command.split()[2] for command in evaluations]
    assert states == [f"{run}/snapshots/step-00{k}00000.ckpt" for k in range(1, 10)] + [run]
    assert commands("table1-imagenet", chosen, "ssgan_sbn") == [train, evaluations[-1]]
    assert len(commands("figure4b", chosen)) == 4 * 11


def test_large_batches_with_and_without_the_rotation_loss():
    paper = find_study("large-batch").paper
    assert (paper.data, paper.samples) == (None, 50_000)
    chosen = options(Path("out"), scale="paper", seeds=(0,), samples=paper.samples)
    found = commands("large-batch", chosen)
    assert [command.split()[2] for command in found[::2]] == [
        f"imagenet_large:{run}" for run in ("ssgan_2048", "gan_2048", "ssgan_1024")
    ]
    assert all(" --n 50000 " in c and " --refresh 204800 " in c for c in found[1::2])


@pytest.mark.parametrize(
    ("scale", "recipe"), [("laptop", "cifar10:ssgan_laptop"), ("paper", "cifar10:ssgan")]
)
def test_the_alphas_are_one_recipe_and_the_paper_s_own_alpha_is_table_1_s_run(scale, recipe):
    chosen = options(Path("out"), scale=scale, seeds=(0,))
    variants = find_study("alpha").at_scale(scale).variants
    trainings = [variant.job(chosen, 0, parse_source(DATA).info()) for variant in variants]
    assert [variant.recipe for variant in variants] == [recipe] * 3
    assert [job.config.method.alpha for job in trainings] == [0.2, 0.5, 1.0]
    assert [job.config.method.beta for job in trainings] == [1.0] * 3
    assert commands("alpha", chosen)[:2] == commands("table1", chosen, "ssgan")


def test_figure_3_runs_the_forgetting_experiment():
    own = parse_source(DATA).held_out().name()
    chosen = options(Path("out"), seeds=(2,), overrides=("--cycles", "1"), test=own)
    small = "--width 0.25 --iterations-per-task 250"
    name = "cycles=1-iterations-per-task=250-width=0.25-seed2"
    assert commands("figure3", chosen) == [
        f"ssgan forget --data scenes:num_images=40 --rotation {weight} {small} --cycles 1 --seed 2 "
        f"--out out/runs/forget-rotation-{weight}-{name}"
        for weight in (0, 1)
    ]
    other = commands("figure3", replace(chosen, test="scenes:seed=7"))
    assert all(" --test scenes:seed=7 " in command for command in other)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_variants_of_different_names_and_titles(name):
    study = find_study(name)
    for form in filter(None, (study.laptop, study.paper)):
        assert all(
            find_recipe(variant.recipe)()
            for variant in form.variants
            if isinstance(variant, Variant)
        )
        assert len({variant.name for variant in form.variants}) == len(form.variants) > 1
        assert len({variant.title for variant in form.variants}) == len(form.variants)


@pytest.mark.parametrize("name", [n for n, study in STUDIES.items() if study.laptop])
def test_every_study_of_laptop_scale_can_be_planned(name, tmp_path):
    found = plan(name, options(tmp_path))
    assert list_open_jobs(found) == list_jobs(found)
    assert len({job.log for job in list_jobs(found)}) == len(list_jobs(found))


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_of_paper_scale_can_be_planned(name, tmp_path):
    found = plan(name, options(tmp_path, scale="paper"))
    assert list_open_jobs(found) == list_jobs(found)
    assert len({job.log for job in list_jobs(found)}) == len(list_jobs(found))


@pytest.mark.parametrize(
    ("name", "recipes", "methods", "samples"),
    [
        ("table1-imagenet", "imagenet128", ["gan", "conditional", "ssgan", "ssgan_sbn"], 10_000),
        ("table1-lsun", "lsun_bedroom128", ["gan", "ssgan", "ssgan_sbn"], 10_000),
        ("table1-celeba-hq", "celebahq128", ["gan", "ssgan", "ssgan_sbn"], 3000),
    ],
)
def test_table_1_at_128_pixels(name, recipes, methods, samples):
    """No conditional GAN without labels; as many samples as the paper is said to have taken."""
    study = find_study(name)
    assert (study.laptop, study.paper.data, study.paper.samples) == (None, None, samples)
    chosen = options(Path("out"), scale="paper", seeds=(0,), samples=study.paper.samples)
    found = commands(name, chosen)
    assert [command.split()[2] for command in found[::2]] == [f"{recipes}:{m}" for m in methods]
    assert all(f"--against scenes:seed=1 --n {samples} " in command for command in found[1::2])
