"""The recipes of the paper's experiments against a table written from the paper, not from them."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.cli.main import main
from ssgan.data.base import UserProvided
from ssgan.recipes.find import find_recipe, list_recipes
from ssgan.recipes.table2 import SETTINGS
from ssgan.studies.published import TABLE2, TABLE2_IMAGENET
from ssgan.types import Batch, GeneratorInput, Scores
from tests.cli.test_main import TINY
from tests.models.checks import parameter_count

# type, lambda, beta1, beta2, n_dis, FID of the GAN and of SS-GAN on CIFAR-10, then on ImageNet
TABLE_2 = """
GP  1 0.0 0.900 1 | 121.05 +- 31.44 | 25.8 +- 0.71  | 183.36 +- 77.21 | 80.67 +- 0.43
GP  1 0.0 0.900 2 | 28.11 +- 0.66   | 26.98 +- 0.54 | 85.13 +- 2.88   | 83.08 +- 0.38
GP  1 0.5 0.999 1 | 78.54 +- 6.23   | 25.89 +- 0.33 | 104.73 +- 2.71  | 91.63 +- 2.78
GP 10 0.0 0.900 1 | 188.52 +- 64.54 | 28.48 +- 0.68 | 227.04 +- 31.45 | 85.38 +- 2.7
GP 10 0.0 0.900 2 | 29.11 +- 0.85   | 27.74 +- 0.73 | 227.74 +- 16.82 | 80.82 +- 0.64
GP 10 0.5 0.999 1 | 117.67 +- 17.46 | 25.22 +- 0.38 | 242.71 +- 13.62 | 144.35 +- 91.4
SN  0 0.0 0.900 1 | 87.86 +- 3.44   | 19.65 +- 0.9  | 129.96 +- 6.6   | 86.09 +- 7.66
SN  0 0.0 0.900 2 | 20.24 +- 0.62   | 17.88 +- 0.64 | 80.05 +- 1.33   | 70.64 +- 0.31
SN  0 0.5 0.999 1 | 86.87 +- 8.03   | 18.23 +- 0.56 | 201.94 +- 27.28 | 99.97 +- 2.75
"""
GRIDS = {"robustness": "cifar10", "robustness_imagenet": "imagenet128"}  # with whose data and nets
DATA_SETS = {"robustness": "CIFAR-10", "robustness_imagenet": "ImageNet"}
PUBLISHED = {"robustness": TABLE2, "robustness_imagenet": TABLE2_IMAGENET}

# best FID of Table 1: GAN, conditional, SS-GAN, SS-GAN (sBN)
TABLE_1_CIFAR = {"gan": "19.73", "conditional": "15.60", "ssgan": "17.11", "ssgan_sbn": "15.65"}
TABLE_1 = {
    "imagenet128": ("56.67", "42.07", "47.56", "43.87"),
    "lsun_bedroom128": ("16.02", None, "13.66", "13.30"),
    "celebahq128": ("23.77", None, "26.11", "24.36"),
}
STEPS = {"imagenet128": 1_000_000, "lsun_bedroom128": 100_000, "celebahq128": 100_000}
FIGURE_4A_END = {"gan": "20.9", "conditional": "16.4", "ssgan": "17.8", "ssgan_sbn": "16.5"}
TABLE_3_BEST = {"gan": "0.778", "conditional": "0.780", "rotation_only": "0.762",
                "ssgan_sbn": "0.799"}  # fmt: skip
TABLE_4_BEST = {"gan": "0.083", "conditional": "0.337", "rotation_only": "0.202",
                "ssgan_sbn": "0.383"}  # fmt: skip
METHODS = {"gan": "GAN", "conditional": "ConditionalGAN", "ssgan": "SSGAN", "ssgan_sbn": "SSGAN",
           "rotation_only": "RotationOnly"}  # fmt: skip
NORMS = {"conditional": "ConditionalBatchNorm", "ssgan_sbn": "SelfModulatedBatchNorm"}
AT_128 = [name for name in list_recipes() if name.split(":")[0] in TABLE_1]

# n_dis, decay, published
MIMICRY = {
    "mimicry:ssgan": (5, "linear", "14.65 +- 0.04"),
    "mimicry:gan": (5, "linear", "16.77 +- 0.04"),
    "mimicry:ssgan_paper": (2, "none", "17.61 +- 0.14"),
    "stl10:ssgan": (5, "linear", "37.06 +- 0.19"),
    "stl10:gan": (5, "linear", "39.56 +- 0.10"),
}
# batch, method, published
LARGE = {
    "imagenet_large:ssgan_1024": (1024, "SSGAN", "FID 33.5"),
    "imagenet_large:ssgan_2048": (
        *(2048, "SSGAN"),
        "best FID 23.4 (abstract); 23.6 +- 0.1 over three seeds, from memory and not verified;",
    ),
    "imagenet_large:gan_2048": (
        *(2048, "GAN"),
        "FID 71.6 +- 66.3 over three seeds, from memory and not verified.",
    ),
}

CELLS = [name for name in list_recipes() if name.split(":")[0] in GRIDS]
NEW = [*CELLS, *AT_128, *MIMICRY, *LARGE]


def rows_of_table_2():
    for line in TABLE_2.strip().splitlines():
        settings, *fids = (part.strip() for part in line.split("|"))
        kind, weight, beta1, beta2, updates = settings.split()
        norm = "sn" if kind == "SN" else f"gp{weight}"
        setting = float(weight), float(beta1), float(beta2), int(updates)
        for file, (gan, ssgan) in zip(GRIDS, (fids[:2], fids[2:]), strict=True):
            name = f"{file}:{norm}_b{beta1[-1]}_n{updates}"
            yield f"{name}_gan", setting, "GAN", gan
            yield f"{name}_ssgan", setting, "SSGAN", ssgan


COSTED = [
    *NEW,
    *(n for n in list_recipes() if n.split(":")[0] in ("scenes", "cifar10", "successors")),
]


def words(name):
    return " ".join(find_recipe(name).__doc__.split())


def assert_main_setting(config):
    """Hinge, Adam 2e-4 for both, batch 64, 16 of 64 rotated, weights 1 and 0.2."""
    method = config.method
    assert config.batch_size == 64
    assert config.generator_optimizer == config.discriminator_optimizer
    assert config.generator_optimizer.learning_rate == 2e-4
    if hasattr(method, "adversarial"):
        assert type(method.adversarial).__name__ == "Hinge"
    if method.predicts_rotation:
        assert method.num_rotated(64) == 16
        assert (method.alpha, method.beta) == (0.2, 1.0)
    assert not config.generator.spectral
    assert not config.augment
    assert not config.data.mirror


def test_table_2_is_there_and_nothing_else():
    assert sorted(CELLS) == sorted(name for name, *_ in rows_of_table_2())


@pytest.mark.parametrize(("name", "setting", "method", "fid"), list(rows_of_table_2()))
def test_a_row_of_table_2(name, setting, method, fid):
    config = find_recipe(name)()
    weight, *betas, updates = setting
    assert_main_setting(config)
    assert type(config.method).__name__ == method
    adam = config.discriminator_optimizer
    assert [adam.beta1, adam.beta2, config.discriminator_updates] == [*betas, updates]
    penalty = config.method.penalty
    assert (penalty.weight if penalty else 0) == weight
    assert config.discriminator.spectral == (weight == 0)
    assert config.total_steps == 100_000
    base = find_recipe(f"{GRIDS[name.split(':')[0]]}:ssgan")()
    assert (config.data, config.generator) == (base.data, base.generator)
    assert config.discriminator == replace(base.discriminator, spectral=weight == 0)
    norm = f"penalty of weight {weight:g}" if weight else "spectral norm"
    title = f"{norm}, betas ({betas[0]:g}, {betas[1]:g}), n_dis {updates}."
    assert title in words(name)
    file, cell = name.split(":")
    (row,) = [setting.row for setting in SETTINGS if cell.startswith(f"{setting.name}_")]
    assert f"Published: FID in Table 2 ({DATA_SETS[file]}; {row})." in words(name)
    (cells,) = [cells for cells in PUBLISHED[file].rows if cells[0] == row]
    assert cells[PUBLISHED[file].columns.index(words(name).split(",")[0])] == fid


@pytest.mark.parametrize("method", ["gan", "ssgan"])
def test_the_paper_s_main_cell_is_a_row_of_table_2(method):
    assert find_recipe(f"robustness:sn_b0_n2_{method}")() == find_recipe(f"cifar10:{method}")()


@pytest.mark.parametrize("method", ["gan", "ssgan"])
def test_a_row_of_table_2_is_the_beginning_of_the_main_run_on_imagenet(method):
    row, run = (
        find_recipe(f"robustness_imagenet:sn_b0_n2_{method}")(),
        find_recipe(f"imagenet128:{method}")(),
    )
    longer = {name: getattr(run, name) for name in ("total_steps", "output", "evaluate")}
    assert replace(row, **longer) == run
    assert run.output.snapshot_every == row.total_steps


@pytest.mark.parametrize("function", METHODS)
def test_what_is_published_of_the_runs_on_cifar10(function):
    said = words(f"cifar10:{function}")
    if function in TABLE_1_CIFAR:
        best, at_end = TABLE_1_CIFAR[function], FIGURE_4A_END[function]
        assert f"best FID {best} (Table 1), {at_end} at the end (Figure 4a)" in said
    if function in TABLE_3_BEST:
        assert f"best linear accuracy of D's features {TABLE_3_BEST[function]} (Table 3)." in said
    rows = {name: fid for name, _, _, fid in rows_of_table_2()}
    if (row := f"robustness:sn_b0_n2_{function}") in rows:
        assert f"Published: FID {rows[row]} (Table 2)" in said


@pytest.mark.parametrize("name", AT_128)
def test_the_runs_at_128_pixels(name):
    file, function = name.split(":")
    config = find_recipe(name)()
    assert_main_setting(config)
    adam = config.discriminator_optimizer
    assert (adam.beta1, adam.beta2, config.discriminator_updates) == (0.0, 0.9, 2)
    assert (config.total_steps, config.data.image_size) == (STEPS[file], 128)
    assert config.learning_rate_decay == "none"
    assert type(config.method).__name__ == METHODS[function]
    assert type(config.generator).__name__ == "ResNet5Generator"
    assert type(config.discriminator).__name__ == "ResNet5Discriminator"
    assert type(config.generator.norm).__name__ == NORMS.get(function, "BatchNorm")
    assert config.discriminator.spectral
    fids = dict(zip(("gan", "conditional", "ssgan", "ssgan_sbn"), TABLE_1[file], strict=True))
    said = f"best FID {fids[function]} (Table 1)" if function in fids else "Published"
    assert said in words(name)
    if file == "imagenet128" and function in TABLE_4_BEST:
        assert f"features {TABLE_4_BEST[function]} (Table 4)" in words(name)
    assert config.output.snapshot_every == (100_000 if file == "imagenet128" else 0)


def test_each_data_set_has_the_rows_of_table_1_and_rotation_alone():
    for file, (_, conditional, *_) in TABLE_1.items():
        functions = {name.split(":")[1] for name in AT_128 if name.startswith(file)}
        expected = {"gan", "ssgan", "ssgan_sbn", "rotation_only"}
        assert functions == expected | ({"conditional"} if conditional else set())


@pytest.mark.parametrize("name", MIMICRY)
def test_mimicry_s_settings(name):
    updates, decay, fid = MIMICRY[name]
    config = find_recipe(name)()
    assert_main_setting(config)
    adam = config.discriminator_optimizer
    assert (adam.beta1, adam.beta2, config.discriminator_updates) == (0.0, 0.9, updates)
    assert (config.learning_rate_decay, config.total_steps) == (decay, 100_000)
    assert type(config.method).__name__ == METHODS[name.split(":")[1].split("_")[0]]
    assert config.data.image_size == (48 if name.startswith("stl10") else 32)
    assert f"Published: FID {fid}" in words(name)
    family = "ResNetSTL" if name.startswith("stl10") else "ResNet"
    assert type(config.generator).__name__ == f"{family}Generator"
    pooling = "mean" if name.startswith("stl10") else "sum"  # the authors' networks, or SNGAN's
    assert config.discriminator.pooling == pooling
    assert config.discriminator.spectral


def test_the_large_gan_is_the_large_ssgan_without_the_rotation_terms():
    gan, ssgan = (find_recipe(f"imagenet_large:{method}_2048")() for method in ("gan", "ssgan"))
    assert gan == replace(ssgan, method=gan.method)


@pytest.mark.parametrize("name", LARGE)
def test_the_large_runs(name):
    batch, method, published = LARGE[name]
    config = find_recipe(name)()
    assert (config.batch_size, config.total_steps) == (batch, 350_000)
    assert type(config.method).__name__ == method
    if config.method.predicts_rotation:
        rotated = 4 * config.method.num_rotated(batch)  # in all four rotations
        assert rotated % (4 * 128) == 0  # whole images on each of 128 cores
    assert f"Published: {published}" in words(name)
    G, D = config.generator_optimizer, config.discriminator_optimizer
    assert (G.learning_rate, D.learning_rate) == (1e-4, 5e-4)
    assert {(adam.beta1, adam.beta2) for adam in (G, D)} == {(0.0, 0.999)}
    assert 0.9999**config.ema_halflife_steps == pytest.approx(0.5, abs=1e-4)
    assert (config.generator.latent_size, config.generator.chunked) == (120, True)
    assert config.generator.spectral


@pytest.mark.parametrize(
    ("name", "G", "D"),
    [
        ("imagenet128:ssgan", 13_786_115, 15_086_529 + 2_052),
        ("imagenet128:ssgan_sbn", 14_019_939, 15_086_529 + 2_052),
        ("imagenet128:gan", 13_786_115, 15_086_529),
        ("imagenet128:conditional", 19_668_227, 15_086_529 + 512 * 1000),
        ("lsun_bedroom128:ssgan_sbn", 14_019_939, 15_086_529 + 2_052),
        ("celebahq128:gan", 13_786_115, 15_086_529),
        ("imagenet_large:ssgan_2048", 68_612_548, 86_446_370 + 6_148),
        ("imagenet_large:gan_2048", 68_612_548, 86_446_370),
        ("robustness:gp10_b5_n1_ssgan", 5_849_603, 1_483_137 + 516),
        ("robustness:sn_b0_n1_gan", 5_849_603, 1_483_137),
        ("robustness_imagenet:gp1_b0_n2_ssgan", 13_786_115, 15_086_529 + 2_052),
        ("mimicry:ssgan", 4_276_739, 1_054_341 + 2 * (128 * 128 + 128)),  # two 1x1 shortcuts more
        ("stl10:gan", 6_254_339, 25_114_817),
    ],
)
def test_networks_have_the_published_numbers_of_weights(name, G, D):
    """Built where nothing is allocated; spectral norm and the start's distribution add none."""
    config = find_recipe(name)()
    num_classes = 1000 if config.method.conditional else 0
    other = {"spectral": False}
    if name.startswith("imagenet_large"):
        other["initial"] = "normal"
    generator, discriminator = (
        replace(part, **other) for part in (config.generator, config.discriminator)
    )
    with torch.device("meta"):
        generator = generator.build(config.data.shape, num_classes)
        width = config.method.auxiliary_width
        discriminator = discriminator.build(config.data.shape, width, num_classes)
    assert (parameter_count(generator), parameter_count(discriminator)) == (G, D)


