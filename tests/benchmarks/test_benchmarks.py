"""Benchmarks run at their smallest, and say what they promise; no test looks at a time."""

import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import (
    busy,
    data,
    memory_growth,
    mimicry,
    overhead,
    peers,
    processes,
    report,
    roofline,
    sampling,
    step,
)
from benchmarks.configs import Case, Stepper, config_of, networks, variant
from benchmarks.profile_ops import KINDS, OTHER, kind_of
from benchmarks.timing import Times, alternate
from ssgan.cli.main import main as ssgan_command
from ssgan.types import UserError

pytestmark = pytest.mark.slow

TINY = ["--repeats", "1", "--threads", "1", "--width", "0.03125"]
SMALL = Case(network="resnet", batch=4, width=1 / 32, precision="float32")

FAKE_MIMICRY = """
import torch, tensorflow, torch._six
from torchvision.datasets import ImageFolder
from skimage import io
from types import SimpleNamespace as Names

class Network(torch.nn.Linear):
    def __init__(self, **channels):
        (self.channels,) = channels.items()
        super().__init__(1, 1)
    def train_step(self, real_batch, log_data, global_step, device, scaler, netG=None, netD=None,
                   optD=None, optG=None):
        log_data.done.append((self.channels[0], global_step))
        CALLS.append((self.channels, real_batch[0].shape, global_step))
        return log_data

CALLS = []
nets = Names(ssgan=Names(SSGANGenerator32=Network, SSGANDiscriminator32=Network))
class MetricLog:
    def __init__(self): self.done = []
class LRScheduler:
    def __init__(self, **settings): pass
    def step(self, log_data, global_step): assert global_step == log_data.done[-1][1] + 1
training = Names(metric_log=Names(MetricLog=MetricLog), scheduler=Names(LRScheduler=LRScheduler))
"""


@pytest.fixture
def here(monkeypatch):
    """Measure in this process: starting one takes longer than everything measured here."""
    for module in (step, sampling, overhead, memory_growth):
        monkeypatch.setattr(module, "fresh", lambda function, *args, threads: function(*args))


@pytest.fixture
def fake_mimicry(tmp_path):
    (tmp_path / "torch_mimicry").mkdir()
    (tmp_path / "torch_mimicry" / "__init__.py").write_text(FAKE_MIMICRY)
    yield tmp_path
    sys.modules.pop("torch_mimicry", None)


class InThisProcess:
    """What a Worker does, without the process."""

    def __init__(self, make, *args, threads, keep_memory=True):
        self.held = make(*args)

    def call(self, method):
        return getattr(self.held, method)()

    def memory(self):
        return processes.memory_row(None)

    def close(self):
        self.held = None


def written(main, tmp_path, *words):
    file = tmp_path / "numbers.json"
    main([*TINY, *words, "--json", str(file)])
    numbers = json.loads(file.read_text())
    assert numbers["environment"]["threads"] == 1
    assert numbers["options"]["repeats"] == 1
    return numbers


def test_a_case_tells_seconds_rates_memory_ceilings_and_a_profile(here, tmp_path, capsys):
    words = ("--networks", "sndcgan", "--updates", "2", "--batch", "4", "--matrix", "16")
    (row,) = written(step.main, tmp_path, *words, "--layers", "2")["cases"]
    assert row["discriminator_images"] == 2 * (4 + 3 + 4) + (4 + 3)  # one of four is rotated
    assert row["real_images_per_second"] == pytest.approx(8 / row["seconds_minimum"])
    assert row["gigaflop_per_second"] == pytest.approx(row["gigaflop"] / row["seconds_minimum"])
    assert row["ceiling_share"] > 0
    assert row["convolution_seconds"] == pytest.approx(
        sum(layer["seconds"] * layer["count"] for layer in row["layers"])
    )
    assert set(row["kinds"]) == set(KINDS)
    assert sum(row["kinds"].values()) == pytest.approx(1)
    assert all(row["kinds"][kind] > 0 for kind in KINDS)
    assert row["memory_bytes"] + row["baseline_bytes"] > 0
    shown = capsys.readouterr().out
    assert "where the time goes" in shown
    assert "transposed" in shown


