"""The paper's numbers that studies print, digit by digit, against tables written from the paper."""

import pytest

from ssgan.studies.catalogue import STUDIES, find_study
from ssgan.studies.rendering import format_published

# name of the study, the number of its published table, the cells below the heading
TABLES = {
    "Table 1, CIFAR-10": ("table1", 0, "FID | 19.73 | 15.60 | 17.11 | 15.65"),
    "Table 1, ImageNet": ("table1-imagenet", 0, "FID | 56.67 | 42.07 | 47.56 | 43.87"),
    "Table 1, LSUN-Bedroom": ("table1-lsun", 0, "FID | 16.02 | 13.66 | 13.30"),
    "Table 1, CelebA-HQ": ("table1-celeba-hq", 0, "FID | 23.77 | 26.11 | 24.36"),
    "Table 2, CIFAR-10": ("table2", 0, """
        GP 1, betas 0, 0.9, n_dis 1 | 121.05 +- 31.44 | 25.8 +- 0.71
        GP 1, betas 0, 0.9, n_dis 2 | 28.11 +- 0.66 | 26.98 +- 0.54
        GP 1, betas 0.5, 0.999, n_dis 1 | 78.54 +- 6.23 | 25.89 +- 0.33
        GP 10, betas 0, 0.9, n_dis 1 | 188.52 +- 64.54 | 28.48 +- 0.68
        GP 10, betas 0, 0.9, n_dis 2 | 29.11 +- 0.85 | 27.74 +- 0.73
        GP 10, betas 0.5, 0.999, n_dis 1 | 117.67 +- 17.46 | 25.22 +- 0.38
        SN, betas 0, 0.9, n_dis 1 | 87.86 +- 3.44 | 19.65 +- 0.9
        SN, betas 0, 0.9, n_dis 2 | 20.24 +- 0.62 | 17.88 +- 0.64
        SN, betas 0.5, 0.999, n_dis 1 | 86.87 +- 8.03 | 18.23 +- 0.56
    """),
    "Table 2, ImageNet": ("table2-imagenet", 0, """
        GP 1, betas 0, 0.9, n_dis 1 | 183.36 +- 77.21 | 80.67 +- 0.43
        GP 1, betas 0, 0.9, n_dis 2 | 85.13 +- 2.88 | 83.08 +- 0.38
        GP 1, betas 0.5, 0.999, n_dis 1 | 104.73 +- 2.71 | 91.63 +- 2.78
        GP 10, betas 0, 0.9, n_dis 1 | 227.04 +- 31.45 | 85.38 +- 2.7
        GP 10, betas 0, 0.9, n_dis 2 | 227.74 +- 16.82 | 80.82 +- 0.64
        GP 10, betas 0.5, 0.999, n_dis 1 | 242.71 +- 13.62 | 144.35 +- 91.4
        SN, betas 0, 0.9, n_dis 1 | 129.96 +- 6.6 | 86.09 +- 7.66
        SN, betas 0, 0.9, n_dis 2 | 80.05 +- 1.33 | 70.64 +- 0.31
        SN, betas 0.5, 0.999, n_dis 1 | 201.94 +- 27.28 | 99.97 +- 2.75
    """),
    "Figure 3": ("figure3", 0, """
        without rotation | 0.83 to 0.84 | 0.49 at 2,000 | 0.50 at 12,000 | 0.60 to 0.71
        with rotation | 0.87 to 0.88 | 0.63 and 0.66 | 0.69 and 0.73 | -
    """),
    "The large runs": ("large-batch", 0, """
        SS-GAN, batch 2048, best | 23.4 | the abstract; the batch is from memory
        SS-GAN, batch 2048, mean of 3 seeds | 23.6 +- 0.1 | from memory, not verified
        GAN, batch 2048, mean of 3 seeds | 71.6 +- 66.3 | from memory, not verified
        SS-GAN, batch 1024 | 33.5 | the first version's text
    """),
    "Table 5": ("table4", 1, """
        Context | 0.317
        BiGAN | 0.310
        Colorization | 0.326
        RotNet | 0.387
        DeepClustering | 0.410
        SS-GAN (sBN), mean of 3 models | 0.383
    """),
}  # fmt: skip

