"""The options of every verb: help and errors without PyTorch, synonyms, shell completion."""

import dataclasses
import shutil
import subprocess
import sys
from typing import get_args

import pytest

from ssgan.cli import options
from ssgan.cli.config_args import read_config
from ssgan.cli.help import SHELLS, format_completion, format_help
from ssgan.cli.images.options import Sample
from ssgan.cli.main import OTHER_VERBS, VERBS, main
from ssgan.cli.measure_options import Evaluate, Forget, Probe
from ssgan.cli.parser import UsageError, list_fields, parse
from ssgan.data.sources import FORMS
from ssgan.evaluation.feature_networks import NAMES
from ssgan.evaluation.metrics import METRICS
from ssgan.evaluation.probe.maps import POOLINGS
from ssgan.evaluation.probe.probe import ProbeSettings, Solver
from ssgan.metrics.resize import ResizeRule
from ssgan.models.resnet import RESNET
from ssgan.recipes.find import list_recipes
from ssgan.runs.config import RunConfig
from ssgan.runs.precision import Precision
from ssgan.studies.catalogue import STUDIES
from ssgan.studies.forgetting.settings import ForgettingSettings
from ssgan.studies.options import Scale
from ssgan.training.ranks.distributed import TIMEOUT

WRONG_WORDS = [
    (["tain"], "no verb 'tain'; did you mean train?"),
    (["sample", "run", "--sed", "3"], "sample has no --sed; did you mean --seed?"),
    (["sample", "run", "--n", "many"], "--n must be a whole number, 1 or more, not 'many'"),
    (["sample", "run", "--n"], "--n needs a value"),
    (["sample", "run", "--n", "1", "--n=2"], "--n is given twice"),
    (["sample", "run", "--gif=yes"], "--gif takes no value"),
    (["sample"], "sample needs RUN: a run directory, a checkpoint, a model's file"),
    (["sample", "a", "b"], "sample takes one RUN, not a b"),
    (["train"], "train needs a recipe or --data SOURCE; see ssgan train --help"),
    (["train", "scenes:gan", "--dry-rn"], "train has no --dry-rn; did you mean --dry-run?"),
    (["train", "scenes:gan", "--total_steps"], "--total_steps needs a value"),
    (["train", "scenes:gan", "--restarts", "2"], "--restarts requires --processes 2 or more"),
    (["train", "scenes:gan", "--numa", "node"], "--numa node requires --processes 2 or more"),
    (["train", "scenes:gan", "--processes", "all"], "must be auto or a whole number, 1 or more"),
    (["train", "scenes:gan", "--on-collapse", "end"], "--on-collapse must be warn or stop, not"),
    (["features", "run", "--data", "scenes"], "features needs --out FILE: "),
    (["forget", "--draw", "a", "--seed", "1"], "leave --seed out"),
    (["probe", "run", "--data", "scenes", "--l2", "x"], "--l2 must be a number, not 'x'"),
    (["study", "table1", "--scale", "huge"], "--scale must be laptop or paper, not 'huge'"),
    (["demo", "fast"], "demo takes no 'fast'; see ssgan demo --help"),
    (["--print-completion", "tcsh"], "--print-completion must be one of bash, zsh, fish"),
]
WITHOUT_TORCH = """
import sys
from ssgan.cli.main import main
code = main(sys.argv[1:])
heavy = [name for name in ("torch", "numpy", "pydantic", "rich", "shtab") if name in sys.modules]
sys.exit(f"imported: {heavy}" if heavy else code)
"""


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_needs_nothing_heavy(verb):
    words = [sys.executable, "-c", WITHOUT_TORCH, verb, "--help"]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    for field in list_fields(VERBS[verb]):
        assert field.name in ended.stdout, field.name
        assert field.help, field.name


@pytest.mark.parametrize(("words", "expected"), WRONG_WORDS, ids=lambda v: " ".join(v)[:40])
def test_wrong_words_are_one_line_and_need_nothing_heavy(words, expected):
    words = [sys.executable, "-c", WITHOUT_TORCH, *words]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert line.startswith("ssgan: ")
    assert expected in line


