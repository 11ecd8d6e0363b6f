"""The card shows what was measured on this generator, and no path of the machine."""

import json
from dataclasses import replace

import pytest
import torch

from ssgan.evaluation.format import format_value
from ssgan.evaluation.image_sets import GeneratedImages
from ssgan.evaluation.results import write_results
from ssgan.export.card import hide_path, read_measurements
from ssgan.runs.checkpoint import find_state
from tests.evaluation.saved import save_run
from tests.evaluation.test_results import FID


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("folder:/home/me/cats", "folder"),
        ("zip:cats.zip", "zip"),
        ("cifar10:/data/cifar", "cifar10"),
        ("cifar10-test", "cifar10-test"),
        ("hub:owner/name@v1#test", "hub:owner/name@v1#test"),
        ("hub:/home/me/set", "hub"),
        ("scenes:num_images=300", "scenes:num_images=300"),
        ("crops:4:folder:/home/me/cats", "crops:4:folder"),
        ("/home/me/statistics.npz", "images"),
        ("me/statistics.npz", "images"),
    ],
)
def test_a_path_is_hidden(source, shown):
    assert hide_path(source) == shown


def test_what_was_measured_on_this_generator_is_shown_with_its_protocol(tmp_path):
    root = save_run(tmp_path / "run")
    checkpoint = find_state(root).checkpoint
    assert read_measurements(checkpoint) == []
    identity = GeneratedImages("", checkpoint, torch.device("cpu")).identity
    this = replace(FID, subject_content=identity, against="folder:/home/me/cats")
    file = root / "evaluation" / "some" / "results.jsonl"
    write_results(file, [this, replace(FID, subject_content="ab" * 32)])
    rows = [{"step": step, "name": "FD-random", "value": float(step), "num_fake": 200}
            for step in (2, 3)]  # fmt: skip
    rows += [{"step": 3, "name": "D/spectral_norm", "value": 1.0}]
    (root / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_measurements(checkpoint)
    assert [one.name for one in found] == [FID.name, "FD-random"]
    assert found[0].value == format_value(this)
    assert f"{FID.protocol.num_fake:,} samples against" in found[0].protocol
    assert "images of folder;" in found[0].protocol
    assert found[1] == ("FD-random", "3", "during training: num_fake 200")
