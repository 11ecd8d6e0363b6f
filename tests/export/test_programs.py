"""Every family becomes ONNX and pt2 files that other programs run, with the same outputs."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ssgan.export import plain
from ssgan.export.compare import measure_difference
from ssgan.export.plain import (
    build_discriminator_graph,
    build_generator_graph,
    build_half_graph,
    make_plain,
)
from ssgan.export.programs import trace, write_onnx, write_pt2
from ssgan.export.run import HALF_LIMIT, LIMIT
from ssgan.runs.sampling import load_generator
from ssgan.types import UserError
from tests.export.small import build_model

pytestmark = pytest.mark.slow
pytest.importorskip("onnxscript")
ROOT = Path(__file__).parents[2]
NAMES = (
    *("resnet", "resnet5", "sndcgan", "dcgan", "biggan"),
    *("conditional", "self-modulated", "bilinear", "grey"),
)
# A pt2 file is the program from which the ONNX file is made; `test_run` has a conditional one.
AS_PT2 = ("resnet", "biggan", "dcgan") if os.environ.get("SSGAN_LONG") == "1" else ("biggan",)


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_gives_the_same_images_in_a_process_without_ssgan(name, tmp_path):
    graph = build_generator_graph(build_model(name))
    images = graph.outputs["images"]
    assert images.std(dim=0).mean() > 0.02  # they vary, so that an error would be seen
    program = trace(graph)
    endings = ["onnx", "pt2"] if name in AS_PT2 else ["onnx"]
    for path in (tmp_path / f"g.{ending}" for ending in endings):
        if path.suffix == ".onnx":
            write_onnx(program, graph, path)
        else:
            write_pt2(program, graph, path)
        assert measure_difference(path, graph) < LIMIT
        assert not re.search(rb"\.py\b|" + str(ROOT).encode(), path.read_bytes())  # no path of ours


@pytest.mark.parametrize("name", ["resnet", "dcgan", "biggan"])
def test_a_discriminator_gives_the_same_logits_and_features(name, tmp_path):
    model = build_model(name)
    graph = build_discriminator_graph(model, build_generator_graph(model).outputs["images"])
    scores = ["real", "auxiliary", "features"] if name != "biggan" else ["real", "features"]
    assert list(graph.outputs) == scores
    path = tmp_path / "d.onnx"
    write_onnx(trace(graph), graph, path)
    assert measure_difference(path, graph) < LIMIT


def test_a_generator_in_float16_is_close_and_reads_float32(tmp_path):
    import onnxruntime

    graph, path = build_half_graph(build_model("conditional")), tmp_path / "half.onnx"
    write_onnx(trace(graph), graph, path)
    assert LIMIT / 10 < measure_difference(path, graph) < HALF_LIMIT
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (images,) = session.run(None, {k: v[:2].numpy() for k, v in graph.inputs.items()})
    assert images.dtype == np.float32
    assert [one.shape for one in session.get_inputs()] == [["batch", 8], ["batch"]]
    assert [one.shape for one in session.get_outputs()] == [["batch", 3, 32, 32]]


def test_the_fused_form_would_be_noticed(tmp_path, monkeypatch):
    """A converter drops the divisor of its pooling without a word."""
    monkeypatch.setattr(plain, "make_plain", lambda network: network)
    graph, path = build_generator_graph(build_model("self-modulated")), tmp_path / "g.onnx"
    write_onnx(trace(graph), graph, path)
    assert measure_difference(path, graph) > 100 * LIMIT


@pytest.mark.long
def test_another_network_and_fewer_rows_are_noticed(tmp_path):
    graph, path = build_generator_graph(build_model()), tmp_path / "g.pt2"
    write_pt2(trace(graph), graph, path)
    images = graph.outputs["images"]
    assert measure_difference(path, replace(graph, outputs={"images": images + 0.01})) > 0.009
    assert measure_difference(path, replace(graph, outputs={"images": images * torch.nan})) == (
        float("inf")
    )
    with pytest.raises(UserError, match=r"g\.pt2 cannot be run without ssgan: AssertionError"):
        measure_difference(path, replace(graph, outputs={"images": images[:, :, :-1]}))


class Ours(torch.nn.Module):
    def forward(self, latents):
        if latents.sum() > 0:  # no plain operation
            return latents
        return -latents


def test_a_network_that_cannot_be_converted_is_one_line():
    graph = replace(build_generator_graph(build_model()), module=Ours())
    with pytest.raises(UserError, match=r"the generator cannot be converted: [^\n]+$"):
        trace(graph)


@pytest.mark.parametrize("name", NAMES)
def test_plain_layers_compute_the_same_in_any_batch(name):
    """In float64, without spectral norm left: the replacement is exact, not approximate."""
    model = build_model(name)
    network = load_generator(model, torch.device("cpu")).double()
    inputs = build_generator_graph(model).inputs
    arguments = [v.double() if v.is_floating_point() else v for v in inputs.values()]
    with torch.no_grad():
        before = network(*arguments)
        after = make_plain(network)(*arguments)
    assert (before - after).abs().max() < 1e-12
    assert not [key for key in network.state_dict() if "spectral" in key]
