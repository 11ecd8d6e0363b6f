"""Durations in words."""

import pytest

from ssgan.config.text import spell_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a second"),
        (1.2, "1 second"),
        (59.4, "59 seconds"),
        (59.6, "1 minute"),
        (360, "6 minutes"),
        (3569, "59 minutes"),
        (3571, "1 hour"),
        (9000, "2.5 hours"),
        (47.9 * 3600, "47.9 hours"),
        (48 * 3600, "2 days"),
        (30.25 * 86400, "30.2 days"),
    ],
)
def test_minutes_stand_below_an_hour_and_days_from_two_days_on(seconds, words):
    assert spell_duration(seconds) == words
