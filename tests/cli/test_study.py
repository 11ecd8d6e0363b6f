"""`ssgan study` as a user types it: two variants, two seeds, a few steps, random features."""

import json
import os
import shutil
import signal
from dataclasses import replace

import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.cli.options import Study
from ssgan.cli.parser import list_fields
from ssgan.cli.study import _print_end
from ssgan.data.huggingface import Hub
from ssgan.data.scenes.source import Scenes
from ssgan.files.run_directory import RunDirectory
from ssgan.studies.catalogue import STUDIES
from ssgan.studies.jobs import FileJob
from ssgan.studies.measurements import ProbeMeasurement
from ssgan.studies.scheduler import Finished

pytestmark = pytest.mark.slow

DATA = ["--data", "scenes:num_images=40", "--test", "scenes:num_images=40,seed=1"]
SETTINGS = [
    "--", "--total_steps", "2", "--batch_size", "8", "--generator.width", "0.03",
    "--discriminator.width", "0.06", "--evaluate.every", "1", "--evaluate.images", "16",
    "--evaluate.num_images_d", "8", "--output.snapshot_every", "1", "--output.log_every", "1",
    "--output.sample_rows", "2", "--output.tensorboard", "false",
]  # fmt: skip
QUICK = ["--features", "random", "--samples", "20", "--variants", "gan,ssgan", "--seeds", "2"]


class InProcess:
    """A command run at once, in this process: importing torch in each takes seconds."""

    begun: list[str] = []  # noqa: RUF012 - a new list for every test
    stop_at = None  # number of the command before which Ctrl-C is pressed

    def __init__(self, job, share):
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.log.write_text("first\nlast words\n")
        if len(self.begun) == InProcess.stop_at:
            os.kill(os.getpid(), signal.SIGINT)
            self.ended = 130
        else:
            self.ended = main(list(job.words))
            self.begun.append(job.name)

    def poll(self):
        return self.ended

    def send_signal(self, number):
        pass

    def place(self):
        return ""


@pytest.fixture(autouse=True)
def in_process(monkeypatch):
    monkeypatch.setattr("ssgan.studies.engines.local.start_process", InProcess)
    monkeypatch.setattr(InProcess, "begun", [])
    monkeypatch.setattr(InProcess, "stop_at", None)
    monkeypatch.setattr("ssgan.studies.scheduler.time.sleep", lambda _: None)


def study(name, out, *words, settings=SETTINGS):
    return main(["study", name, *DATA, *QUICK, "--out", str(out), *words, *settings])


