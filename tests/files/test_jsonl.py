"""Logs of one JSON object a line: torn by a crash, or edited by hand."""

import pytest

from ssgan.files.jsonl import (
    FLAG,
    NUMBER,
    NUMBER_OR_NULL,
    PAIR,
    SHARE,
    TEXT,
    TEXTS,
    WHOLE,
    cut_back,
    read,
)
from ssgan.types import UserError

GOOD = '{"step": 1, "value": 0.5}\n'
NEEDS = {"step": WHOLE, "value": NUMBER}


def test_a_torn_last_line_and_empty_ones_are_passed_over_and_a_missing_file_has_no_rows(tmp_path):
    path = tmp_path / "log.jsonl"
    assert list(read(path, NEEDS)) == []
    path.write_text(f'{GOOD}\n{GOOD} \n{{"step": 2, "val')
    assert [row["step"] for row in read(path, NEEDS)] == [1, 1]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"step": 2, "val', "it is not valid JSON"),
        ("[" * 100_000, "it is not valid JSON"),
        ("[1, 2]", "it must be an object, not [1, 2]"),
        ("3", "it must be an object, not 3"),
        ('{"step": 2}', "it has no 'value'"),
        ('{"step": "2", "value": 1}', 'step must be a whole number, 0 or more, not "2"'),
        ('{"step": 2, "value": "high"}', 'value must be a number below 1e100, not "high"'),
        ('{"step": 2, "value": 1, "other": 1}', "other must be a text, not 1"),
    ],
)
def test_a_line_that_nobody_wrote_is_named(line, complaint, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(f"{GOOD}{line}\n{GOOD}")
    with pytest.raises(UserError) as error:
        list(read(path, NEEDS, others=TEXT))
    assert str(error.value) == f"{path}, line 2: {complaint}; correct or remove the line"


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (WHOLE, [0, 2**63 - 1], [-1, 2**63, 1.0, True, None]),
        (NUMBER, [0, -1.5, 1e99], [1e300, float("nan"), float("inf"), 10**400, False, None, "1"]),
        (SHARE, [0, 0.5, 1, 1.0], [-0.1, 1.1, float("nan"), True, "1", None]),
        (NUMBER_OR_NULL, [None, 1.5], [float("nan"), "none"]),
        (FLAG, [True, False], [0, 1, "true", None]),
        (TEXT, ["", "a"], [1, None, ["a"]]),
        (TEXTS, [[], ["a", "b"]], ["ab", [1], None]),
        (PAIR, [[0, 1.5]], [[1], [1, 2, 3], [1, "2"], "12"]),
    ],
)
def test_what_a_value_may_be(kind, good, bad):
    assert all(kind.fits(value) for value in good)
    assert not any(kind.fits(value) for value in bad)


def test_cutting_back_drops_later_rows_and_what_is_no_row(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(f'{GOOD}not a row\n[1]\n{{"step": 3}}\n{GOOD}{{"st')
    cut_back(path, 2)
    assert path.read_text() == 2 * GOOD


def test_rows_saved_in_utf_16_are_named_and_not_cut_away(tmp_path):
    """Each line is broken then, and continuing a run removes broken lines."""
    path = tmp_path / "log.jsonl"
    path.write_bytes('{"step": 1}\n{"step": 2}\n'.encode("utf-16"))
    before = path.read_bytes()
    with pytest.raises(UserError, match="perhaps in UTF-16: save it as UTF-8"):
        list(read(path, {}))
    with pytest.raises(UserError, match="perhaps in UTF-16: save it as UTF-8"):
        cut_back(path, 1)
    assert path.read_bytes() == before
    path.write_bytes('{"step": 1}\n{"step": 2}\n'.encode("utf-8-sig"))
    assert [row["step"] for row in read(path, {})] == [1, 2]
    path.write_bytes(path.read_bytes() + bytes(4096))  # as a loss of power leaves it
    cut_back(path, 1)
    assert path.read_text() == '{"step": 1}\n'
