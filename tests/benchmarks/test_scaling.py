"""The formula of benchmarks/scaling.py, and the counts that it starts from."""

from dataclasses import replace

import pytest
import torch

from benchmarks import scaling
from benchmarks.scaling import Machine, predict
from benchmarks.work import Work, count_work
from ssgan.models.norms import BatchNorm
from ssgan.ops.threads import Threads
from ssgan.runs.state import fresh_state
from ssgan.training.cost import _measure_step, _noise
from tests.training.tiny import tiny

WORK = Work(
    generator_weights=10, discriminator_weights=20, batch_size=8, discriminator_updates=2,
    flop=1000.0, activation_bytes=6.0, norm_layers=3, norm_channels=12,
)  # fmt: skip
MACHINE = Machine("m", rate=100.0, bandwidth=50.0, latency=0.5, hidden=0.1, memory=1.0, source="")


@pytest.mark.parametrize("method", ["ssgan", "gan"])
def test_a_step_counted_from_shapes_is_the_step_that_runs(method):
    config = tiny(method, batch_size=32)
    state = fresh_state(config, 10, torch.device("cpu"))
    noise = _noise(config, tuple("0123456789"))
    ran = _measure_step(config, noise, state, torch.device("cpu"), Threads(torch.device("cpu")))
    found = count_work(config)
    assert found.flop == pytest.approx(ran.flop, rel=0.01)  # power iterations are not in it
    assert found.generator_weights == sum(p.numel() for p in state.generator.parameters())


def test_the_waits_of_a_step_are_those_of_batch_norm_and_its_end():
    config = tiny("gan", generator=replace(tiny().generator, norm=BatchNorm()))
    found = count_work(config)
    assert config.discriminator_updates == 2
    assert found.norm_layers == 7  # two a block, and the last
    assert found.small_collectives == 7 * (2 + 2) + 1


def test_a_prediction_adds_operations_sums_that_show_and_waits():
    found = predict(WORK, MACHINE, processes=4, devices=4)
    assert found.operations == 1000 / 400
    assert WORK.gradient_bytes == 4 * (2 * 20 + 10)
    assert found.sums == pytest.approx(2 * 3 / 4 * 200 / 50 - 0.1 * 2.5)
    assert found.waits == WORK.small_collectives * 0.5 * 2
    assert predict(WORK, MACHINE, 4, devices=2).operations == 5.0
    alone = predict(WORK, MACHINE, 1, 1)
    assert alone.seconds == alone.operations == 10.0


@pytest.mark.long
def test_the_large_run_is_planned_on_every_machine():
    rows = scaling.plan_large_run()
    assert {row["machine"] for row in rows} == set(scaling.MACHINES)
    by = {(row["batch"], row["machine"]): row for row in rows}
    assert by[2048, "8 x H100"]["TFLOP a step"] == pytest.approx(676.3, abs=0.1)
    assert all(row["sharded"] < row["recomputed"] < row["GB a device"] for row in rows)
