"""`ssgan tune` as a user types it: three trials of ten steps, random features."""

import json
import os
import shutil
import signal
import sys

import pytest

from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from ssgan.studies.tuning import trials as tuning
from ssgan.types import NonFinite

pytestmark = pytest.mark.slow

DATA = ["--data", "scenes:num_images=40", "--test", "scenes:num_images=40,seed=1"]
QUICK = ["--features", "random", "--samples", "20"]
SETTINGS = [
    "--", "--batch_size", "8", "--generator.width", "0.03", "--discriminator.width", "0.06",
    "--discriminator_updates", "1", "--evaluate.images", "16", "--evaluate.num_images_d", "8",
    "--output.sample_rows", "2",
]  # fmt: skip
SPACE = """
learning_rate = { low = 1e-4, high = 1e-3, log = true }
augment = [false, true]
"""


class InProcess:
    """A command run at once, in this process: importing torch in each takes seconds."""

    begun: list[str] = []  # noqa: RUF012 - a new list for every test
    stop_at = None  # number of the command before which Ctrl-C is pressed
    codes: dict[str, int] = {}  # noqa: RUF012 - exit codes of commands that fail at once

    def __init__(self, job, resources):
        job.log.parent.mkdir(parents=True, exist_ok=True)
        self.stopped = False
        if len(self.begun) == InProcess.stop_at:
            os.kill(os.getpid(), signal.SIGINT)
            self.ended = 130
        elif job.name in self.codes:
            job.log.write_text("ssgan: the last words\n")
            self.ended = self.codes[job.name]
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
    monkeypatch.setattr(InProcess, "codes", {})
    monkeypatch.setattr("ssgan.studies.scheduler.time.sleep", lambda _: None)


def tune(folder, *words, space=SPACE, settings=SETTINGS):
    """A search in a folder; its paths are relative, so that tables can be compared."""
    file = folder / "space.toml"
    file.write_text(space)
    given = ["--space", str(file), *words]
    defaults = {
        "--out": str(folder / "out"),
        "--confirm-seeds": "0",
        "--trials": "3",
        "--minutes": "1e-6",
    }
    for name, value in defaults.items():
        given += [] if name in words else [name, value]
    return main(["tune", "scenes:ssgan", *DATA, *QUICK, *given, *settings])


def results(folder):
    return json.loads((folder / "out" / "results.json").read_text())


def states(folder):
    return [(one["number"], one["state"]) for one in results(folder)["trials"]]


def table(folder):
    return (folder / "out" / "table.md").read_text().replace(str(folder), "FOLDER")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole search, and what was begun for it."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssgan.studies.engines.local.start_process", InProcess)
        patch.setattr(InProcess, "begun", [])
        patch.setattr("ssgan.studies.scheduler.time.sleep", lambda _: None)
        assert tune(folder) == 0
        return folder, list(InProcess.begun)


def test_a_search_runs_the_recipe_first_and_writes_every_file(finished):
    folder, begun = finished
    assert begun == [
        f"{verb} {label}" for label in ("trial 0, the recipe", "trial 1", "trial 2")
        for verb in ("train", "evaluate")
    ]  # fmt: skip
    facts = results(folder)
    assert states(folder) == [(number, "complete") for number in range(3)]
    scores = [one["score"] for one in facts["trials"]]
    assert facts["best"] == scores.index(min(scores))
    assert facts["recipe_score"] == scores[0]
    for one in facts["trials"]:
        assert one["total_steps"] == 10
        assert one["seconds_per_step"] > 0
        assert len(one["curve"]) == 5
    out = folder / "out"
    assert (out / "history.svg").read_text().startswith("<?xml")
    assert not (out / "importance.svg").exists()  # of three trials
    assert (out / "optuna.journal").stat().st_size