# name of the study, the number of digits printed, a row a curve; ">" and "~" are no known numbers
CURVES = {
    "Figure 4a": ("figure4", 1, """
        GAN | 34.6 | 28.2 | 26.0 | 24.3 | 22.4 | 22.0 | 20.7 | 20.5 | 20.3 | 20.9
        conditional GAN | 29.8 | 23.8 | 20.9 | 19.0 | 17.4 | 17.1 | 16.6 | 16.6 | 16.5 | 16.4
        SS-GAN | 34.3 | 26.1 | 22.1 | 20.2 | 19.0 | 19.4 | 18.2 | 18.3 | 18.2 | 17.8
        SS-GAN (sBN) | 27.3 | 21.3 | 19.8 | 19.4 | 18.0 | 17.4 | 17.1 | 16.3 | 16.8 | 16.5
    """),
    "Figure 4b": ("figure4b", 1, """
        GAN | 78 | 67 | 64 | 63 | 62 | > 125 | 117 | 117 | 110 | > 125
        conditional GAN | 71 | 61 | 56 | 53 | 51 | 49 | 47 | 48 | 46 | 45
        SS-GAN | 69.5 | 60 | 56 | 55 | 52.5 | 51 | 50 | 49 | 49 | 48
        SS-GAN (sBN) | 64 | 57 | 53 | 51 | 49 | 48 | 46.5 | 46 | 45 | 45
    """),
    "Figure 2": ("figure2", 3, """
        GAN | .168 | .216 | .228 | .229 | .224 | .158 | .096 | .144 | .140 | .074
        SS-GAN | .233 | .297 | .331 | .354 | .368 | .377 | .381 | .386 | .383 | .383
    """),
    "Figure 6": ("figure6", 3, """
        GAN | ~.19 | .24 | .25 | .247 | .242 | .168 | .155 | .153 | .15 | .076
        conditional GAN | .333 | .352 | .353 | .354 | .348 | .346 | .34 | .337 | .332 | .329
        rotation only | .245 | .277 | .286 | .281 | .274 | .27 | .257 | .238 | .218 | .204
        SS-GAN | .248 | .311 | .345 | .366 | .377 | .384 | .385 | .388 | .385 | .384
    """),
}  # fmt: skip


def rows_of(text):
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    heading, *rows = [[trial.strip() for trial in line] for line in lines]
    return heading, rows


def said_by(name, number=0):
    return format_published(find_study(name).paper.renderer.published[number])


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_digits_that_are_published(table):
    name, number, expected = TABLES[table]
    text = said_by(name, number)
    assert text.startswith("## Published")
    assert table in text
    _, rows = rows_of(text)
    assert rows == [line.strip().split(" | ") for line in expected.strip().splitlines()]


@pytest.mark.parametrize("figure", CURVES)
def test_a_figure_has_the_numbers_that_were_read_off(figure):
    name, digits, expected = CURVES[figure]
    heading, rows = rows_of(said_by(name))
    assert figure in said_by(name)
    printed = [[heading[k], *(row[k] for row in rows)] for k in range(1, len(heading))]
    curves = [line.strip().split(" | ") for line in expected.strip().splitlines()]
    assert printed == [
        [label, *("-" if v[0] in ">~" else f"{float(v):.{digits}f}" for v in values)]
        for label, *values in curves
    ]
    first = 10_000 if name == "figure4" else 100_000
    assert [row[0] for row in rows] == [f"{k * first:,}" for k in range(1, 11)]


def test_that_numbers_of_alpha_are_not_known_is_said():
    text = said_by("alpha")
    assert text.startswith("## Published\n\nNo numbers: ")
    assert "Table 6" in text
    assert "From memory, not verified" in text
    assert "|" not in text


@pytest.mark.parametrize("name", ["figure2", "figure6"])
def test_that_the_curves_ss_gan_may_be_the_self_modulated_one_is_said(name):
    assert "whether its SS-GAN has self-modulated batch norm is not known" in said_by(name)


@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_that_the_paper_s_samples_are_of_another_model_is_said(scale):
    (words,) = find_study("figure5").at_scale(scale).renderer.published
    assert "of the paper's large model of ImageNet at 128 pixels" in format_published(words)
    assert "|" not in format_published(words)


def test_what_is_inferred_about_table_2_is_said():
    assert "about 100,000 steps as inferred" in said_by("table2-imagenet")


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("table1")])
def test_the_columns_of_table_1_are_its_arms(name):
    heading, _ = rows_of(said_by(name))
    assert heading[1:] == [variant.label for variant in find_study(name).paper.variants]