def measured(out, name):
    return json.loads((out / name / "results.json").read_text())["measured"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """table1 of two variants and two seeds, and what was begun for it."""
    out = tmp_path_factory.mktemp("studies") / "laptop"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssgan.studies.engines.local.start_process", InProcess)
        patch.setattr(InProcess, "begun", [])
        assert study("table1", out) == 0
        return out, list(InProcess.begun)


@pytest.fixture
def out(finished, tmp_path, monkeypatch):
    """A copy of it, at the same relative path."""
    monkeypatch.chdir(shutil.copytree(finished[0].parent, tmp_path / "copy"))
    return shutil.copytree(finished[0], tmp_path / "out")


def test_a_study_trains_measures_and_draws(finished):
    out, begun = finished
    assert begun == [
        f"{verb} {variant}, seed {seed}"
        for seed in (0, 1) for variant in ("GAN", "SS-GAN") for verb in ("train", "evaluate")
    ]  # fmt: skip
    values = measured(out, "table1")["values"]
    assert {variant: list(seeds) for variant, seeds in values.items()} == {
        "gan": ["0", "1"], "ssgan": ["0", "1"],
    }  # fmt: skip
    facts = json.loads((out / "table1" / "results.json").read_text())
    assert all(run["environment"]["torch"] for run in facts["runs"])
    assert facts["missing"] == []


def test_the_numbers_are_those_of_the_printed_commands(finished, tmp_path, capsys):
    """The command of one measurement, typed by hand, gives the number of the table."""
    facts = json.loads((finished[0] / "table1" / "results.json").read_text())
    words = facts["commands"][-1].split()[1:]
    target = tmp_path / "by-hand.jsonl"
    assert main([*words[:-1], str(target)]) == 0
    value = json.loads(target.read_text())["value"]
    assert value == facts["measured"]["values"]["ssgan"]["1"]


def test_when_all_is_there_nothing_is_run_and_it_is_drawn_again(finished, capsys):
    out, _ = finished
    before = (out / "table1" / "results.json").read_bytes()
    (out / "table1" / "table.md").unlink()
    assert study("table1", out) == 0
    assert InProcess.begun == []
    assert "0 commands, 8 with nothing to do" in capsys.readouterr().out
    assert (out / "table1" / "table.md").exists()
    assert (out / "table1" / "results.json").read_bytes() == before


def test_an_interrupted_study_continues_to_the_same_numbers(finished, tmp_path, capsys):
    InProcess.stop_at = 3
    assert study("table1", tmp_path) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    assert len(InProcess.begun) == 3
    InProcess.stop_at = None
    assert study("table1", tmp_path) == 0
    assert InProcess.begun == finished[1]  # nothing twice
    assert measured(tmp_path, "table1") == measured(finished[0], "table1")


def test_other_studies_use_the_runs_that_are_there(finished, capsys):
    out, _ = finished
    assert main(["study", "figure4", *DATA, *QUICK[2:], "--out", str(out), *SETTINGS]) == 0
    assert InProcess.begun == []
    facts = measured(out, "figure4")
    rows = RunDirectory(next(out.glob("runs/*-gan_*seed1"))).metrics.read_text().splitlines()
    scores = [row for row in map(json.loads, rows) if row["name"] == "FD-random"]
    assert facts["values"]["gan"]["1"] == {str(row["step"]): row["value"] for row in scores}
    printed = capsys.readouterr().out
    assert "not comparable with FID" in printed
    assert study("figure5", out, "--jobs", "2") == 0
    assert [name.split()[0] for name in InProcess.begun] == ["sample"] * 4
    with Image.open(out / "figure5" / "figure.png") as picture:
        assert picture.width > 900


def test_figure_4_with_features_measures_the_states_of_runs_that_are_there(finished, capsys):
    out, _ = finished
    assert study("figure4", out) == 0
    assert InProcess.begun == [
        f"evaluate {variant}, seed {seed}, step 1"
        for seed in (0, 1)
        for variant in ("GAN", "SS-GAN")
    ]
    at_end = measured(out, "table1")["values"]
    for variant, seeds in measured(out, "figure4")["values"].items():
        for seed, by_step in seeds.items():
            assert list(by_step) == ["1", "2"]
            assert by_step["2"] == at_end[variant][seed]
    assert "FD-random" in capsys.readouterr().out


def test_what_d_knows_over_training(finished, monkeypatch):
    """With all of the few images there are, in place of 10,000."""
    how = ("--blocks", "3", "--pooling", "mean", "--fractions", "1")
    small = replace(STUDIES["figure2"].laptop, measurement=ProbeMeasurement("all", how))
    monkeypatch.setitem(STUDIES, "figure2", replace(STUDIES["figure2"], laptop=small))
    out, _ = finished
    assert study("figure2", out) == 0
    assert [name.split()[0] for name in InProcess.begun] == ["probe"] * 4
    facts = measured(out, "figure2")
    row = json.loads(
        next(out.glob("measured/*/probe-all-*/probe.jsonl")).read_text().split("\n")[0]
    )
    assert facts["protocol"] == {name: row[name] for name in facts["protocol"]}
    for seeds in facts["values"].values():
        assert [list(by_step) for by_step in seeds.values()] == [["0", "1", "2"]] * 2
    assert facts["values"]["gan"]["0"]["0"] == facts["values"]["ssgan"]["0"]["0"]  # before training


def test_forgetting_with_and_without_rotation(tmp_path, capsys):
    short = [
        "--", "--iterations-per-task", "1", "--cycles", "1", "--measure-every", "1",
        "--width", "0.06", "--batch", "4", "--asked", "4",
    ]  # fmt: skip
    words = ["study", "figure3", *DATA[:2], "--seeds", "1", "--out", str(tmp_path)]
    assert main([*words, *short]) == 0
    assert InProcess.begun == ["forget without rotation, seed 0", "forget with rotation, seed 0"]
    said = capsys.readouterr().out
    assert "balanced accuracy" in said
    assert "| peak of a task: with rotation minus without rotation | " in said
    facts = json.loads((tmp_path / "figure3" / "results.json").read_text())
    assert all({"torch", "threads"} <= run["environment"].keys() for run in facts["runs"])
    measured = facts["measured"]
    plain, rotated = (measured["values"][variant]["0"]["peak"] for variant in ("plain", "rotation"))
    assert len(plain) == len(rotated) == 1  # a value a cycle
    (pairs,) = measured["comparisons"]["peak"]
    assert (pairs["variant"], pairs["baseline"]) == ("rotation", "plain")
    assert pairs["mean"] == rotated[0] - plain[0]
    with Image.open(tmp_path / "figure3" / "figure.png") as picture:
        assert picture.width > picture.height
    assert main([*words, *short]) == 0
    assert len(InProcess.begun) == 2
    capsys.readouterr()
    other = "scenes:num_images=41"
    for images in (["--data", other, *DATA[2:]], [*DATA[:2], "--test", other]):  # done, of others
        again = ["study", "figure3", *images, "--seeds", "1", "--out", str(tmp_path)]
        assert main([*again, *short]) == 2
        assert "holds a forgetting run on other images" in capsys.readouterr().err


def test_a_failed_command_leaves_the_others_and_is_named(finished, tmp_path, capsys):
    bad = next(finished[0].glob("runs/*-gan_*seed0")).name
    (tmp_path / "runs" / bad).mkdir(parents=True)
    (tmp_path / "runs" / bad / "letter.txt").write_text("no run")
    assert study("table1", tmp_path) == 1
    printed = capsys.readouterr()
    assert "failed, exit code 2: train GAN, seed 0; its log: " in printed.out
    assert "    last words" in printed.out
    assert "missing: GAN: seed 0" in printed.out
    assert "not run, because a command that it needs failed: evaluate GAN, seed 0" in printed.err
    whole, part = (measured(place, "table1")["values"] for place in (finished[0], tmp_path))
    assert part == {"ssgan": whole["ssgan"], "gan": {"1": whole["gan"]["1"]}}


def test_a_directory_with_other_settings_is_refused_in_one_line(finished, capsys):
    words = ["study", "table1", "--data", "scenes:num_images=41", *QUICK]
    assert main([*words, "--out", str(finished[0]), *SETTINGS]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds a run with other settings: data.source.num_images: 40 before, 41 now" in line
    assert InProcess.begun == []


def test_numbers_of_two_protocols_are_refused_before_anything_is_run(out, capsys):
    file = next(out.glob("measured/*-gan_*seed0/fd-*.jsonl"))
    row = json.loads(file.read_text())
    row["protocol"]["resize"] = "another"
    file.write_text(json.dumps(row) + "\n")
    next(out.glob("measured/*-ssgan_*seed1/fd-*.jsonl")).unlink()
    assert study("table1", out) == 2
    assert "these results have two protocols: " in capsys.readouterr().err
    assert InProcess.begun == []


def test_a_dry_run_prints_all_commands_and_writes_nothing(tmp_path, capsys):
    assert study("table1", tmp_path / "out", "--dry-run") == 0
    printed = capsys.readouterr().out
    commands = [line for line in printed.splitlines() if line.startswith("ssgan ")]
    assert [command.split()[1] for command in commands] == ["train", "evaluate"] * 4
    assert "8 commands, 0 with nothing to do; left: 4 x train, 4 x evaluate" in printed
    assert "note: " not in printed
    assert study("table1", tmp_path / "out", "--dry-run", "--processes", "2") == 0
    several = capsys.readouterr().out.splitlines()[: len(commands)]  # in the same directories
    assert [line.replace(" --processes 2", "") for line in several] == commands
    assert sum("--processes 2" in line for line in several) == 4
    assert list(tmp_path.iterdir()) == []


def test_more_samples_than_real_images_are_spoken_of(tmp_path, capsys):
    few = [*DATA[:2], "--test", "scenes:num_images=12,seed=1", "--out", str(tmp_path / "out")]
    assert main(["study", "table1", *few, *QUICK, "--dry-run", *SETTINGS]) == 0
    assert (
        "20 generated images are compared with the 12 images of scenes" in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["table1", "--data", "FLAT", "--test", "FLAT"], "needs labels"),
        (["table3", "--data", "FLAT", "--variants", "gan"], "table3 probes D for classes"),
        (["figure3", "--data", "FLAT"], "has no labels"),
        (
            ["figure3", "--data", "scenes", "--", "--widht", "1"],
            "forget has no --widht; did you mean --width?",
        ),
        (["figure3", "--data", "scenes", "--", "--width", "x"], "--width must be a number"),
        (["table1", "--data", "scenes", "--test", "folder:nowhere"], "no folder at"),
        (["table1", "--data", "scenes", "--features", "fid"], "no features 'fid'"),
        (["table1", "--data", "scenes", "--processes", "3"], "cannot be cut into equal parts"),
        (
            ["figure3", "--data", "scenes", "--processes", "2"],
            "--processes requires runs of ssgan train",
        ),
        (
            ["table1", "--data", "scenes", "--", "--compile", "true", "--method.penalty", "WGANGP"],
            "compile does not work with",
        ),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_what_a_command_would_refuse_later_is_refused_at_once(
    words, expected, dry, tmp_path, capsys, monkeypatch
):
    """Else the first runs train for hours before the study says it."""
    monkeypatch.setattr(InProcess, "stop_at", 0)
    for name in ("one.png", "two.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    words = [word.replace("FLAT", f"folder:{tmp_path}") for word in words]
    out = tmp_path / "out"
    assert main(["study", words[0], "--out", str(out), *dry, *words[1:]]) == 2
    assert expected in capsys.readouterr().err
    assert not out.exists()


def test_features_without_their_weights_are_refused_before_anything_is_trained(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ssgan.evaluation.feature_networks.find_package_file", lambda *_: None)
    words = ["table1", *DATA, "--features", "inception", "--out", str(tmp_path / "out")]
    assert main(["study", *words]) == 2
    assert "no Inception weights; get them by" in capsys.readouterr().err
    assert InProcess.begun == []
    assert main(["study", *words, "--dry-run"]) == 0  # the plan can be read without them


def test_a_dry_run_claims_no_disk_that_it_does_not_know(capsys):
    assert main(["study", "figure3", "--data", "scenes", "--dry-run"]) == 0
    assert "disk: not estimated for these commands" in capsys.readouterr().out


def test_a_dry_run_marks_what_is_done(finished, capsys):
    assert study("figure5", finished[0], "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("# done: ssgan train") for line in lines) == 4


def test_drawing_alone_runs_nothing_and_says_what_is_missing(finished, capsys):
    assert study("table1", finished[0], "--draw", settings=[]) == 0
    printed = capsys.readouterr().out
    assert "missing: GAN: seed 0, 1; SS-GAN: seed 0, 1" in printed
    assert InProcess.begun == []
    assert study("table1", finished[0], "--draw") == 0  # as it was


def test_a_study_of_the_hub_can_be_drawn_again(tmp_path, monkeypatch, capsys):
    """Its images, of which nothing is known before a download, are there when it has run."""
    monkeypatch.setattr(Hub, "open", lambda self: Scenes(num_images=40).open())
    words = ["study", "table1", "--data", "hub:a/b", "--test", "scenes:seed=1"]
    assert main([*words, "--draw", "--out", str(tmp_path / "out")]) == 0
    assert "Nothing is measured yet." in capsys.readouterr().out
    assert main([*words, "--dry-run"]) == 2
    assert "its size is unknown before the download" in capsys.readouterr().err


def test_two_studies_in_one_place_do_not_mix(finished, capsys):
    from ssgan.files.locks import hold_lock

    with hold_lock(finished[0] / ".lock"):
        assert study("table1", finished[0]) == 2
    assert "is in use by process" in capsys.readouterr().err


def test_all_studies_are_listed_with_their_cost(capsys):
    assert main(["study"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in STUDIES)
    assert "laptop 12 runs of 3,000 steps" in printed
    assert "paper  54 runs of 100,000 steps" in printed


def test_help_names_every_option_and_the_variants(capsys):
    assert main(["study", "table2", "--help"]) == 0
    printed = capsys.readouterr().out
    for field in list_fields(Study):
        assert field.name in printed, field.name
    assert "gp1_b0_n1_gan" in printed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tabel1"], "no study 'tabel1'; did you mean table1?"),
        (["table1", "table2"], "study takes one NAME, not table1 table2"),
        (["--seeds", "2"], "study needs a NAME"),
        (["table4"], "has no laptop scale: give --scale paper --data"),
        (["table4", "--scale", "paper"], "table4 needs ImageNet: give --data folder:PATH"),
        (["table1-lsun"], "table1-lsun uses LSUN-Bedroom at full width and has no laptop scale"),
        (["table1-celeba-hq", "--scale", "paper"], "needs CelebA-HQ: give --data folder:PATH"),
        (["table1", "--scale", "huge"], "--scale must be laptop or paper, not 'huge'"),
        (["table1", "--seeds", "0"], "--seeds must be a whole number, 1 or more"),
        (["table1", "--jobs", "x"], "--jobs must be a whole number"),
        (["table1", "--variants", "ssgn"], "--variants: no variant 'ssgn'; did you mean ssgan?"),
        (["table1", *DATA, "--", "--total_step", "3"], "no setting 'total_step'"),
        (
            ["table1", *DATA, "--total_steps", "3"],
            "settings follow a lone --, such as: -- --total_steps VALUE",
        ),
        (["table1", *DATA, "--", "--seed", "3"], "--seed is given twice"),
    ],
)
def test_bad_input_is_one_line(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["study", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert list(tmp_path.iterdir()) == []


def test_a_failed_command_without_a_log_is_named_all_the_same(tmp_path):
    """A shared file system may show the log late."""
    log, said = tmp_path / "none.log", []
    job = FileJob(label="a", words=("train",), log=log, result=tmp_path / "none")
    _print_end(Finished(job, 1, 2.0), False, said.append)
    assert said == [f"failed, exit code 1: train a; its log: {log}"]
    log.write_text("first\nlast\n")
    _print_end(Finished(job, 1, 2.0), False, said.append)
    assert said[2:] == ["    first", "    last"]
