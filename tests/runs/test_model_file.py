"""A model's file brings back what was written, or is refused in one line."""

import json
import re
import struct
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from ssgan.data.folder import Folder
from ssgan.files import atomic
from ssgan.runs import model_file
from ssgan.runs.checkpoint import load_part
from ssgan.runs.model_file import convert_checkpoint, find_model, load_model, save_model
from ssgan.runs.sampling import generate_pixels, load_discriminator, load_generator, sample_latents
from ssgan.runs.state import fresh_state
from ssgan.types import UserError
from tests.training.tiny import images, stop_after, tiny

CPU = torch.device("cpu")
SECRET = "/home/somebody/private pictures"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The directory of a conditional run after three steps."""
    root = tmp_path_factory.mktemp("model") / "run"
    stop_after(tiny("conditional"), root, images(), 3)
    return root


@pytest.fixture(scope="module")
def model(run):
    return find_model(run).model


@pytest.fixture
def path(model, tmp_path):
    save_model(tmp_path / "model.safetensors", model)
    return tmp_path / "model.safetensors"


def test_every_tensor_and_fact_comes_back(model, path):
    back = load_model(path)
    assert replace(back, tensors={}) == replace(model, tensors={}, path=path)
    assert list(back.tensors) == ["generator_ema", "discriminator", "generator"]
    for part, table in model.tensors.items():
        assert sorted(back.tensors[part]) == sorted(table)
        for name, tensor in table.items():
            assert torch.equal(back.tensors[part][name], tensor)
            assert back.tensors[part][name].dtype == tensor.dtype
    assert back.num_classes == 10
    assert back.step == 3


def test_the_averaged_weights_are_those_that_sampling_uses(model, path):
    back = load_model(path)
    draws = sample_latents(model.config.generator, 0, "sample", 5)
    labels = torch.arange(5)
    ours, theirs = (
        generate_pixels(load_generator(one, CPU), draws, labels) for one in (back, model)
    )
    assert (ours == theirs).all()
    with safe_open(path, "pt") as file:
        averaged = file.get_tensor("generator.first.weight")
        raw = file.get_tensor("generator_raw.first.weight")
    assert torch.equal(averaged, model.tensors["generator_ema"]["first.weight"])
    assert torch.equal(raw, model.tensors["generator"]["first.weight"])
    assert not torch.equal(averaged, raw)


def test_a_new_state_begins_with_the_weights_of_a_file(path):
    back = load_model(path)
    state = fresh_state(back.config, back.num_classes, CPU)
    for name in back.tensors:
        load_part(getattr(state, name), back, name)
    (weight,) = [w for n, w in state.generator.named_parameters() if n == "first.weight"]
    assert torch.equal(weight, back.tensors["generator"]["first.weight"])
    assert load_discriminator(back, CPU)


def test_the_same_model_gives_the_same_bytes(model, path, tmp_path):
    save_model(tmp_path / "again.safetensors", load_model(path))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_no_path_of_the_machine_leaves_it(run, tmp_path):
    checkpoint, _ = model_file.find_state(run)
    data = replace(checkpoint.config.data, source=Folder(SECRET))
    model = convert_checkpoint(replace(checkpoint, config=replace(checkpoint.config, data=data)))
    save_model(tmp_path / "model.safetensors", model)
    content = (tmp_path / "model.safetensors").read_bytes()
    assert b"somebody" not in content
    assert b"private" not in content
    assert str(run).encode() not in content
    assert load_model(tmp_path / "model.safetensors").source == "folder"


def test_a_model_may_lack_d_and_the_raw_weights(model, tmp_path):
    small = replace(model, tensors={"generator_ema": model.tensors["generator_ema"]})
    save_model(tmp_path / "small.safetensors", small)
    back = load_model(tmp_path / "small.safetensors")
    assert list(back.tensors) == ["generator_ema"]
    with pytest.raises(UserError, match="has no discriminator"):
        load_discriminator(back, CPU)


def test_a_file_is_written_whole_or_not_at_all(model, path, monkeypatch):
    before = path.read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        save_model(path, replace(model, step=9))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def packed(header, body=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def edited(path, **facts):
    """The file with other facts, and its tensors as they are."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    text = json.loads(header["__metadata__"]["ssgan"]) | facts
    header["__metadata__"]["ssgan"] = json.dumps(text)
    return packed(header, data[8 + size :])


def deep(path):
    return edited(path, config=json.loads("[" * 70 + "]" * 70))


