"""Every must about images and settings has two different faults that its tests see."""

from tests.scorecard.faults_inputs import INPUT_FAULTS
from tests.scorecard.inputs import INPUTS


def test_every_must_about_inputs_has_two_faults() -> None:
    assert [p.id for p in INPUTS if p.must and len(set(INPUT_FAULTS.get(p.id, ()))) < 2] == []


def test_a_promise_about_inputs_has_a_short_list_of_tests_or_says_why() -> None:
    assert [p.id for p in INPUTS if not (1 <= len(set(p.tests)) == len(p.tests) or p.limit)] == []
