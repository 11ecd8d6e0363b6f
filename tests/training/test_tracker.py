"""Trackers: stand-ins for wandb and trackio get a run's log, and whatever they do it goes on."""

import json
import logging
import sys
import types
from types import SimpleNamespace

import pytest

from ssgan.cli.config_args import read_config
from ssgan.cli.main import main
from ssgan.cli.options import Train
from ssgan.cli.parser import parse
from ssgan.config.serialize import dump
from ssgan.training.run import run
from ssgan.training.tracker import Tracking
from ssgan.types import UserError
from tests.cli.test_main import TINY
from tests.training.tiny import (
    digest_on_disk,
    evaluating,
    images,
    rows_of,
    stop_after,
    tiny,
    with_output,
)

CONFIG = evaluating(with_output(tiny(), sample_every=3), every=3)
LIBRARIES = ("wandb", "trackio")
TOKEN = "hf_" + "Abc123" * 6


class StandIn(types.ModuleType):
    """A tracker that notes its calls; `fails` names the function that raises."""

    def __init__(self, name, fails="", error=None):
        super().__init__(name)
        self.fails, self.error = fails, error or RuntimeError("no network")
        self.started, self.values, self.finished, self.logins = [], [], 0, []
        self.mode, self.has_key = "online", True

    def _note(self, function):
        if function == self.fails:
            raise self.error

    def init(self, **words):
        print("\033[1mlines of the library\033[0m")
        self._note("init")
        self.started.append(words)
        return SimpleNamespace(url="https://example.org/r")

    def log(self, values, step):
        self._note("log")
        self.values.append((step, values))

    def finish(self):
        self._note("finish")
        self.finished += 1

    def Image(self, picture):
        self._note("Image")
        return SimpleNamespace(size=picture.size)

    def Settings(self, **words):
        return words

    def setup(self):
        return SimpleNamespace(settings=SimpleNamespace(mode=self.mode))

    def login(self, prompt=True):
        self.logins.append(prompt)
        return self.has_key


@pytest.fixture
def stand_in(monkeypatch):
    def place(name, **words):
        module = StandIn(name, **words)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return place


def train(root, library, config=CONFIG, project=None):
    for _ in run(config, root, images(), tracker=Tracking(library=library, project=project)):
        pass


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_tracker_gets_the_settings_every_line_and_the_sheets(
    library, stand_in, tmp_path, caplog, capsys
):
    module, root = stand_in(library), tmp_path / "my run"
    with caplog.at_level(logging.INFO, "ssgan"):
        train(root, library)
    (start,) = module.started
    assert ("https://example.org/r" in caplog.text) == (library == "wandb")
    assert ("trackio show --project ssgan" in caplog.text) == (library == "trackio")
    assert "lines of the library" not in capsys.readouterr().out
    assert (start["project"], start["resume"], start["config"]) == ("ssgan", "allow", dump(CONFIG))
    assert start["name"].startswith("my-run-")
    lines = [(row.pop("step"), row) for row in rows_of(root / "log.jsonl")]
    logged = [(step, values) for step, values in module.values if "images_seen" in values]
    assert all(values.pop("seconds") >= 0 for _, values in logged)
    assert logged == lines
    sheets = [(step, values) for step, values in module.values if "samples" in values]
    assert [step for step, _ in sheets] == [3, 6]
    assert sheets[0][1]["samples"].size[0] > 64
    distances = {s: values["FD-random"] for s, values in module.values if "FD-random" in values}
    metrics = rows_of(root / "metrics.jsonl")
    assert distances == {r["step"]: r["value"] for r in metrics if r["name"] == "FD-random"}
    assert set(distances) == {3, 6}
    assert module.finished == 1


def test_a_tracked_run_is_the_same_run(stand_in, tmp_path):
    stand_in("trackio")
    train(tmp_path / "tracked", "trackio")
    for _ in run(CONFIG, tmp_path / "plain", images()):
        pass
    digests = {digest_on_disk(CONFIG, tmp_path / name, images()) for name in ("tracked", "plain")}
    assert len(digests) == 1
    files = {
        name: {path.name for path in (tmp_path / name).iterdir()} for name in ("tracked", "plain")
    }
    assert files["tracked"] - files["plain"] == {"tracker.json"}
    for file in ("config.json", "metrics.jsonl", "events.jsonl"):
        if (tmp_path / "plain" / file).exists():
            first, second = ((tmp_path / name / file).read_bytes() for name in files)
            assert first == second


def test_the_words_of_a_tracker_change_no_setting():
    words = ["scenes:ssgan", "--track", "trackio", "--track-project", "mine"]
    tracked, plain = (read_config(parse("train", Train, w)).config for w in (words, words[:1]))
    assert tracked == plain


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_continued_run_continues_in_the_tracker(library, stand_in, tmp_path):
    module, root = stand_in(library), tmp_path / "run"
    steps = run(CONFIG, root, images(), tracker=Tracking(library=library, project="mine"))
    for report in steps:
        if report.step == 4:
            break
    steps.close()
    train(root, library)  # the project is that of before
    first, second = module.started
    for key in ("project", "name", *(["id"] if library == "wandb" else [])):
        assert first[key] == second[key]
    assert first["project"] == "mine"
    assert module.finished == 2
    assert max(step for step, _ in module.values) == 6