def test_the_recipe_is_unchanged_but_for_its_length(finished):
    folder, _ = finished
    stored = json.loads(RunDirectory(folder / "out" / "runs" / "trial-000").config.read_text())
    assert stored["generator_optimizer"]["learning_rate"] == 5e-4
    assert stored["total_steps"] == 10
    assert stored["ema_halflife_steps"] == 0.1  # 100 of 10,000 steps
    assert stored["evaluate"]["every"] == 2
    assert stored["output"]["checkpoint_every"] == 1
    assert stored["method"]["alpha"] == 0.2


def test_the_printed_command_trains_the_winner_again(finished, tmp_path):
    """`--config best.toml` gives the run of the best trial, bit for bit."""
    folder, _ = finished
    facts = results(folder)
    line = next(row for row in table(folder).splitlines() if "best.toml" in row)
    words = line.replace("FOLDER", str(folder)).split()[1:]
    words[-1] = str(tmp_path / "again")
    assert main(words) == 0
    trial = f"trial-{facts['best']:03}"
    logs = [
        [
            {**row, "seconds": 0}
            for row in map(json.loads, RunDirectory(root).log.read_text().splitlines())
        ]
        for root in (tmp_path / "again", folder / "out" / "runs" / trial)
    ]
    assert logs[0] == logs[1]


@pytest.mark.long
@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_an_interrupted_search_continues_to_the_same_table(finished, tmp_path, capsys, stop_at):
    InProcess.stop_at = stop_at
    assert tune(tmp_path) == 130
    assert "run the same command again to continue" in capsys.readouterr().err
    InProcess.stop_at = None
    assert tune(tmp_path) == 0
    assert InProcess.begun == finished[1]  # nothing twice
    assert table(tmp_path) == table(finished[0])


def test_interrupted_twice_and_killed_before_a_record_it_continues_to_the_same_table(
    finished, tmp_path, capsys
):
    """Without the records of trials 1 and 2 the journal and the runs still have them."""
    for stop_at in (2, 3):
        InProcess.stop_at = stop_at
        assert tune(tmp_path) == 130
        assert "run the same command again to continue" in capsys.readouterr().err
        assert InProcess.begun == finished[1][:stop_at]  # nothing twice
    (tmp_path / "out" / "trials" / "trial-001.json").unlink()
    InProcess.stop_at = None
    assert tune(tmp_path) == 0
    assert table(tmp_path) == table(finished[0])


def test_when_all_is_there_nothing_runs_and_more_trials_add_to_it(finished, tmp_path):
    shutil.copytree(finished[0] / "out", tmp_path / "out")
    assert tune(tmp_path) == 0
    assert InProcess.begun == []
    assert tune(tmp_path, "--trials", "4") == 0
    assert InProcess.begun == ["train trial 3", "evaluate trial 3"]


def test_another_search_in_the_same_directory_is_refused(finished, tmp_path, capsys):
    shutil.copytree(finished[0] / "out", tmp_path / "out")
    assert tune(tmp_path, "--seed", "5") == 2
    assert "seed 0, now 5" in capsys.readouterr().err
    assert tune(tmp_path, space="augment = [true]") == 2
    assert "(space)" in capsys.readouterr().err


def test_a_trial_whose_run_fails_has_its_reason_and_the_search_goes_on(tmp_path):
    InProcess.codes = {"train trial 1": 70}
    assert tune(tmp_path) == 0
    assert states(tmp_path) == [(0, "complete"), (1, "failed"), (2, "complete")]
    reason = "train, exit code 70: the last words"
    assert results(tmp_path)["trials"][1]["reason"] == reason
    assert f"- trial 1, failed: {reason}" in table(tmp_path)


@pytest.mark.long
def test_a_full_disk_ends_the_search_and_its_trial_continues(tmp_path, capsys):
    InProcess.codes = {"train trial 1": 74}
    assert tune(tmp_path) == 1
    assert "the search ended early: train, exit code 74" in capsys.readouterr().err
    assert states(tmp_path) == [(0, "complete"), (1, "running")]
    InProcess.codes = {}
    assert tune(tmp_path) == 0
    assert states(tmp_path) == [(number, "complete") for number in range(3)]


