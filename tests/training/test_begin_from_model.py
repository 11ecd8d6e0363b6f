"""A run that begins from a model: where it begins, what it reads, and which run it is."""

import json
import logging
import shutil
from dataclasses import replace

import pytest
import torch

from ssgan.cli.config_args import default_directory
from ssgan.files.run_directory import RunDirectory
from ssgan.runs import checkpoint
from ssgan.runs.config import InitialWeights
from ssgan.runs.model_file import digest_model, find_model, save_model
from ssgan.training import loop
from ssgan.training.loop import train
from ssgan.training.resume import may_change
from ssgan.training.run import run
from ssgan.types import NonFinite, UserError
from tests.training import ranks
from tests.training.tiny import STEPS, images, rows_of, stop_after, tiny, to_the_end

pytestmark = pytest.mark.slow

NETWORKS = ("generator", "generator_ema", "discriminator")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A run of another method on other images, after three steps."""
    root = tmp_path_factory.mktemp("model") / "run"
    stop_after(tiny("ms"), root, images(seed=1), 3)
    return root


@pytest.fixture
def dataset():
    return images()


@pytest.fixture(scope="module")
def undisturbed(model, tmp_path_factory):
    """The log and the digest of a run that begins from it and is not cut."""
    root = tmp_path_factory.mktemp("undisturbed") / "run"
    digest = to_the_end(beginning(model), root, images())
    return rows_of(root / "log.jsonl"), digest


def beginning(model, **changes):
    return tiny(init=InitialWeights(model=str(model)), **changes)


def stored(root, step):
    return checkpoint.load_checkpoint(RunDirectory(root).checkpoint(step))


def test_the_weights_before_the_first_step_are_the_models(model, dataset, tmp_path):
    next(run(beginning(model), tmp_path / "run", dataset))
    theirs, ours = stored(model, 3).tensors, stored(tmp_path / "run", 0)
    assert ours.step == 0
    assert ours.best_score is None
    for part in NETWORKS:
        for name, tensor in ours.tensors[part].items():
            if not name.startswith("heads.auxiliary"):
                assert torch.equal(tensor, theirs[part][name]), name
    assert ours.tensors["discriminator_optimizer"]["state"] == {}
    head = theirs["discriminator"]["heads.auxiliary.weight"]
    assert torch.equal(ours.tensors["discriminator"]["heads.auxiliary.weight"], head[:4])


def test_the_iterator_and_the_run_are_one(model, dataset, tmp_path):
    *_, report = train(beginning(model), dataset)
    to_the_end(beginning(model), tmp_path / "run", dataset)
    found = stored(tmp_path / "run", STEPS).tensors
    for part in NETWORKS:
        for name, tensor in getattr(report.state, part).state_dict().items():
            assert torch.equal(tensor, found[part][name]), (part, name)


@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_run_that_was_cut_continues_without_the_model_and_has_the_same_bits(
    step, model, undisturbed, dataset, tmp_path
):
    moved = tmp_path / "model"
    shutil.copytree(model, moved)
    config, root = beginning(moved), tmp_path / "run"
    if step == 0:  # before its first step
        steps = run(config, root, dataset)
        next(steps)
        steps.close()
    else:
        stop_after(config, root, dataset, step)
    shutil.rmtree(moved)
    continued = to_the_end(config, root, dataset)
    assert (rows_of(root / "log.jsonl"), continued) == undisturbed


def test_a_rollback_does_not_read_the_model(model, dataset, tmp_path, monkeypatch):
    """The third step is refused once; the run goes back to its checkpoint of step 0."""
    moved = tmp_path / "model"
    shutil.copytree(model, moved)
    starts, step = [], loop.train_step

    def refuse_once(state, *rest):
        if state.step == 0:
            starts.append({name: t.clone() for name, t in state.generator.state_dict().items()})
        if state.step == 2 and len(starts) == 1:
            shutil.rmtree(moved)
            raise NonFinite("planted")
        return step(state, *rest)

    monkeypatch.setattr(loop, "train_step", refuse_once)
    to_the_end(beginning(moved), tmp_path / "run", dataset)
    assert stored(tmp_path / "run", STEPS).rollbacks == 1
    theirs = stored(model, 3).tensors["generator"]
    assert [all(torch.equal(t, theirs[n]) for n, t in start.items()) for start in starts] == [
        True
    ] * 2


def test_the_digest_is_stored_and_other_weights_are_another_run(model, dataset, tmp_path):
    config = beginning(model)
    next(run(config, tmp_path / "run", dataset))
    digest = digest_model(find_model(model).model)
    written = json.loads((tmp_path / "run" / "config.json").read_text())["init"]
    assert written["sha256"] == digest
    assert stored(tmp_path / "run", 0).config.init.sha256 == digest
    one, other = (
        replace(config, init=replace(config.init, sha256=text * 64)) for text in ("a", "b")
    )
    assert default_directory("x", one) != default_directory("x", other)
    assert default_directory("x", one) != default_directory("x", tiny())
    moved = replace(one, init=replace(one.init, model="elsewhere"))
    assert default_directory("x", one) == default_directory("x", moved)
    assert may_change("init.model", one)
    assert not may_change("init.sha256", one)
    with pytest.raises(UserError, match=r"holds a run with other settings: init.sha256: "):
        next(run(other, tmp_path / "run", dataset))
    with pytest.raises(UserError, match="holds a run with other settings: init: "):
        next(run(tiny(), tmp_path / "run", dataset))


def test_a_model_that_changed_since_is_refused_before_the_first_checkpoint(
    model, dataset, tmp_path
):
    config = beginning(model)
    config = replace(config, init=replace(config.init, sha256="0" * 64))
    with pytest.raises(UserError, match="has other weights than this run is to begin with"):
        next(run(config, tmp_path / "run", dataset))
    assert not (tmp_path / "run").exists()


def test_a_file_and_the_run_it_is_of_are_one_beginning(model, dataset, tmp_path):
    save_model(tmp_path / "model.safetensors", find_model(model).model)
    digests = [
        to_the_end(beginning(path), tmp_path / f"run{number}", dataset)
        for number, path in enumerate((model, tmp_path / "model.safetensors"))
    ]
    assert digests[0] == digests[1]


def test_networks_that_differ_are_refused_before_anything_is_written(model, dataset, tmp_path):
    config = beginning(model, discriminator=replace(tiny().discriminator, width=1 / 16))
    with pytest.raises(UserError, match=r"discriminator.width is 0.0625 here and 0.03125 there"):
        next(run(config, tmp_path / "run", dataset))
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=r"discriminator.width is 0.0625 here"):
        next(train(config, dataset))


def test_what_is_new_is_said_in_one_line(model, dataset, tmp_path, caplog):
    caplog.set_level(logging.INFO, "ssgan")
    next(run(beginning(model), tmp_path / "run", dataset))
    (line,) = [one for one in caplog.messages if one.startswith("the run begins with the weights")]
    assert f"of {model}, step 3, sha256 " in line
    assert line.endswith("; 1 logits of the model's auxiliary head are left out")


def test_a_model_with_averaged_weights_alone_is_no_warning(model, dataset, tmp_path, caplog):
    """Every export is one."""
    caplog.set_level(logging.INFO, "ssgan")
    found = find_model(model).model
    tensors = {name: found.tensors[name] for name in ("generator_ema", "discriminator")}
    save_model(tmp_path / "model.safetensors", replace(found, tensors=tensors))
    begun = beginning(tmp_path / "model.safetensors", method=found.config.method)
    next(run(begun, tmp_path / "run", dataset))
    (record,) = [one for one in caplog.records if "begins with the averaged weights" in one.message]
    assert record.levelno == logging.INFO


def test_frozen_blocks_are_those_of_the_model(model, dataset, tmp_path):
    to_the_end(beginning(model, freeze_discriminator_blocks=2), tmp_path / "run", dataset)
    theirs, ours = stored(model, 3), stored(tmp_path / "run", STEPS)
    for name, tensor in theirs.tensors["discriminator"].items():
        if not name.startswith("heads."):
            same = torch.equal(tensor, ours.tensors["discriminator"][name])
            assert same == name.startswith(("blocks.0.", "blocks.1.")), name


def test_two_ranks_begin_where_one_does(model, dataset, tmp_path):
    """The second of them never reads the model."""
    shutil.copytree(model, tmp_path / "model")
    config = beginning(tmp_path / "model", batch_size=24, precision="float64", total_steps=2)
    to_the_end(config, tmp_path / "alone", dataset)
    found = ranks.together("begun from a model", tmp_path, 2)
    assert [code for code, _ in found] == [0, 0], found
    one, two = (stored(tmp_path / name, 2).tensors for name in ("alone", "two"))
    for part in NETWORKS:
        for name, tensor in one[part].items():
            torch.testing.assert_close(two[part][name], tensor, rtol=0, atol=1e-9)