@pytest.mark.parametrize("verb", VERBS)
def test_a_misspelt_option_of_any_verb_is_named_with_its_nearest(verb, capsys):
    for field in list_fields(VERBS[verb]):
        if field.name.startswith("--") and len(field.name) > 5:
            wrong = f"{field.name[:-1]}x"
            assert main([verb, wrong]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"ssgan: {verb} has no {wrong}; did you mean ") or (
                verb == "train" and line.endswith(f"{wrong} needs a value")
            )


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_is_as_wide_as_the_terminal(verb, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([verb, "--help"] if verb else ["--help"]) == 0
    widths = [len(line) for line in capsys.readouterr().out.splitlines()]
    assert max(widths) <= columns
    assert max(widths) > columns / 2


def test_a_value_may_follow_an_equals_sign_and_may_begin_with_a_dash():
    spaced = parse("sample", Sample, ["run", "--out", "-x", "--seed", "3", "--gif"])
    joined = parse("sample", Sample, ["--gif", "--seed=3", "--out=-x", "run"])
    for name in ("run", "out", "seed", "gif"):
        assert getattr(spaced, name) == getattr(joined, name)
    assert (spaced.seed, str(spaced.out), spaced.gif) == (3, "-x", True)
    assert str(parse("sample", Sample, ["--", "-run"]).run) == "-run"
    probe = parse("probe", Probe, ["a", "--data", "scenes", "b", "--fractions", "0.1, 1"])
    assert [str(run) for run in probe.runs] == ["a", "b"]
    assert probe.fractions == (0.1, 1.0)


def test_an_empty_path_is_as_if_it_were_not_given():
    """ "$CACHE" of a script may be empty."""
    assert parse("train", options.Train, ["scenes:gan", "--cache", ""]).cache is None


def test_settings_of_a_run_pass_through_in_their_order():
    words = ["--method", "GAN", "scenes:ssgan", "--method.alpha=0.5", "--seed", "-1", "--dry-run"]
    given = parse("train", options.Train, words)
    assert given.settings == ("--method", "GAN", "--method.alpha", "0.5", "--seed", "-1")
    assert (given.recipe, given.dry_run, given.words) == ("scenes:ssgan", True, tuple(words))
    given = parse("study", options.Study, ["table1", "--", "--total_steps", "3", "--out", "x"])
    assert given.settings == ("--total_steps", "3", "--out", "x")
    assert given.out is None


@pytest.mark.parametrize(
    ("words", "setting", "value"),
    [
        (["--steps", "7"], "total_steps", 7),
        (["--batch", "6"], "batch_size", 6),
        (["--batch-size=6"], "batch_size", 6),
    ],
)
def test_a_synonym_with_the_same_meaning_is_the_setting(words, setting, value):
    config, *_ = read_config(parse("train", options.Train, ["scenes:gan", *words]))
    assert getattr(config, setting) == value


def test_the_side_of_images_has_a_synonym_too():
    given = parse("train", options.Train, ["scenes:gan", "--size", "64"])
    assert read_config(given)[0].data.image_size == 64


def test_names_of_older_versions_still_work_and_help_hides_them():
    study = parse("study", options.Study, ["table1", "--arms", "gan,ssgan"])
    assert study == parse("study", options.Study, ["table1", "--variants", "gan,ssgan"]) or (
        study.variants == "gan,ssgan"
    )
    words = ["--data", "scenes", "--out", "x"]
    assert parse("forget", Forget, [*words, "--asked", "5"]).test_images == 5
    assert "--arms" not in format_help("study", options.Study)
    assert "--asked" not in format_help("forget", Forget)


def test_every_synonym_leads_home(capsys):
    """To an option or a setting that exists, or to one line with the right words."""
    for verb, owner in VERBS.items():
        known = {field.name for field in list_fields(owner)}
        for word, target in owner.synonyms.items():
            assert word not in known
            if " " in target:
                with pytest.raises(UsageError, match=f"^{verb} has no {word}; "):
                    parse(verb, owner, ["x", word, "3"])
            elif verb != "train":
                assert target in known
    for verb in OTHER_VERBS:
        assert main([verb, "x"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "did you mean" not in line
        assert "`ssgan " in line


def test_a_setting_without_a_value_is_not_taken_for_a_misspelt_option():
    for field in dataclasses.fields(RunConfig):
        with pytest.raises(UsageError, match=f"^--{field.name} needs a value$"):
            parse("train", options.Train, ["scenes:gan", f"--{field.name}"])


def test_a_setting_with_a_value_passes_whatever_option_it_resembles():
    given = parse("train", options.Train, ["scenes:gan", "--dat.x", "1", "--cofig", "2"])
    assert given.settings == ("--dat.x", "1", "--cofig", "2")


def test_epochs_are_explained_in_steps():
    with pytest.raises(UsageError, match="a step is one generator update: --total_steps N"):
        parse("train", options.Train, ["scenes:gan", "--epochs", "3"])


def test_a_word_near_to_no_verb_gets_the_list_of_verbs(capsys):
    assert main(["xylophone"]) == 2
    assert f"the verbs are {', '.join(VERBS)}" in capsys.readouterr().err


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_verbs_and_options(shell):
    script = format_completion(shell, VERBS)
    for verb, owner in VERBS.items():
        assert verb in script
        for field in list_fields(owner):
            if field.name.startswith("--"):
                assert field.name.removeprefix("--") in script, (verb, field.name)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_bash_completes_the_words_of_a_line(capsys):
    assert main(["--print-completion", "bash"]) == 0
    script = capsys.readouterr().out
    lines = """
COMP_WORDS=(ssgan {}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_LINE="${{COMP_WORDS[*]}}"
$(complete -p ssgan | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo "${{COMPREPLY[@]}}"
"""
    for typed, expected in (("ev", "evaluate"), ("sample --trun", "--truncation")):
        ended = subprocess.run(
            ["bash", "-c", script + lines.format(typed)], capture_output=True, text=True
        )
        assert ended.stdout.split() == [expected], ended.stderr


def test_what_help_lists_is_what_there_is():
    """Help cannot import these modules; so that it is right, the lists are compared here."""
    phrases = options.PHRASES
    assert phrases["SOURCES"] == FORMS
    assert phrases["FEATURES"] == ", ".join(NAMES)
    assert phrases["METRICS"] == ",".join(METRICS)
    assert phrases["POOLINGS"] == POOLINGS
    for file in {name.split(":")[0] for name in list_recipes()}:
        assert file in options.Train.notes
    listed = {field.key: field for field in list_fields(options.Study)}["name"].help
    assert listed.replace(" or ", ", ").split(", ") == list(STUDIES)
    evaluate = {field.key: field.help for field in list_fields(Evaluate)}
    assert all(rule.value in evaluate["resize"] for rule in ResizeRule)


def test_choices_and_defaults_are_those_of_the_settings():
    def field(owner, key):
        return {field.key: field for field in list_fields(owner)}[key]

    assert field(options.Study, "scale").choices == get_args(Scale)
    assert field(Probe, "solver").choices == get_args(Solver)
    assert field(Forget, "precision").choices == get_args(Precision)
    assert field(Forget, "size").choices == tuple(RESNET)
    assert field(options.Train, "timeout").default_text == str(TIMEOUT)
    usual = ForgettingSettings(source=None)
    names = {"size": "image_size", "batch": "batch_size", "test_images": "test_images"}
    keys = ("rotation", "seed", "iterations_per_task", "cycles", "measure_every", "precision")
    for key in (*keys, *names):
        assert field(Forget, key).default == getattr(usual, names.get(key, key)), key
    assert field(Forget, "width").default == usual.network.width
    assert field(Probe, "solver").default == ProbeSettings().solver
    assert field(Probe, "pooling").default_text == ",".join(ProbeSettings().poolings)
    fractions = ",".join(f"{share:g}" for share in ProbeSettings().fractions)
    assert field(Probe, "fractions").default_text == fractions


def test_a_default_of_zero_is_shown_and_an_unset_flag_is_not(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    lines = format_help("sample", Sample).splitlines()
    described = {line.split()[0]: line for line in lines if line.startswith("  --")}
    assert described["--seed"].endswith("(default: 0)")
    assert "default" not in described["--gif"]
    assert options.PHRASES["DEVICE"] in described["--device"]