def other_tensors(path, change):
    """The file with changed tensors and the right sha256 of them."""
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["ssgan"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(tensors)
    facts["sha256"] = model_file._digest(tensors)
    return save(tensors, {"ssgan": json.dumps(facts)})


def overlapping(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    first, second, *_ = [name for name in header if name != "__metadata__"]
    header[second]["data_offsets"] = header[first]["data_offsets"]
    return packed(header, data[8 + size :])


def flipped(path):
    data = bytearray(path.read_bytes())
    data[-5] ^= 4
    return bytes(data)


def rename(tensors):
    tensors["generator.second.weight"] = tensors.pop("generator.first.weight")


def reshape(tensors):
    tensors["generator.first.weight"] = tensors["generator.first.weight"].T.contiguous()


def round_down(tensors):
    tensors["generator.first.weight"] = tensors["generator.first.weight"].int()


def add(tensors):
    tensors["optimizer.step"] = torch.ones(1)


def empty(tensors):
    for name in [name for name in tensors if name.startswith("generator.")]:
        del tensors[name]


def poison(tensors):
    tensors["generator.first.weight"][0, 0] = torch.nan


def wider(path):
    data = path.read_bytes()
    facts = json.loads(
        json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])["__metadata__"]["ssgan"]
    )
    facts["config"]["generator"]["width"] = 1e4
    return edited(path, config=facts["config"])


def with_kind(kind):
    def change(path):
        data = path.read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        facts = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["ssgan"])
        facts["config"]["method"]["kind"] = kind
        return edited(path, config=facts["config"])

    return change


BAD = {
    "empty": (lambda path: b"", "size of its header"),
    "text": (lambda path: b"these are no weights at all", "size of its header"),
    "cut": (lambda path: path.read_bytes()[:-9], "damaged or no"),
    "header beyond the file": (lambda path: struct.pack("<Q", 99) + b"{}", "size of its header"),
    "huge header": (lambda path: struct.pack("<Q", 2**63) + b"{}", "size of its header"),
    "padded header": (lambda path: packed(b"{}" + b" " * 9 * 2**20), "size of its header"),
    "no JSON": (lambda path: packed(b"{]"), "no JSON"),
    "no text": (lambda path: packed(b"\xff\xfe"), "no JSON"),
    "deep header": (lambda path: packed(b"[" * 10**5), "no JSON"),
    "other header": (lambda path: packed([1]), "holds no model of ssgan"),
    "weights alone": (lambda path: save({"a": torch.ones(1)}), "holds no model of ssgan"),
    "facts in another form": (
        lambda path: packed({"__metadata__": {"ssgan": "[1]"}}), "no JSON table"
    ),
    "deep facts": (deep, "no JSON table"),
    "overlap": (overlapping, "damaged or no"),
    "newer": (lambda path: edited(path, format=2), "newer ssgan, in format 2"),
    "no step": (lambda path: edited(path, step="three"), "'step' must be a whole number"),
    "other shape": (lambda path: edited(path, image_shape=[3, 64]), "contradicts itself"),
    "other classes": (lambda path: edited(path, classes=["cat"]), "does not fit"),
    "flipped bit": (flipped, "do not match their sha256"),
    "other name": (lambda path: other_tensors(path, rename), "does not fit generator_ema"),
    "other size": (lambda path: other_tensors(path, reshape), "does not fit generator_ema"),
    "whole numbers": (lambda path: other_tensors(path, round_down), "must be floating-point"),
    "another part": (lambda path: other_tensors(path, add), "has a tensor 'optimizer.step'"),
    "no G": (lambda path: other_tensors(path, empty), "does not fit generator_ema"),
    "NaN": (lambda path: other_tensors(path, poison), "NaN or infinity"),
    "wider": (wider, "does not fit generator_ema"),
    "code": (with_kind("os.path:join"), "in none of: ssgan"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line_that_names_it(name, path):
    change, words = BAD[name]
    path.write_bytes(change(path))
    with pytest.raises(UserError) as caught:
        load_model(path)
    message = str(caught.value)
    assert words in message
    assert path.name in message
    assert "\n" not in message
    assert len(re.sub(re.escape(str(path)), "", message)) < 300


def test_edited_facts_alone_are_read(path):
    """So the refusals above are of what was changed, not of the editing."""
    path.write_bytes(edited(path, step=7))
    assert load_model(path).step == 7
    path.write_bytes(other_tensors(path, lambda tensors: None))
    assert load_model(path).step == 7


def test_only_a_run_directory_has_a_best_state(path):
    with pytest.raises(UserError, match="only a run directory has a best one"):
        find_model(path, best=True)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match="is not there; give a run directory or"):
        load_model(tmp_path / "none.safetensors")
    with pytest.raises(UserError, match="is a folder"):
        load_model(tmp_path)
