"""The suggestion and the contact sheet follow from the sizes of the pictures."""

import numpy as np
import pytest

from ssgan.data.inspection.contact_sheet import SIDE, dim_outside, draw_contact_sheet
from ssgan.data.inspection.suggestions import Sizes, suggest_settings
from ssgan.data.inspection.survey import survey_items
from ssgan.data.sources import parse_source
from tests.data.pictures import noise, preprocessing


@pytest.fixture
def survey_of(tmp_path):
    def write(*sizes, mode="RGB"):
        for k, (width, height) in enumerate(sizes):
            noise(k, width, height).convert(mode).save(tmp_path / f"{k}.png")
        collection = parse_source(str(tmp_path)).open()
        return collection, survey_items(collection, range(len(collection)), preprocessing(16))

    return write


def test_sizes_say_what_is_enlarged_and_what_a_crop_loses(survey_of):
    _, survey = survey_of((100, 50), (64, 64), (30, 60), (200, 200))
    sizes = Sizes.of(survey)
    assert sizes.short_sides == [30, 50, 64, 200]
    assert sizes.lost == [0, 0, 0.5, 0.5]
    assert [sizes.share_enlarged(size) for size in (32, 64, 65)] == [0.25, 0.5, 0.75]
    assert [row for row in sizes.histogram() if row[2]] == [
        (0, 32, 1),
        (48, 64, 1),
        (64, 128, 1),
        (128, 256, 1),
    ]
    assert sizes.share_losing_much == 0.5


def test_the_suggestion_is_that_of_training_unless_a_crop_loses_much(survey_of):
    collection, survey = survey_of((70, 70), (80, 70), mode="L")
    stats = collection.header_stats()
    found = suggest_settings(collection, survey, stats, 48)
    assert (found.size, found.channels, found.fit) == (48, 1, "crop")


def test_wide_pictures_are_padded(survey_of):
    collection, survey = survey_of((160, 90), (161, 90), (90, 160))
    found = suggest_settings(collection, survey, collection.header_stats(), 64)
    assert (found.fit, found.channels) == ("pad", 3)
    assert "--fit squash, as all have one shape" in found.reasons[-1]


def test_the_sheet_shows_whole_pictures_with_the_rest_of_the_square_dimmed(survey_of):
    collection, survey = survey_of((96, 48), (48, 48), (48, 96))
    pictures = draw_contact_sheet(collection, survey, preprocessing(16), 10)
    assert [one.pixels.shape[:2] for one in pictures] == [
        (SIDE // 2, SIDE),
        (SIDE, SIDE),
        (SIDE, SIDE // 2),
    ]
    assert [one.lost for one in pictures] == [0.5, 0, 0.5]
    padded = draw_contact_sheet(collection, survey, preprocessing(16, fit="pad"), 10)
    assert [one.lost for one in padded] == [0, 0, 0]
    wide, bright = pictures[0].pixels, padded[0].pixels
    middle = slice(SIDE // 4, 3 * SIDE // 4)
    assert np.array_equal(wide[:, middle], bright[:, middle])
    assert wide[:, : SIDE // 4 - 1].mean() < 0.4 * bright[:, : SIDE // 4 - 1].mean()
    assert np.array_equal(pictures[1].pixels, padded[1].pixels)


def test_few_pictures_of_many_are_on_the_sheet(survey_of):
    collection, survey = survey_of(*[(20, 20)] * 9)
    pictures = draw_contact_sheet(collection, survey, preprocessing(16), 3)
    assert [one.name for one in pictures] == ["0.png", "4.png", "8.png"]


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_dimming_leaves_the_largest_centred_square(shape):
    white = np.full((*shape, 3), 255, np.uint8)
    kept = (dim_outside(white) == 255).all(axis=2)
    rows, columns = np.nonzero(kept)
    assert kept.sum() == 16
    assert (rows.min(), columns.min()) == tuple((side - 4) // 2 for side in shape)
