"""The paper's numbers that studies print, digit by digit, against tables written from the paper."""

import pytest

from ssgan.studies.every import STUDIES, find_study
from ssgan.studies.markdown import published

# name of the study, which of its published tables, the cells below the heading
TABLES = {
    "Table 1, CIFAR-10": ("table1", 0, "FID | 19.73 | 15.60 | 17.11 | 15.65"),
    "Table 1, ImageNet": ("table1-imagenet", 0, "FID | 56.67 | 42.07 | 47.56 | 43.87"),
    "Table 1, LSUN-Bedroom": ("table1-lsun", 0, "FID | 16.02 | 13.66 | 13.30"),
    "Table 1, CelebA-HQ": ("table1-celeba-hq", 0, "FID | 23.77 | 26.11 | 24.36"),
    "Table 5": ("table4", 1, """
        Context | 0.317
        BiGAN | 0.310
        Colorization | 0.326
        RotNet | 0.387
        DeepClustering | 0.410
        SS-GAN (sBN), mean of 3 models | 0.383
    """),
}  # fmt: skip


def rows_of(text):
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    heading, *rows = [[cell.strip() for cell in line] for line in lines]
    return heading, rows


def said_by(name, number=0):
    return published(find_study(name).paper.drawing.published[number])


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_the_digits_that_are_published(table):
    name, number, expected = TABLES[table]
    text = said_by(name, number)
    assert text.startswith("## Published")
    assert table in text
    _, rows = rows_of(text)
    assert rows == [line.strip().split(" | ") for line in expected.strip().splitlines()]


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("table1")])
def test_the_columns_of_table_1_are_its_arms(name):
    heading, _ = rows_of(said_by(name))
    assert heading[1:] == [arm.label for arm in find_study(name).paper.arms]
