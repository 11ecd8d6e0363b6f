"""A run that was cut anywhere and continued is the run that was not."""

import json
import logging
import shutil
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from ssgan.config.serialize import difference, dump, load
from ssgan.data.dataset import Dataset
from ssgan.files import environment as environments
from ssgan.files.run_directory import RunDirectory
from ssgan.methods.base import Method
from ssgan.methods.gan import GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.runs import checkpoint
from ssgan.runs.config import AdamConfig
from ssgan.training import resume
from ssgan.training.resume import read_run_config, refuse_changes
from ssgan.training.run import run
from ssgan.types import Batch, Discriminator, Generator, GeneratorInput, Loss, UserError
from tests.training.tiny import (
    METHODS,
    STEPS,
    SUCCESSORS,
    evaluating,
    images,
    rows_of,
    stop_after,
    tiny,
    to_the_end,
)
from tests.training.tiny import with_output as writing

pytestmark = pytest.mark.slow

CASES = {name: tiny(name) for name in METHODS}
ODD_CASES = {
    "accumulation": tiny(accumulation=2, method=SSGAN(rotated_fraction=0.5)),
    "scored": evaluating(writing(tiny(discriminator_updates=2), sample_every=1), every=1),
    "decaying": tiny(
        learning_rate_decay="linear",
        augment=True,
        generator_optimizer=AdamConfig(beta1=0.5),
        discriminator_optimizer=AdamConfig(beta1=0.5),
    ),
}
ODD_CASES["frozen blocks"] = tiny(freeze_discriminator_blocks=2)
ODD_CASES |= {name: tiny(name) for name in SUCCESSORS}
CUTS = [(name, step) for name in CASES for step in range(STEPS + 1)]
CUTS += [(name, step) for name in ODD_CASES for step in (0, 3)]


@pytest.fixture(scope="module")
def dataset():
    return images()


@pytest.fixture(scope="module")
def uninterrupted(dataset, tmp_path_factory):
    """For a case: its config, the directory of a run in one go, and the digest at its end."""
    done = {}

    def go(name):
        if name not in done:
            config = (CASES | ODD_CASES)[name]
            root = tmp_path_factory.mktemp(name) / "run"
            done[name] = config, root, to_the_end(config, root, dataset)
        return done[name]

    return go


@pytest.fixture(scope="module")
def left_at(dataset, tmp_path_factory):
    """For a case: copies of a run's directory, of the moment after each step, as a kill leaves it.

    At step 0, the run is left before its first checkpoint.
    """
    done = {}

    def copies(name):
        if name not in done:
            folder = done[name] = tmp_path_factory.mktemp(f"{name}-left")
            config = (CASES | ODD_CASES)[name]
            stop_after(config, folder / "0", dataset, 0)
            for report in run(writing(config, checkpoint_every=1), folder / "run", dataset):
                shutil.copytree(folder / "run", folder / str(report.step))
        return done[name]

    return copies


@pytest.mark.parametrize(("name", "step"), CUTS)
def test_stopped_at_any_step_and_continued_the_bits_are_the_same(
    name, step, left_at, uninterrupted, dataset, tmp_path
):
    """And so are the log, the scores and the last sheet of samples."""
    config, whole, digest = uninterrupted(name)
    root = tmp_path / "run"
    shutil.copytree(left_at(name) / str(step), root)
    saved, _ = checkpoint.load_newest(RunDirectory(root))
    assert (saved.step if saved else 0) == step
    assert to_the_end(config, root, dataset) == digest
    log = rows_of(root / "log.jsonl")
    assert [row["step"] for row in log] == list(range(1, STEPS + 1))
    assert log == rows_of(whole / "log.jsonl")
    if config.evaluate.every:
        assert rows_of(root / "metrics.jsonl") == rows_of(whole / "metrics.jsonl")
    sheet = RunDirectory(root).sample(STEPS)
    assert sheet.read_bytes() == RunDirectory(whole).sample(STEPS).read_bytes()


def test_the_same_command_gives_the_same_bits_and_another_seed_others(
    uninterrupted, dataset, tmp_path
):
    config, whole, digest = uninterrupted("ssgan")
    again, other = tmp_path / "again", tmp_path / "other"
    assert to_the_end(config, again, dataset) == digest
    assert to_the_end(replace(config, seed=1), other, dataset) != digest
    sheets = [RunDirectory(root).sample(STEPS).read_bytes() for root in (whole, again, other)]
    assert sheets[0] == sheets[1] != sheets[2]


def test_a_longer_run_is_a_shorter_one_continued(uninterrupted, dataset, tmp_path):
    config, _, digest = uninterrupted("ssgan")
    to_the_end(replace(config, total_steps=2), tmp_path / "run", dataset)
    assert to_the_end(config, tmp_path / "run", dataset) == digest