@pytest.mark.long
def test_a_refused_combination_is_said_and_does_not_count(tmp_path, capsys):
    """Penalties and activation checkpointing cannot be combined; alone each is fine."""
    space = """
    reuse_fakes = [false, true]
    accumulation = [1, 2]
    """
    assert tune(tmp_path, "--seed", "3", space=space) == 0
    refused = [one for one in results(tmp_path)["trials"] if one["state"] == "refused"]
    assert {one["reason"].split()[0] for one in refused} & {"reuse_fakes"}
    assert sum(state == "complete" for _, state in states(tmp_path)) == 3
    assert "is refused" not in capsys.readouterr().err
    assert "reuse_fakes keeps the activations" in table(tmp_path)


@pytest.mark.long
def test_a_space_without_new_combinations_ends_the_search(tmp_path, capsys):
    assert tune(tmp_path, "--trials", "5", space="augment = [false, true]") == 0
    assert "had been tried before" in capsys.readouterr().err
    assert sum(state == "complete" for _, state in states(tmp_path)) == 2


def test_numbers_that_are_not_finite_in_the_first_steps_are_a_failed_trial(tmp_path, monkeypatch):
    measure = tuning.measure_pace

    def fail(config, info, threads):
        if config.generator_optimizer.learning_rate != 5e-4:
            raise NonFinite("the loss is nan")
        return measure(config, info, threads)

    monkeypatch.setattr(tuning, "measure_pace", fail)
    assert tune(tmp_path) == 0
    assert states(tmp_path) == [(0, "complete"), (1, "failed"), (2, "failed")]


def test_all_trials_have_the_same_seconds_not_steps(tmp_path, monkeypatch):
    """Half the pace, half the steps, and the shares of all steps follow."""
    paces = {False: 0.5, True: 1.0}
    monkeypatch.setattr(tuning, "measure_pace", lambda config, *_: paces[config.augment])
    space = "augment = [false, true]"
    assert tune(tmp_path, "--minutes", "0.2", "--trials", "2", space=space) == 0
    complete = [one for one in results(tmp_path)["trials"] if one["state"] == "complete"]
    assert [one["total_steps"] for one in complete] == [24, 12]


def test_the_best_and_the_recipe_are_compared_over_further_seeds(finished, tmp_path):
    shutil.copytree(finished[0] / "out", tmp_path / "out")
    assert tune(tmp_path, "--confirm-seeds", "2", "--top", "1") == 0
    best, *_ = (one for one in sorted(results(tmp_path)["trials"], key=lambda one: one["score"])
                if one["number"])  # fmt: skip
    assert InProcess.begun == [
        f"{verb} {label}, seed {seed}" for seed in (1, 2)
        for label in ("trial 0, the recipe", f"trial {best['number']}")
        for verb in ("train", "evaluate")
    ]  # fmt: skip
    recipe, other = results(tmp_path)["confirmed"]
    assert (recipe["trial"], other["trial"]) == (0, best["number"])
    differences = [other["scores"][seed] - recipe["scores"][seed] for seed in "12"]
    assert other["minus_recipe"]["mean"] == pytest.approx(sum(differences) / 2)
    assert "minus the recipe" in table(tmp_path)


def test_a_trial_that_is_worse_at_a_third_is_stopped(tmp_path, monkeypatch):
    """Of runs that last, the one above the median gets SIGTERM, and no score."""
    from ssgan.studies.tuning import search

    monkeypatch.setattr(search, "FEWEST_CURVES", 1)
    curves = {0: 5.0, 1: 9.0, 2: 4.0}

    class Lasting(InProcess):
        def __init__(self, job, resources):
            self.name = job.name
            job.log.parent.mkdir(parents=True, exist_ok=True)
            job.log.write_text("stopped\n")
            self.polls = 0
            self.ended = None
            self.run = lambda: InProcess.__init__(self, job, resources)

        def poll(self):
            self.polls += 1
            if self.ended is None and self.polls > 3:
                self.run()
            return self.ended

        def send_signal(self, number):
            self.ended = 143

    monkeypatch.setattr("ssgan.studies.engines.local.start_process", Lasting)
    monkeypatch.setattr(search, "read_curve", lambda job: [(5, curves[int(job.root.name[-1])])])
    assert tune(tmp_path, "--prune") == 0
    assert states(tmp_path) == [(0, "complete"), (1, "stopped"), (2, "complete")]
    assert results(tmp_path)["trials"][1]["reason"].startswith("FD-random 9 at a third")