@pytest.mark.parametrize("plain", [False, True])
def test_the_recorded_convolutions_are_all_of_the_step_s(plain):
    """Their floating-point operations add up to those that torch counts in the whole step."""
    case = Case(network="resnet", batch=4, width=1 / 32, precision="float32", plain=plain)
    stepper = Stepper(case)
    calls = roofline.convolutions_of(stepper.take)
    layers = roofline.layer_rows(calls, stepper.device, repeats=1)
    with FlopCounterMode(display=False) as counter:
        stepper.take()
    aten, counted = torch.ops.aten, counter.get_flop_counts()["Global"]
    expected = counted[aten.convolution] + counted[aten.convolution_backward]
    alone = sum(layer["count"] * layer["gigaflop"] for layer in layers)
    assert alone * 1e9 == pytest.approx(expected)
    assert any(layer["transposed"] for layer in layers) is not plain


def test_a_call_alone_computes_what_its_name_says():
    settings = ((2, 2), (1, 1), (1, 1), False, (0, 0), 1)
    shapes = ((3, 5, 4, 4), (3, 2, 8, 8), (5, 2, 4, 4))
    outputs = {
        kind: roofline.Call(kind, shapes[from_:], torch.float32, 5, settings).action(
            torch.device("cpu")
        )()
        for kind, from_ in (("forward", 1), ("input gradient", 0), ("weight gradient", 0))
    }
    assert outputs["forward"].shape == shapes[0]
    by_input, none, no_bias = outputs["input gradient"]
    assert (by_input.shape, none, no_bias) == (shapes[1], None, None)
    nothing, by_weight, by_bias = outputs["weight gradient"]
    assert (nothing, by_weight.shape, by_bias.shape) == (None, shapes[2], (5,))


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["aten::mkldnn_convolution", "aten::conv2d", "here: step"], "convolution"),
        (["aten::empty", "aten::convolution_backward"], "convolution"),
        (["aten::copy_", "aten::contiguous", "aten::convolution_backward"], "copies"),
        (["aten::native_batch_norm"], "batch norm"),
        (["aten::threshold_backward", "ReluBackward0"], "elementwise"),
        (["aten::copy_", "aten::zeros", "Optimizer.step#Adam.step"], "optimizer, average"),
        (["aten::_foreach_lerp_", "here: optimizer"], "optimizer, average"),
        (["aten::mul", "MvBackward0"], "spectral norm"),
        (["aten::copy_", "here: data"], "data"),
        (["aten::_log_softmax", "aten::cross_entropy_loss"], "loss"),
        (["here: step"], OTHER),
    ],
)
def test_an_operation_s_time_is_filed_under_its_nearest_known_name(names, kind):
    event = None
    for name in reversed(names):
        event = SimpleNamespace(name=name, cpu_parent=event)
    assert kind_of(event) == kind


def test_two_variants_are_compared_and_a_third_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(step, "Worker", InThisProcess)
    words = ("--networks", "resnet", "--updates", "1", "--batch", "4")
    compare = ("--compare", "float32+fused,float32+plain")
    (row,) = written(step.main, tmp_path, *words, *compare)["cases"]
    fused, plain = (
        row["times"][f"float32+{form}"]["seconds_minimum"] for form in ("fused", "plain")
    )
    assert row["ratio"] == pytest.approx(fused / plain)
    assert "memory_bytes" in row["times"]["float32+plain"]
    with pytest.raises(SystemExit, match="no variant 'fuzed'"):
        step.main([*TINY, *words, "--compare", "fuzed,plain"])


def test_a_curve_has_a_point_for_every_batch_and_size(here, tmp_path):
    words = ("--networks", "resnet", "--updates", "1", "--batch", "4", "--curve")
    points = ("--batches", "4,8", "--sizes", "32,48")
    rows = written(step.main, tmp_path, *words, *points)["cases"]
    assert [(row["against"], row["batch"], row["pixels"]) for row in rows] == [
        ("batch", 4, 32), ("batch", 8, 32), ("pixels", 4, 32), ("pixels", 4, 48),
    ]  # fmt: skip
    assert rows[0]["to_the_first"] == rows[2]["to_the_first"] == 1


def test_variants_are_words_joined_by_plus():
    assert variant(SMALL, "bfloat16+plain+sndcgan") == Case(
        network="sndcgan", batch=4, width=1 / 32, precision="bfloat16", plain=True
    )
    assert variant(SMALL, "reused+recompute") == replace(
        SMALL, reuse=True, activation_checkpointing=True
    )
    assert config_of(replace(SMALL, activation_checkpointing=True)).activation_checkpointing
    with pytest.raises(UserError, match="activation_checkpointing acts on"):
        Stepper(variant(SMALL, "recompute+sndcgan"))


