"""Variants: their flags, and the names of their runs."""

from pathlib import Path

import pytest

from ssgan.data.sources import parse_source
from ssgan.studies.catalogue import find_study
from ssgan.studies.options import slug
from ssgan.studies.variants import select_variants
from ssgan.types import UserError
from tests.studies.made_up import DATA, commands, options


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], "a-b"),
        (["--total_steps", "20"], "a-b-total_steps=20"),
        (["--method.alpha=0.5", "--batch_size", "8"], "a-b-batch_size=8-method.alpha=0.5"),
        (["--output.snapshot_every", "5", "--device", "cpu", "--evaluate.every", "2"], "a-b"),
        (["--activation_checkpointing", "true"], "a-b"),
    ],
)
def test_a_run_is_named_after_the_settings_that_affect_learning(flags, expected):
    assert slug("a:b", flags) == expected


def test_long_or_odd_settings_become_a_digest_that_tells_them_apart():
    names = {slug("a:b", ["--generator.norm", f"x{'y' * 90}{k}"]) for k in range(3)}
    names |= {slug("a:b", ["--word", word]) for word in ("a/b", "a b", "../c")}
    assert len(names) == 6
    assert all(len(name) == len("a-b-") + 8 for name in names)


@pytest.mark.parametrize("flag", ["--output.snapshot_every", "--output.keep_every"])
def test_a_flag_replaces_the_variant_s_own_under_its_present_and_its_old_name(flag):
    (variant,) = select_variants(find_study("figure4").paper.variants, "ssgan")
    chosen = options(Path("out"), scale="paper", overrides=(flag, "5000"))
    assert variant.flags(chosen) == (flag, "5000")
    config = variant.settings(chosen, 0, parse_source(DATA).info())
    assert config.output.snapshot_every == 5000


def test_variants_are_selected_by_name_in_the_study_s_order():
    variants = find_study("table3").laptop.variants
    assert [variant.name for variant in select_variants(variants, "ssgan,gan")] == ["gan", "ssgan"]
    with pytest.raises(UserError, match="no variant 'ssgam'; did you mean ssgan"):
        select_variants(variants, "ssgam")
    with pytest.raises(UserError, match="needs names: gan, conditional"):
        select_variants(variants, ",")


def test_a_flag_of_the_user_replaces_the_variant_s_own():
    own = parse_source(DATA).held_out().name()
    given = ("--width", "0.5", "--iterations-per-task=10")
    chosen = options(Path("out"), seeds=(0,), overrides=given, test=own)
    first, _ = commands("figure3", chosen)
    assert first.count("--width") == first.count("--iterations-per-task") == 1
    assert "--width 0.5 --iterations-per-task=10 --seed 0" in first
