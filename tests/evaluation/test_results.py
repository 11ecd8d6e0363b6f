import json
from dataclasses import replace
from pathlib import Path

import pytest

from ssgan.evaluation.format import format_card, format_comparison
from ssgan.evaluation.results import (
    Result,
    check_replaceable,
    read_results,
    require_comparable,
    write_results,
)
from ssgan.metrics.protocol import Protocol
from ssgan.types import UserError

PROTOCOL = Protocol(
    features="inception-2015",
    features_identity="7ff4" * 16,
    resize="tf1-bilinear",
    num_real=10_000,
    num_fake=10_000,
    split="test",
    content="ab" * 32,
    selection="all",
    seeds=(0, 1, 2),
)
FID = Result(
    name="FID",
    subject="run a, step 5",
    subject_content="cd" * 32,
    against="cifar10-test",
    values=(12.3, 12.4, 12.35),
    protocol=PROTOCOL,
)
KID = replace(
    FID,
    name="KID",
    values=(0.0101,),
    std_within=0.002,
    parameters={"subsets": 100, "subset size": 1000},
)


def other(result, **changes):
    """The result of another run, with another protocol."""
    protocol = replace(result.protocol, **changes)
    return replace(result, subject="run b, step 9", protocol=protocol)


def test_a_result_comes_back_from_its_line(tmp_path):
    infinity = replace(FID, name="FID-infinity", low=9.5, high=10.5)
    write_results(tmp_path / "r.jsonl", [FID, KID, infinity])
    assert read_results(tmp_path / "r.jsonl") == [FID, KID, infinity]
    row = json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])
    assert row["value"] == pytest.approx(12.35)
    assert row["spread"] == pytest.approx(0.05)
    assert row["protocol"]["features_identity"] == "7ff4" * 16
    assert row["version"]


def test_the_card_shows_value_spread_and_protocol():
    text = format_card([FID, KID])
    for words in (
        "run a, step 5: 10,000 images, 3 times (sample seeds 0, 1, 2)",
        "cifar10-test: 10,000 real images, split test, all of them, content abababababab",
        "inception-2015 7ff47ff47ff4, resize tf1-bilinear",
        "12.35 +- 0.05",
        "0.01010",
        "subsets 100, subset size 1000",
    ):
        assert words in text, words


def test_like_results_stand_in_one_table_a_row_a_subject():
    better = other(replace(FID, values=(9.0, 9.2)), seeds=(5, 6))
    lines = format_comparison([FID, KID, better]).splitlines()
    assert lines[-3].split() == ["FID", "KID"]
    assert lines[-2].split() == ["run", "a,", "step", "5", "12.35", "+-", "0.05", "0.01010"]
    assert lines[-1].split() == ["run", "b,", "step", "9", "9.100", "+-", "0.141", "-"]


UNLIKE = [
    {"features": "random"}, {"features_identity": "00" * 32}, {"resize": "clean-bicubic"},
    {"num_real": 50_000}, {"num_fake": 50_000}, {"split": "train"}, {"content": "cd" * 32},
    {"selection": "first of keyed permutation 0"}, {"dtype": "bfloat16"},
]  # fmt: skip


@pytest.mark.parametrize("change", UNLIKE, ids=lambda change: next(iter(change)))
def test_unlike_protocols_are_refused_with_both_values_and_both_subjects(change):
    ((name, value),) = change.items()
    words = f"{name} {getattr(PROTOCOL, name)!r} against {value!r}"
    for results in ([FID, other(FID, **change)], [FID, other(KID, **change)]):
        with pytest.raises(UserError) as refusal:
            format_comparison(results)
        assert words in str(refusal.value)
        assert "run a, step 5" in str(refusal.value)
        assert "run b, step 9" in str(refusal.value)


def test_other_parameters_of_a_number_are_refused():
    fewer = replace(KID, subject="run b", parameters={"subsets": 10, "subset size": 1000})
    with pytest.raises(UserError, match=r"subsets 100 against 10$"):
        require_comparable(KID, fewer)
    with pytest.raises(UserError, match=r"subsets 100 against 10$"):
        format_comparison([FID, KID, fewer])


