"""The paper's numbers that studies print, digit by digit, against tables written from the paper."""

import pytest

from ssgan.studies.every import find_study
from ssgan.studies.markdown import published

# name of the study, which of its published tables, the cells below the heading
TABLES = {
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
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return rows[0], rows[1:]


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