CHANGES = {
    "method.alpha": replace(tiny(), method=SSGAN(alpha=0.5)),
    "method": tiny("gan", discriminator_updates=1),
    "batch_size": tiny(batch_size=4),
    "accumulation": tiny(accumulation=2),
    "discriminator_updates": tiny(discriminator_updates=2),
    "ema_halflife_steps": tiny(ema_halflife_steps=4.0),
    "seed": tiny(seed=1),
    "precision": tiny(precision="float64"),
    "augment": tiny(augment=True),
    "generator.width": tiny(generator=replace(tiny().generator, width=1 / 32)),
    "discriminator.spectral": tiny(discriminator=replace(tiny().discriminator, spectral=False)),
    "generator_optimizer.beta1": tiny(generator_optimizer=AdamConfig(beta1=0.5)),
    "learning_rate_decay": tiny(learning_rate_decay="linear"),
    "data.mirror": tiny(data=replace(tiny().data, mirror=False)),
    "data.source.seed": tiny(data=replace(tiny().data, source=replace(tiny().data.source, seed=1))),
}


@pytest.mark.parametrize("path", CHANGES)
def test_a_changed_setting_is_refused_with_its_path_and_both_values(path, tmp_path):
    changed = CHANGES[path]
    one = next(d for d in difference(tiny(), changed) if d.path == path)
    with pytest.raises(UserError) as refusal:
        refuse_changes(tmp_path, tiny(), changed)
    assert str(one) in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_a_run_refuses_a_changed_setting_and_is_left_as_it_was(dataset, tmp_path):
    stop_after(tiny(), tmp_path, dataset, 1)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"other settings: seed: 0 before, 1 now"):
        to_the_end(tiny(seed=1), tmp_path, dataset)
    assert {path: path.read_bytes() for path in before} == before


def test_the_checkpoint_s_own_settings_count_when_config_json_has_gone(dataset, tmp_path):
    stop_after(tiny(), tmp_path, dataset, 1)
    (tmp_path / "config.json").unlink()
    with pytest.raises(UserError, match=r"seed: 0 before, 1 now"):
        to_the_end(tiny(seed=1), tmp_path, dataset)


def test_what_is_written_may_change_and_the_bits_do_not(uninterrupted, dataset, tmp_path):
    _, _, digest = uninterrupted("ssgan")
    stop_after(tiny(), tmp_path, dataset, 2)
    other = writing(tiny(), log_every=2, checkpoint_every=4, sample_rows=1, sample_every=1)
    other = evaluating(other, num_images_d=4, on_collapse="stop")
    assert to_the_end(other, tmp_path, dataset) == digest
    refuse_changes(tmp_path, tiny(), tiny(device="auto"))


def test_with_decay_or_annealing_the_number_of_steps_is_no_longer_harmless(tmp_path):
    refuse_changes(tmp_path, tiny(), tiny(total_steps=9))
    for changing in (tiny(learning_rate_decay="linear"), tiny("annealed")):
        with pytest.raises(UserError, match="total_steps: 6 before, 9 now"):
            refuse_changes(tmp_path, changing, replace(changing, total_steps=9))


def test_a_run_beyond_total_steps_says_where_it_is_and_is_left_as_it_was(dataset, tmp_path):
    stop_after(tiny(), tmp_path, dataset, 3)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"is already at step 3, beyond total_steps 2: "):
        to_the_end(tiny(total_steps=2), tmp_path, dataset)
    assert {path: path.read_bytes() for path in before} == before


def machine_likes(precision, monkeypatch):
    def resolve(name, device):
        return precision if name == "auto" else name

    monkeypatch.setattr(resume, "resolve_precision", resolve)


@pytest.mark.parametrize("first", ["float32", "bfloat16"])
def test_auto_means_what_the_run_has_whatever_this_machine_is_fast_at(
    first, dataset, tmp_path, monkeypatch
):
    """So a run is continued on another device, as `device` promises; with the same bits here."""
    config, other = tiny(precision="auto"), {"float32": "bfloat16", "bfloat16": "float32"}[first]
    whole = to_the_end(tiny(precision=first), tmp_path / "whole", dataset)
    machine_likes(first, monkeypatch)
    stop_after(config, tmp_path / "run", dataset, 3)
    machine_likes(other, monkeypatch)
    stop_after(config, tmp_path / "run", dataset, 4)
    (tmp_path / "run" / "config.json").unlink()  # then the checkpoint's own settings tell
    assert to_the_end(config, tmp_path / "run", dataset) == whole
    stored = read_run_config(RunDirectory(tmp_path / "run"))
    assert stored.precision == first
    with pytest.raises(UserError, match=f"precision: {first} before, {other} now"):
        to_the_end(tiny(precision=other), tmp_path / "run", dataset)


