"""The files of a study."""

import json

from tests.studies.made_up import lines_of, options, plan, write


def test_the_results_hold_protocol_commands_and_every_number(table1):
    chosen, found = table1
    write("table1", chosen, found)
    facts = json.loads((chosen.out / "table1" / "results.json").read_text())
    assert facts["measured"]["protocol"]["features_identity"] == "f" * 64
    assert facts["measured"]["values"]["gan"] == {"0": 68.2, "1": 71.9, "2": 64.4}
    assert len(facts["commands"]) == 12
    assert facts["options"]["seeds"] == [0, 1, 2]
    assert [run["seed"] for run in facts["runs"]] == [0, 0, 1, 1, 2, 2]
    page = (chosen.out / "table1" / "table.md").read_text()
    assert all(command in page for command in facts["commands"])


def test_published_numbers_have_a_table_of_their_own(table1):
    text = write("table1", *table1).text
    ours, theirs = text.split("## Published (full width, 100,000 steps, other protocol)")
    assert "17.11" in theirs
    assert "17.11" not in ours
    assert "FID" in ours


def test_what_is_missing_is_named_and_the_rest_is_drawn(table1):
    chosen, found = table1
    found[3].measuring[0].result.unlink()
    result = write("table1", chosen, found)
    assert result.missing == ("SS-GAN: seed 1",)
    assert "Missing: SS-GAN: seed 1." in result.text
    assert lines_of(result.text)["SS-GAN minus GAN"][1] == "2"


def test_a_study_without_results_says_so(tmp_path):
    chosen = options(tmp_path)
    assert "Nothing is measured yet." in write("table1", chosen, plan("table1", chosen)).text