def test_every_network_takes_a_step():
    for name in networks():
        Stepper(Case(network=name, batch=4, width=1 / 32, size=None)).take()


def test_actions_take_turns_and_every_other_round_is_reversed():
    done = []
    actions = {name: lambda n=name: done.append(n) or float(len(done)) for name in "ab"}
    times = alternate(actions, repeats=2, warmup=1)
    assert "".join(done) == "ba" + "ab" + "ba"
    assert times == {"a": Times([3.0, 6.0]), "b": Times([4.0, 5.0])}
    assert (times["a"].minimum, times["a"].median) == (3.0, 4.5)


def test_a_process_of_its_own_knows_its_peak_memory():
    worker = processes.Worker(torch.ones, 25_000_000, threads=1)
    try:
        assert worker.call("numel") == 25_000_000
        peak = worker.memory()["memory_bytes"]  # to the kernel's rounding, and reused heap
        assert 90_000_000 < peak < 200_000_000
    finally:
        worker.close()


def test_mimicry_is_asked_for_as_its_trainer_does(fake_mimicry):
    stepper = mimicry.MimicryStepper(fake_mimicry, batch=4, updates=2, width=0.5)
    stepper.step()
    stepper.step()
    calls = mimicry.imported(fake_mimicry).CALLS
    D, G = ("ndf", 64), ("ngf", 128)
    expected = [(network, (4, 3, 32, 32), number) for number in (0, 1) for network in (D, D, G)]
    assert calls == expected


def test_peers_are_compared_with_mimicry(fake_mimicry, tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "Worker", InThisProcess)
    words = ("--mimicry", str(fake_mimicry), "--updates", "1", "--batch", "4")
    precisions = ("--precisions", "float32,float32+reused+recompute")
    rows = written(peers.main, tmp_path, *words, *precisions)["rows"]
    theirs, ours, recomputing = rows
    assert (theirs["who"], ours["who"]) == ("mimicry float32", "ours float32")
    assert recomputing["who"] == "ours float32+reused+recompute"
    assert ours["times"] == pytest.approx(theirs["seconds_minimum"] / ours["seconds_minimum"])
    assert {"memory_bytes", "seconds_median", "real_images_per_second"} <= set(ours)


