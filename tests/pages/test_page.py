import base64
import io

import jinja2
import numpy as np
import pytest
from PIL import Image

from ssgan.pages.charts import ChartCurve, Guide, find_ticks, histogram, line_chart
from ssgan.pages.page import render_page, spell_number
from ssgan.pages.pictures import join_pictures, picture_uri, undo_enlargement

HOSTILE = "<script>alert('x')</script>"


def test_labels_and_titles_of_charts_are_escaped():
    xs = np.array([0.0, 1.0])
    curve = ChartCurve(HOSTILE, xs, xs)
    drawn = line_chart([curve], title=HOSTILE, x_label=HOSTILE, guides=[Guide(0.5, HOSTILE)])
    drawn += histogram(xs, title=HOSTILE, x_label=HOSTILE)
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


def test_the_page_refuses_a_missing_value():
    with pytest.raises(jinja2.TemplateNotFound):
        render_page("pages/nothing.html")
    assert "<main" in render_page("pages/base.html")


def test_a_value_that_is_not_finite_leaves_a_gap():
    ys = np.array([1.0, 2.0, np.nan, 3.0, np.inf])
    drawn = line_chart([ChartCurve("D", np.arange(5.0), ys)], title="loss")
    assert drawn.count("<polyline") == 2
    assert drawn.count("<circle") == 3
    assert "inf" not in drawn.partition("<svg")[2].partition("<details")[0].replace("info", "")


@pytest.mark.parametrize("ys", [[], [0.0], [np.nan], [5.0, 5.0], [-1e30, 1e30]])
def test_any_curve_is_drawn_within_the_view_box(ys):
    xs = np.arange(float(len(ys)))
    drawn = line_chart([ChartCurve("D", xs, np.array(ys, dtype=float))], title="loss")
    assert "nan" not in drawn.partition("<svg")[2].partition("<details")[0]


def test_a_long_curve_is_shown_as_means_with_their_range():
    ys = np.tile([0.0, 1.0], 500)
    drawn = line_chart([ChartCurve("D", np.arange(1000.0), ys)], title="loss")
    assert "<polygon" in drawn
    assert len(drawn) < 30_000


def test_ticks_are_round_and_within_the_range():
    assert find_ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert find_ticks(3, 9700) == [2000, 4000, 6000, 8000]
    assert find_ticks(-1.5, 2) == [-1, 0, 1, 2]


def test_a_picture_is_read_back_from_its_uri():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    kind, _, data = picture_uri(pixels).partition(",")
    assert kind == "data:image/png;base64"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), pixels)
    with pytest.raises(ValueError, match="uint8"):
        picture_uri(pixels.astype(float))


def test_an_enlarged_picture_shrinks_to_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    large = Image.fromarray(pixels.repeat(3, axis=0).repeat(3, axis=1))
    assert np.array_equal(np.asarray(undo_enlargement(large)), pixels)
    assert undo_enlargement(Image.fromarray(pixels)).size == (4, 6)


def test_pictures_stand_row_by_row():
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1) * np.ones((1, 2, 2, 1), np.uint8)
    page = join_pictures(images, columns=2, gap=1)
    assert page.shape == (5, 5, 1)
    assert (page[0, 0, 0], page[0, 3, 0], page[3, 0, 0], page[0, 2, 0]) == (0, 1, 2, 128)


def test_numbers_are_short():
    given = (20000, 0.123456, 12345.6, None, 3.0, float("inf"), -0.5)
    spelled = ["20,000", "0.1235", "12,346", "–", "3", "inf", "-0.5"]
    assert [spell_number(value) for value in given] == spelled