BAD = {
    "missing": None,
    "empty": b"",
    "no json": b"FID 12\n",
    "a list": b"[1]\n",
    "no protocol": b'{"name": "FID"}\n',
    "no values": b'{"name": "FID", "protocol": {"seeds": []}, "values": []}\n',
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_result_is_one_line(tmp_path, kind):
    path = tmp_path / "r.jsonl"
    if BAD[kind] is not None:
        path.write_bytes(BAD[kind])
    with pytest.raises(UserError, match=r"r\.jsonl") as refusal:
        read_results(path)
    assert "\n" not in str(refusal.value)


def test_not_a_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(tmp_path / "r.jsonl", [replace(FID, values=(float("nan"),))])
    assert not (tmp_path / "r.jsonl").exists()


def test_results_of_version_0_1_0_are_read_under_the_names_of_today():
    """`within` is std_within; authenticity is 1 - "too close", duplicates are "copies"."""
    path = Path(__file__).parent / "stored" / "results_0.1.0.jsonl"
    before = {row["name"]: row for row in map(json.loads, path.read_text().splitlines())}
    found = {result.name: result for result in read_results(path)}
    assert before["too close"]["values"] == [0.21875, 0.3125]
    assert {name: result.values for name, result in found.items() if name != "KD-random"} == {
        "authenticity": (0.78125, 0.6875),
        "duplicates": (0.0, 0.0),
        "authenticity (held out)": (0.5,),
        "duplicates (held out)": (0.0,),
    }
    assert found["KD-random"].std_within == before["KD-random"]["within"] > 0
    assert found["KD-random"].values == tuple(before["KD-random"]["values"])


def test_old_results_stand_in_one_table_with_those_of_today(tmp_path):
    path = Path(__file__).parent / "stored" / "results_0.1.0.jsonl"
    old = read_results(path)
    write_results(tmp_path / "again.jsonl", old)
    assert read_results(tmp_path / "again.jsonl") == old
    header = format_comparison([*old, *read_results(tmp_path / "again.jsonl")]).splitlines()[-2]
    assert header.count("authenticity") == 2  # of the samples, and of held-out images


FOREIGN = replace(
    FID,
    against="stats.npz",
    protocol=replace(
        PROTOCOL,
        num_real=None,
        split="unknown",
        content=None,
        selection="unknown",
        assumed=("features", "features_identity", "resize", "dtype"),
    ),
)


def test_what_a_foreign_file_does_not_say_stands_beside_the_number():
    for text in (format_card([FOREIGN]), format_comparison([FOREIGN])):
        assert "against  stats.npz: an unknown number of real images, and which is unknown" in text
        assert "assumed  stats.npz: inception-2015 features, resize tf1-bilinear; the file" in text
        assert "all of them" not in text
    assert "assumed" not in format_card([FID])


def test_what_was_assumed_is_stored_and_lines_of_before_still_compare(tmp_path):
    path = tmp_path / "r.jsonl"
    write_results(path, [FOREIGN])
    row = json.loads(path.read_text())
    assert row["protocol"]["assumed"] == ["features", "features_identity", "resize", "dtype"]
    del row["protocol"]["assumed"]
    row["protocol"]["selection"] = "all"  # which it was called
    path.write_text(json.dumps(row))
    (before,) = read_results(path)
    assert before.protocol.selection == "unknown"
    require_comparable(before, FOREIGN)


def test_values_against_two_files_that_do_not_say_their_images_do_not_compare():
    require_comparable(FOREIGN, replace(FOREIGN, subject="run b, step 9"))
    with pytest.raises(UserError, match=r"stats\.npz and others\.npz do not say of which images"):
        require_comparable(FOREIGN, replace(FOREIGN, against="others.npz"))


def test_only_results_are_replaced(tmp_path):
    path = tmp_path / "r.jsonl"
    check_replaceable(path, FID.subject)
    path.touch()
    check_replaceable(path, FID.subject)
    write_results(path, [FID])
    check_replaceable(path, FID.subject)
    path.write_text(path.read_text() + '{"my": "notes"}\n')
    with pytest.raises(UserError, match=r"would replace what is no result: .* line 2, is no"):
        check_replaceable(path, FID.subject)
    (tmp_path / "d.jsonl").mkdir()
    with pytest.raises(UserError, match="would replace what is no result"):
        check_replaceable(tmp_path / "d.jsonl", FID.subject)


def test_a_byte_order_mark_is_no_part_of_a_line_and_utf_16_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    write_results(path, [FID, KID])
    text = path.read_text()
    path.write_bytes(text.encode("utf-8-sig"))
    assert read_results(path) == [FID, KID]
    path.write_bytes(text.encode("utf-16"))
    with pytest.raises(UserError, match="is no text in UTF-8, perhaps in UTF-16: save it as"):
        read_results(path)