def test_other_images_are_refused_by_content(dataset, tmp_path):
    stop_after(tiny(), tmp_path, dataset, 1)
    other = images(seed=1)
    words = f"other images.*{dataset.content_hash[:12]}.*{other.content_hash[:12]}"
    with pytest.raises(UserError, match=words):
        to_the_end(tiny(), tmp_path, other)


def test_a_directory_of_other_files_is_refused(dataset, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="holds other files and no run"):
        to_the_end(tiny(), tmp_path, dataset)
    with pytest.raises(UserError, match=r"thesis.tex is a file"):
        to_the_end(tiny(), tmp_path / "thesis.tex", dataset)


def test_labels_are_asked_for_by_the_methods_that_need_them(dataset, tmp_path):
    bare = Dataset(dataset.images, None, (), "bare", {})
    with pytest.raises(UserError, match="needs labels"):
        to_the_end(tiny("conditional"), tmp_path / "run", bare)
    assert not (tmp_path / "run").exists()


@dataclass(frozen=True, kw_only=True)
class Mine(Method):
    """A method that lives outside the package."""

    weight: float = 2.0  # of the game
    auxiliary_width: ClassVar[int] = 0

    def discriminator_loss(
        self, G: Generator, D: Discriminator, real: Batch, draw: GeneratorInput
    ) -> Loss:
        loss = GAN().discriminator_loss(G, D, real, draw)
        return Loss(self.weight * loss.total, loss.terms)

    def generator_loss(self, G: Generator, D: Discriminator, draw: GeneratorInput) -> Loss:
        loss = GAN().generator_loss(G, D, draw)
        return Loss(self.weight * loss.total, loss.terms)


def test_a_run_of_somebody_else_s_method_continues(dataset, tmp_path):
    config = tiny(method=Mine(), total_steps=2)
    whole = to_the_end(config, tmp_path / "whole", dataset, trusted=(__name__,))
    stop_after(config, tmp_path / "run", dataset, 1)
    assert to_the_end(config, tmp_path / "run", dataset, trusted=(__name__,)) == whole


@pytest.mark.parametrize("key", ["threads", "torch", "device"])
def test_a_changed_environment_is_told(key, dataset, tmp_path, monkeypatch, caplog):
    stop_after(tiny(), tmp_path, dataset, 1)
    now = environments.describe_environment

    with caplog.at_level(logging.WARNING, "ssgan"):
        stop_after(tiny(), tmp_path, dataset, 2)
        assert "bits may differ" not in caplog.text
        monkeypatch.setattr(resume, "describe_environment", lambda *a: {**now(*a), key: "another"})
        stop_after(tiny(), tmp_path, dataset, 3)
    assert f"bits may differ from the first part: {key} changed" in caplog.text


@pytest.mark.filterwarnings("ignore")  # of the libraries that read event files
@pytest.mark.parametrize("step", [0, 2])
def test_event_files_show_each_step_once(step, dataset, tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = writing(tiny(total_steps=3), tensorboard=True)
    left = writing(config, checkpoint_every=step or 9)
    steps = run(left, tmp_path, dataset)
    for _ in range(step + 1):  # one more than is saved
        next(steps)
    steps.close()
    to_the_end(config, tmp_path, dataset)
    events = reader.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("D/rotation")] == [1, 2, 3]
    logged = [row["D/rotation"] for row in rows_of(tmp_path / "log.jsonl")]
    np.testing.assert_allclose([e.value for e in events.Scalars("D/rotation")], logged, rtol=1e-6)


def test_a_run_from_before_a_setting_has_its_default_and_lacks_no_other():
    table = dump(tiny())
    for later in ("reuse_fakes", "compile", "activation_checkpointing"):
        del table[later]
    assert load(table) == tiny()
    del table["augment"]
    with pytest.raises(UserError, match="needs a value for augment"):
        load(table)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b'{"torch": [1], "threads": {}}'])
def test_a_broken_environment_stops_nothing_and_is_written_anew(content, dataset, tmp_path, caplog):
    """What can be read of it and differs is told as any change."""
    layout = RunDirectory(tmp_path)
    stop_after(tiny(), tmp_path, dataset, 3)
    whole = json.loads(layout.environment.read_bytes())
    layout.environment.write_bytes(content)
    to_the_end(tiny(), tmp_path, dataset)
    assert json.loads(layout.environment.read_bytes()) == whole
    (warning,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert "environment.json" in warning or "bits may differ" in warning
    assert "\n" not in warning