def test_without_mimicry_it_says_how_to_get_it(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        peers.main([*TINY, "--mimicry", str(tmp_path)])
    assert stop.value.code == 2
    assert f"--target {tmp_path} torch-mimicry" in capsys.readouterr().err


def test_sampling_and_reading_have_a_rate_and_missing_weights_are_left_out(
    here, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("ssgan.metrics.efficientnet_lite0.find_package_file", lambda *where: None)
    words = ("--generators", "resnet", "--extractors", "random,lite0", "--images", "4")
    rows = written(sampling.main, tmp_path, *words)["rows"]
    assert [(row["name"], row["what"]) for row in rows] == [("resnet", "made"), ("random", "read")]
    assert all(row["images_per_second"] == 4 / row["seconds_minimum"] for row in rows)
    assert "lite0 is left out: no EfficientNet-Lite0 weights" in capsys.readouterr().out


def test_overhead_tells_the_run_from_the_bare_step(here, tmp_path, monkeypatch):
    """With processes that write the log and nothing else in place of the command's."""

    def write_a_line(options, directory, root):
        code = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir(); "
        return ["-c", code + "(p / 'log.jsonl').write_text('{}')", str(directory)]

    monkeypatch.setattr(overhead, "_train_command", write_a_line)
    monkeypatch.setattr(overhead, "_wait", lambda words: None)
    numbers = written(overhead.main, tmp_path, "--steps", "4", "--batch", "4")
    above, first = numbers["above_the_step"], numbers["first_step"]
    assert len(above["run"]["seconds"]) == len(above["bare"]["seconds"]) == 3
    assert {"overhead_share_median", "overhead_share_total", "long_steps_seconds"} <= set(above)
    assert set(numbers["starts"]) == {"python", "import torch", "ssgan --help"}
    assert first["seconds_minimum"] <= first["to_the_end"]["seconds_minimum"]


def test_preparation_is_timed_in_one_process_and_in_two_and_batches_from_memory_and_disk(
    here, tmp_path
):
    words = ["--pictures", "12", "--size", "8", "--megabytes", "1", "--batches", "2"]
    data.main([*words, *TINY[:4], "--json", str(tmp_path / "numbers.json")])
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert set(numbers["preparation"]) == {"photo", "thumbnail"}
    assert all(set(found) == {"1 x 2", "2 x 1"} for found in numbers["preparation"].values())
    places = ("memory", "disk", "disk, verified")
    assert set(numbers["reading"]) == {f"{p}, {w}" for p in places for w in ("one by one", "ahead")}


def test_the_command_whose_first_step_is_timed_is_one(tmp_path, capsys):
    options = overhead.parse(["--settings", "--batch_size 8"])
    words = overhead._train_command(options, tmp_path / "run", tmp_path)
    assert words[:2] == ["-m", "ssgan"]
    assert ssgan_command([*words[2:], "--help"]) == 0
    assert "batch_size" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo terminals")
def test_a_run_is_measured_alone_and_beside_a_busy_process(tmp_path, monkeypatch, capsys):
    """With a process that writes log lines in place of the command's, and says where it prints."""
    code = """
import json, os, pathlib, sys
assert os.isatty(2) == (sys.argv[2] == "terminal")
assert os.environ.get("OMP_NUM_THREADS") != "77"
run = pathlib.Path(sys.argv[1]); run.mkdir()
rows = [{"step": n, "images_seen": 16 * n, "seconds": n / 2} for n in range(1, 9)]
(run / "log.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
import time; time.sleep(60)
"""
    outputs, loops = iter(["terminal", *["file"] * 4]), []
    real = busy.busy_process
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    monkeypatch.setattr(busy, "busy_process", lambda: loops.append(1) or real())
    monkeypatch.setattr(
        busy, "command_of", lambda network, run, cache: ["-c", code, str(run), next(outputs)]
    )
    file = tmp_path / "numbers.json"
    words = ["--networks", "small", "--settings", "now,one", "--seconds", "0", "--repeats", "1"]
    busy.main([*words, "--outputs", "terminal", "--neighbours", "idle", "--settings", "now"])
    busy.main([*words, "--outputs", "file", "--neighbours", "idle,busy", "--json", str(file)])
    rows = json.loads(file.read_text())["rows"]
    assert [(row["machine"], row["setting"], row["rates"]) for row in rows] == [
        (machine, setting, [32.0]) for machine in ("idle", "busy") for setting in ("now", "one")
    ]
    assert len(loops) == 2
    assert "100 %" in capsys.readouterr().out


def test_the_command_that_is_measured_beside_a_busy_process_is_one(tmp_path, capsys):
    for network in busy.NETWORKS:
        words = busy.command_of(network, tmp_path / "run", tmp_path)
        assert ssgan_command([*words[2:], "--help"]) == 0
    assert busy.environment_of("GOMP_SPINCOUNT=5") == {"GOMP_SPINCOUNT": "5"}
    with pytest.raises(SystemExit, match="no setting 'nwo'"):
        busy.environment_of("nwo")


@pytest.mark.skipif(not processes._STATUS.exists(), reason="resident memory is read from /proc")
def test_growth_has_a_slope_and_a_control_that_keeps_what_it_says(here, tmp_path, monkeypatch):
    """With a count of the planted bytes in place of the system's of pages."""
    kept = []
    monkeypatch.setattr(memory_growth, "planted", lambda size: kept.append(size))
    monkeypatch.setattr(memory_growth, "resident_bytes", lambda: 4096 + sum(kept))
    rows = written(memory_growth.main, tmp_path, "--steps", "4", "--warmup", "1", "--batch", "4")
    plain, leaking = rows["rows"]
    assert (plain["run"], plain["bytes_a_step"], plain["resident_bytes"]) == ("as it is", 0, 4096)
    assert leaking["resident"] == [4096 + 2048 * step for step in (2, 3, 4, 5)]
    assert leaking["bytes_a_step"] == leaking["second_half"] == pytest.approx(2048)


def test_the_slope_is_that_of_the_nearest_line():
    assert memory_growth.slope([3, 5, 7, 9]) == pytest.approx(2)
    assert memory_growth.slope([1, 0, 0, 1]) == pytest.approx(0)


def test_a_table_aligns_its_columns():
    rows = [{"name": "a", "seconds": 1.23456}, {"name": "long", "seconds": 12345.6}]
    assert report.table(rows) == "name  seconds\na       1.235\nlong    12346"
