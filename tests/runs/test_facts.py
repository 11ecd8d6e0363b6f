"""What a checkpoint says of itself has types and ranges; what it asks for is what it holds."""

import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssgan.cli.main import main
from ssgan.config.serialize import dump
from ssgan.files.atomic import write_json
from ssgan.files.run_directory import RunDirectory
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.runs import checkpoint
from ssgan.types import UserError
from tests.training.tiny import evaluating, images, stop_after, tiny, to_the_end, with_output

CONFIG = evaluating(with_output(tiny(), snapshot_every=3), every=3)
SECONDS_ALLOWED = 60.0  # of a refusal that takes a fraction of one; building takes minutes


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run with checkpoints of steps 2 and 3, a best state and a snapshot."""
    root = tmp_path_factory.mktemp("facts") / "run"
    for step in (2, 3):
        stop_after(CONFIG, root, images(), step)
    return root


@pytest.fixture
def layout(stopped, tmp_path):
    return RunDirectory(Path(shutil.copytree(stopped, tmp_path / "run")))


def rewrite(path, change):
    """Change the facts in a checkpoint, whose digest is right again."""
    content = checkpoint.unpack(checkpoint.read_verified(path))
    facts = json.loads(content.pop("facts"))
    change(facts)
    checkpoint.write_tensors(path, facts, content)


WHOLE = "a whole number, 0 or more"
WRONG = [
    ("step", "abc", WHOLE), ("step", -1, WHOLE), ("step", True, WHOLE), ("step", 3.0, WHOLE),
    ("step", 2**70, WHOLE), ("step", None, WHOLE), ("step", [3], WHOLE), ("step", math.nan, WHOLE),
    ("best_step", "3", WHOLE), ("best_step", -3, WHOLE),
    ("rollbacks", "x", WHOLE), ("rollbacks", -1, WHOLE), ("rollbacks", True, WHOLE),
    ("evaluated", 1, "true or false"), ("evaluated", "no", "true or false"),
    ("best_score", "low", "a number below 1e100 or null"),
    ("best_score", True, "a number below 1e100 or null"),
    ("best_score", math.inf, "a number below 1e100 or null"),
    ("best_score", 1e300, "a number below 1e100 or null"),
    ("data_hash", 5, "a text"), ("data_hash", None, "a text"),
    ("classes", "ab", "a list of texts"), ("classes", [1], "a list of texts"),
    ("classes", {"a": 1}, "a list of texts"),
    ("config", [], "a table"), ("config", None, "a table"),
    ("format", "1", "1"), ("format", 0, "1"), ("format", True, "1"), ("format", 1.0, "1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "words"), WRONG, ids=lambda v: str(v)[:12])
def test_a_fact_of_another_type_or_range_is_named_with_its_file(name, value, words, layout):
    path = layout.checkpoint(3)
    rewrite(path, lambda facts: facts.__setitem__(name, value))
    with pytest.raises(UserError) as refusal:
        checkpoint.load_newest(layout)
    said = str(refusal.value)
    given = json.dumps(value)
    assert said == f"{path} cannot be used: its fact '{name}' must be {words}, not {given}"


@pytest.mark.parametrize(
    "name", ["step", "best_step", "best_score", "classes", "config", "data_hash"]
)
def test_a_missing_fact_is_named_with_its_file(name, layout):
    rewrite(layout.checkpoint(3), lambda facts: facts.pop(name))
    with pytest.raises(UserError, match=rf"step-00000003.ckpt cannot be .* no fact {name!r}$"):
        checkpoint.load_newest(layout)


def test_a_fact_that_is_not_known_changes_nothing_and_a_nan_score_is_of_the_first_version(layout):
    rewrite(layout.checkpoint(3), lambda facts: facts.update(later=[1], best_score=math.nan))
    saved, passed_over = checkpoint.load_newest(layout)
    assert saved.step == 3
    assert math.isnan(saved.best_score)
    assert passed_over == []


def widen(layout, path):
    """Settings that ask for 64 times the width, in a file and in config.json."""
    wide = replace(
        CONFIG,
        generator=ResNetGenerator(width=64.0, latent_size=8),
        discriminator=ResNetDiscriminator(width=64.0),
    )
    rewrite(path, lambda facts: facts.__setitem__("config", dump(wide)))
    write_json(layout.config, dump(wide))


@pytest.mark.parametrize("which", ["checkpoint", "best", "snapshot"])
def test_settings_that_ask_for_more_than_the_file_holds_build_nothing(which, layout, monkeypatch):
    """A file of half a megabyte asked for ten gigabytes."""
    path = {
        "checkpoint": layout.checkpoint(3),
        "best": layout.best_checkpoint(),
        "snapshot": layout.snapshot(3),
    }[which]
    widen(layout, path)
    forbid_building(monkeypatch)
    for command in (["sample", str(path), "--n", "1"], ["evaluate", str(path), *AGAINST]):
        started = time.monotonic()
        assert main(command) == 2
        assert time.monotonic() - started < SECONDS_ALLOWED


AGAINST = ["--against", "scenes:num_images=20", "--features", "random", "--n", "4"]


def forbid_building(monkeypatch):
    """Building on a device that has content is an error."""
    for family in (ResNetGenerator, ResNetDiscriminator):
        build = family.build

        def planned(self, *arguments, build=build):
            assert torch.get_default_device().type == "meta", "it was built"
            return build(self, *arguments)

        monkeypatch.setattr(family, "build", planned)


def test_such_a_run_is_shown_and_neither_continued_nor_probed(layout, monkeypatch, capsys):
    widen(layout, layout.checkpoint(3))
    forbid_building(monkeypatch)
    run = str(layout.root)
    assert main(["show", run]) == 0
    for command in (["train", run], ["probe", run, "--data", "scenes:num_images=120"]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert "step-00000003.ckpt does not fit" in error
        assert "its settings ask for" in error


@pytest.mark.parametrize(
    ("changes", "largest"),
    [
        ({"generator": ResNetGenerator(width=64.0)}, "generator"),
        ({"discriminator": ResNetDiscriminator(width=2**10)}, "discriminator"),
        ({"batch_size": 2**30}, "batch_size"),
        ({"generator": ResNetGenerator(width=1 / 64, latent_size=2**31 - 1)}, "generator"),
        ({"evaluate": replace(CONFIG.evaluate, images=2**31 - 1)}, "evaluate.images"),
    ],
    ids=["G", "D", "batch", "latents", "evaluation"],
)
def test_a_config_that_no_memory_holds_is_refused_before_anything_is_built(
    changes, largest, tmp_path, monkeypatch, capsys
):
    """Of somebody else's directory without a checkpoint."""
    write_json(tmp_path / "config.json", dump(replace(CONFIG, **changes)))
    forbid_building(monkeypatch)
    monkeypatch.setattr("ssgan.runs.shapes.memory_bytes", lambda: 2**34)
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))
    assert main(["train", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"GB of memory: most of it is for {largest}" in error
    assert len(error.strip().splitlines()) == 1


def test_log_lines_that_were_lost_are_said_once_and_the_run_goes_on(layout, caplog):
    log = layout.log.read_text().splitlines(keepends=True)
    layout.log.write_text("".join(log[:1]))
    layout.metrics.unlink()
    to_the_end(CONFIG, layout.root, images())
    lost = [r.message for r in caplog.records if "are lost" in r.message]
    assert len(lost) == 2
    assert f"{layout.log} ends at step 1 and the checkpoint is of step 3" in lost[0]
    assert f"{layout.metrics} ends at step 0 and the checkpoint is of step 3" in lost[1]


def test_whole_logs_raise_no_such_warning(layout, caplog):
    to_the_end(with_output(CONFIG, log_every=2), layout.root, images())
    assert "are lost" not in caplog.text


def test_without_a_whole_checkpoint_the_whole_copies_are_named_with_their_commands(layout, capsys):
    layout.healthy.mkdir()
    shutil.copy(layout.checkpoint(2), layout.healthy_checkpoint(2))
    for path in layout.checkpoint_files():
        path.write_bytes(path.read_bytes()[:-1])
    run = str(layout.root)
    for command in (["train", run], ["sample", run]):
        assert main([*command]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert f"copy {layout.healthy_checkpoint(2)} into {layout.checkpoints} to cont" in error
        assert f"`ssgan sample {run} --best` samples from the best" in error
        assert f"`ssgan sample {layout.snapshot(3)}` samples from it" in error
    layout.best_checkpoint().write_bytes(b"damaged")
    with pytest.raises(UserError) as refusal:
        checkpoint.find_state(layout.root)
    assert "--best" not in str(refusal.value)
    shutil.copy(layout.healthy_checkpoint(2), layout.checkpoints)
    assert to_the_end(CONFIG, layout.root, images())