def images_read(config):
    """The number of images that D reads in a step, counted by a D in the losses."""
    read, size, num_classes = [], config.batch_size, 10
    width = config.method.auxiliary_width_for(num_classes)

    def D(images, labels):
        read.append(len(images))
        sums = images.sum(dim=(1, 2, 3))
        return Scores(sums, sums[:, None].expand(-1, width), sums[:, None])

    def G(latents, labels):
        return latents[:, :3, None, None].expand(-1, -1, 2, 2)

    index = torch.arange(size)
    labels = index % num_classes if config.method.conditional else None
    real = Batch(torch.zeros(size, 3, 2, 2), labels, index, size)
    draw = GeneratorInput(
        torch.zeros(size, 3), labels, index, size, torch.zeros(size), torch.zeros, None
    )
    for _ in range(config.discriminator_updates):
        config.method.discriminator_loss(G, D, real, draw)
    config.method.generator_loss(G, D, draw)
    return sum(read)


@pytest.mark.parametrize("name", COSTED)
def test_the_cost_in_the_docstring_is_that_of_the_settings(name):
    config = find_recipe(name)()
    cost = re.search(
        r"Cost: ([\d,]+) steps, batch (\d+), n_dis (\d); D reads ([\d,]+) images a step\b",
        words(name),
    )
    if name in NEW:
        assert words(name).endswith(" images a step. Not run at this scale.")
    numbers = [int(part.replace(",", "")) for part in cost.groups()]
    settings = [config.total_steps, config.batch_size, config.discriminator_updates]
    assert numbers == [*settings, images_read(config)]