@pytest.mark.parametrize(
    ("words", "settings", "message"),
    [
        (["--features", "lite1"], [], "no features 'lite1'"),
        (["--features", "lite0"], [], "--features random"),
        ([], ["--total_steps", "5"], "--total_steps is set for every trial"),
        ([], ["--seed", "5"], "--seed stands before --"),
        ([], ["--batch_sise", "8"], "did you mean batch_size"),
        ([], ["8"], "'8' is no setting"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(tmp_path, capsys, monkeypatch, words, settings, message):
    from ssgan.evaluation import feature_networks

    def missing(*args, **kwargs):
        raise feature_networks.UserError("no EfficientNet-Lite0 weights")

    monkeypatch.setattr(feature_networks, "load_efficientnet_lite0", missing)
    file = tmp_path / "space.toml"
    file.write_text(SPACE)
    quick = [word for word in QUICK if word not in ("--features", "random")]
    given = [*quick, "--space", str(file), "--out", str(tmp_path / "out"), *words]
    given += [] if "--features" in words else ["--features", "random"]
    assert main(["tune", "scenes:ssgan", *DATA, *given, "--", *settings]) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_bad_space_is_one_line_with_its_place(tmp_path, capsys):
    assert tune(tmp_path, space="augment = [true") == 2
    errors = capsys.readouterr().err
    assert f"{tmp_path / 'space.toml'} is not valid TOML" in errors
    assert "line 1" in errors
    assert errors.count("\n") == 1


def test_a_search_in_a_database_continues_there_and_no_password_is_stored(tmp_path, capsys):
    database = f"sqlite:///{tmp_path / 'search.db'}"
    words = ("--trials", "1", "--storage")
    assert tune(tmp_path, *words, database) == 0
    assert tune(tmp_path, *words, database) == 0
    assert InProcess.begun == ["train trial 0, the recipe", "evaluate trial 0, the recipe"]
    stored = json.loads((tmp_path / "out" / "search.json").read_text())
    assert stored["storage"] == database
    assert stored["study"].startswith("ssgan-out-")
    assert not (tmp_path / "out" / "optuna.journal").exists()
    capsys.readouterr()
    assert tune(tmp_path, *words, "postgresql://me:secret@host/name?password=secret") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "storage 'sqlite:///" in line
    assert "now 'postgresql://me@host/name'" in line
    assert tune(tmp_path, *words, f"sqlite:///{tmp_path}/no/where.db", "--out", "other") == 2
    assert "unable to open database file" in capsys.readouterr().err
    assert not (tmp_path / "other" / "search.json").exists()


def test_without_optuna_the_extra_is_named_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert tune(tmp_path) == 2
    assert capsys.readouterr().err == (
        "ssgan: tune needs Optuna, which is not installed: pip install 'ssgan[tune]'\n"
    )
    assert not (tmp_path / "out").exists()


def test_a_dry_run_prints_the_space_and_writes_nothing(tmp_path, capsys):
    assert tune(tmp_path, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "learning_rate" in printed
    assert "3 trials of 1e-06 minutes" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ((), "3.0 hours of training, one at a time"),
        (("--jobs", "2"), "2.0 hours of training, 2 at a time"),
        (("--on", "slurm"), "1.0 hours of training, 100 at a time"),
        (("--on", "ray"), "3.0 hours of training, one at a time"),
    ],
)
def test_a_dry_run_counts_the_hours_of_trials_that_run_side_by_side(tmp_path, capsys, words, hours):
    assert tune(tmp_path, "--dry-run", "--minutes", "60", *words) == 0
    assert f"about {hours};" in capsys.readouterr().out
