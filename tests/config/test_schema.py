"""The nearest names, and what a declared type may hold."""

import pytest

from ssgan.config.nearest import did_you_mean, edit_distance, nearest
from ssgan.config.schema import form_of
from tests.config.example import Method, Norm, Shape


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [
        ("alpha", "alpha", 0),
        ("alhpa", "alpha", 1),
        ("alph", "alpha", 1),
        ("", "ab", 2),
        ("alphaa", "alpha", 1),
        ("axpha", "alpha", 1),
        ("kitten", "sitting", 3),
        ("ca", "abc", 3),
    ],
)
def test_a_change_a_loss_an_extra_letter_and_a_swap_are_one_edit(a, b, edits):
    assert edit_distance(a, b) == edit_distance(b, a) == edits


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("total_stpes", ["total_steps"]),
        ("steps", ["total_steps", "ema_start_steps"]),  # as a whole word
        ("bata", ["beta", "data"]),  # equally near
        ("Seed", ["seed"]),
        ("see", ["seed"]),  # one edit comes before a whole word
        ("ema", ["ema_start_steps"]),  # a whole word comes before two edits (beta)
        ("optimizer", []),
        ("", []),
    ],
)
def test_the_nearest_names_have_the_fewest_edits_or_the_name_as_a_word(name, found):
    names = ["total_steps", "beta", "data", "seed", "see_all", "ema_start_steps", "seed"]
    assert nearest(name, names) == found


def test_no_more_than_five_names_are_suggested():
    assert len(nearest("ab", [f"a{letter}" for letter in "cdefghij"])) == 5
    assert did_you_mean(["a", "b"]) == "did you mean a or b?"
    assert did_you_mean([]) == ""


def test_a_form_says_what_a_declared_type_may_hold():
    assert form_of(int)[:2] == ((int,), False)
    assert form_of(int | str | None)[:2] == ((int, str), True)
    assert form_of(Method | None).specs == (Method,)
    assert form_of(Method | int).specs == ()
    assert form_of(Shape | None).named is Shape
    assert form_of(tuple[Norm, ...]).items == (Norm, ...)
    assert form_of(tuple[int, ...]).items is None
    assert form_of(None) == ((), True, (), None, None)