@pytest.mark.parametrize("name", [name for name in COSTED if name.startswith("successors:")])
def test_a_successor_s_cost_is_compared_with_that_of_ss_gan(name):
    ssgan = find_recipe("cifar10:ssgan_laptop" if name.endswith("_laptop") else "cifar10:ssgan")()
    annealed = "annealed" in name
    assert (f", SS-GAN {images_read(ssgan)}." in words(name)) != annealed
    assert (images_read(find_recipe(name)()) == images_read(ssgan)) == annealed


OWN = [name for name in list_recipes() if isinstance(find_recipe(name)().data.source, UserProvided)]


def test_imagenet_lsun_celeba_and_stl_are_the_user_s_own():
    files = {name.split(":")[0] for name in OWN}
    assert files == {*TABLE_1, "imagenet_large", "robustness_imagenet", "stl10"}


@pytest.mark.parametrize("ending", [[], ["--dry-run"]], ids=["run", "dry"])
@pytest.mark.parametrize("name", OWN)
def test_without_its_images_one_line_says_what_to_give(name, ending, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", name, *ending]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert find_recipe(name)().data.source.what in line
    assert "--data folder:PATH" in line
    assert list(tmp_path.iterdir()) == []
    assert f"ssgan train {name} --data folder:PATH" in words(name)


@pytest.mark.parametrize(
    "name", ["imagenet128:conditional", "stl10:gan", "robustness:gp1_b0_n1_gan"]
)
def test_with_images_it_is_planned(name, tmp_path, capsys):
    for number in range(8):
        pixels = np.random.default_rng(number).integers(0, 256, (50, 60, 3), dtype=np.uint8)
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    assert main(["train", name, "--data", f"folder:{tmp_path}", *TINY, "--dry-run"]) == 0
    assert "one step       D reads" in capsys.readouterr().out


def test_a_setting_of_a_recipe_without_images_can_be_seen(capsys):
    assert main(["train", "imagenet128:ssgan", "--help"]) == 0
    assert "data.source.what" in capsys.readouterr().out