def test_another_project_has_another_run(stand_in, tmp_path):
    module = stand_in("trackio")
    stop_after(CONFIG, tmp_path / "run", images(), 3)
    for project in ("one", "two"):
        train(tmp_path / "run", "trackio", project=project)
    first, second = module.started
    assert (first["project"], second["project"]) == ("one", "two")
    assert first["name"] != second["name"]


def test_a_damaged_record_of_the_tracker_is_replaced(stand_in, tmp_path):
    module, root = stand_in("trackio"), tmp_path / "run"
    for text in ("{", '{"trackio": {"project": "../x", "id": "a"}}', '{"trackio": 3}'):
        stop_after(CONFIG, root, images(), 3)
        (root / "tracker.json").write_text(text)
        train(root, "trackio")
        stored = json.loads((root / "tracker.json").read_bytes())["trackio"]
        start = module.started[-1]
        assert stored == {"project": "ssgan", "id": start["name"]}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("fails", ["init", "log", "Image", "finish"])
def test_a_failing_tracker_is_one_warning_and_the_run_goes_on(
    library, fails, stand_in, tmp_path, caplog
):
    module = stand_in(library, fails=fails)
    with caplog.at_level(logging.WARNING, "ssgan"):
        train(tmp_path / "run", library)
    said = [r.getMessage() for r in caplog.records if library in r.getMessage()]
    what = {"init": "start", "Image": "log"}.get(fails, fails)
    expected = f"{library} cannot {what}, and the run goes on without it: RuntimeError: no network"
    assert said == [expected]
    digest_on_disk(CONFIG, tmp_path / "run", images())  # of the last step
    assert (module.finished, len(module.values)) == (0, {"finish": 10, "Image": 3}.get(fails, 0))


def test_a_library_that_cannot_be_imported_is_one_warning(stand_in, tmp_path, caplog, monkeypatch):
    (tmp_path / "trackio.py").write_text("raise ValueError('too old')")
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    train(tmp_path / "run", "trackio")
    assert "trackio cannot start, and the run goes on without it: ValueError" in caplog.text
    digest_on_disk(CONFIG, tmp_path / "run", images())


@pytest.mark.parametrize("secret", [TOKEN, "short-one"])
def test_no_key_or_token_is_logged(secret, stand_in, tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "short-one")
    stand_in("wandb", fails="init", error=ValueError(f"bad key\n{secret} of ann"))
    with caplog.at_level(logging.DEBUG):
        train(tmp_path / "run", "wandb")
    assert "ValueError: bad key *** of ann" in caplog.text
    assert secret not in caplog.text
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [content for content in written if secret.encode() in content]


def test_wandb_without_a_login_asks_nothing(stand_in, tmp_path, caplog):
    module = stand_in("wandb")
    module.has_key = False
    train(tmp_path / "a", "wandb")
    assert (module.logins, module.started) == ([False], [])
    assert "not logged in: `wandb login` first, or set WANDB_MODE=offline" in caplog.text
    module.mode = "offline"
    train(tmp_path / "b", "wandb")
    assert (module.logins, len(module.started)) == ([False], 1)


def test_files_of_wandb_are_in_the_run_or_where_its_variable_says(stand_in, tmp_path, monkeypatch):
    module = stand_in("wandb")
    train(tmp_path / "a", "wandb")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    train(tmp_path / "b", "wandb")
    assert [start.get("dir") for start in module.started] == [str(tmp_path / "a"), None]


def test_wrong_trackers_are_refused_before_a_run_is_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    with pytest.raises(UserError, match="trackio is not installed: pip install"):
        train(tmp_path / "run", "trackio")
    with pytest.raises(UserError, match="no tracker 'mlflow'; there are wandb and trackio"):
        Tracking(library="mlflow")
    for words, expected in (
        (["--track", "trackio"], "trackio is not installed: pip install 'ssgan[track]'"),
        (["--track", "mlflow"], "--track must be wandb or trackio, not 'mlflow'"),
        (["--track-project", "a"], "--track-project requires --track"),
        (["--track", "wandb", "--track-project", "a/b"], "must be 1 to 128 letters"),
    ):
        assert main(["train", "scenes:ssgan", "--run", str(tmp_path / "run"), *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert expected in line
    assert list(tmp_path.iterdir()) == []


def test_the_command_tracks_a_run(stand_in, tmp_path):
    module = stand_in("trackio")
    words = ["--data", "scenes:num_images=120", "--run", str(tmp_path / "run"), *TINY]
    words += ["--cache", str(tmp_path / "cache"), "--track", "trackio", "--track-project", "mine"]
    assert main(["train", "scenes:ssgan", *words]) == 0
    assert module.started[0]["project"] == "mine"
    assert module.finished == 1
