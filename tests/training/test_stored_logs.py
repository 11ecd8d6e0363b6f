"""The verdict of the monitor on every run whose log or metrics are stored, as its page tells it.

The whole log is stored of four runs, its last 500 steps of others, and of the rest the metrics.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from ssgan.files import jsonl
from ssgan.methods.gan import GAN, ConditionalGAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.s3gan import S3GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.methods.ssgan_la import SSGANLA, SSGANLAPlus
from ssgan.methods.ssgan_ms import SSGANMS
from ssgan.recipes import cifar10
from ssgan.training.monitor import Monitor

RESULTS = Path(__file__).parents[2] / "docs" / "results"
ENDS = ("cifar10-half/log-ends", "scenes/log-ends", "successors/la-log-end")
# By the page: what was seen, the alarms in order, and their steps.
DEAD = {  # "its D's loss is 2.000, and it returns the same logit for every image"
    "cifar10-half/gan-seed0": [("no information", 2800)],
    "cifar10-half/gan-seed1": [("no information", 2800)],
    "cifar10-half/gan-seed2": [("no information", 2800)],
    # by FD-random it improved until step 1,500
    "cifar10-laptop/gan": [("no information", 2000), ("no signal", 2000)],
}
COLLAPSED = {  # "all its samples share a grid pattern", best at the first of six evaluations
    "successors/la-seed-0": [("quality falls", 2500), ("no progress", 3000), ("may stop", 3000)],
}
HEALTHY = [
    *("cifar10-laptop/ssgan", "cifar10-quarter/ssgan"),
    "cifar10-quarter/gan",  # D's loss is near 2 from step 1,000 on, yet FD-random improves
    *(f"cifar10-half/{name}-seed{seed}" for name in ("ssgan", "ssgan_sbn") for seed in range(3)),
    *(f"cifar10-half/rotation_only-seed{seed}" for seed in range(3)),
    *(f"cifar10-half/conditional-gains-0-seed{seed}" for seed in range(2)),
    *(
        f"scenes/{name}-seed{seed}"
        for name in ("gan", "conditional", "ssgan", "ssgan_sbn")
        for seed in range(3)
    ),
    *(f"precision/{name}-seed-{seed}" for name in ("float32", "bfloat16") for seed in range(3)),
    *(f"successors/{name}-seed-0" for name in ("ssgan", "annealed", "ms", "la_plus")),
    # hardly begun to learn, but it improves; of the other FD-random ends below twice its best
    *("successors/s3gan-argmax-seed-0", "successors/s3gan-drawn-seed-0"),
    # its log, which is not stored, shows the dead D: below
    "successors/gan-seed-0",
    # "healthy": FD-random is at twice its best only at the last evaluation, the first of three
    *(f"cifar10-half/conditional-seed{seed}" for seed in range(3)),
]
BEGUN = {"cifar10-full/ssgan_sbn-seed0"}  # not finished, and never evaluated while it ran
METHODS = {
    "rotation_only": RotationOnly(),
    "conditional": ConditionalGAN(),
    "la_plus": SSGANLAPlus(),
    "la-": SSGANLA(),
    "ms": SSGANMS(),
    "s3gan": S3GAN(),
    "ssgan": SSGAN(),
    "gan": GAN(),
}
NO_LOGS = ("fid", "-fd", "lite0", "memorisation", "guesses", "forget")  # other tasks


def settings(method):
    """Of the stored runs, as far as the monitor reads them."""
    return replace(cifar10.gan_laptop(), method=method, total_steps=3000)


def rows_in(name):
    path = RESULTS / f"{name}.jsonl"
    return list(jsonl.read(path, {}))


def stored():
    """The names of all runs with stored metrics."""
    files = [str(f.relative_to(RESULTS).with_suffix("")) for f in RESULTS.glob("**/*.jsonl")]
    steps = [name for name in files if "step" in rows_in(name)[0]]  # others are measurements
    runs = {name.removesuffix("-log").removesuffix("-metrics") for name in steps} - {*ENDS}
    return {name for name in runs if not any(part in name for part in NO_LOGS)}


def log_of(name):
    """The stored lines of a run's log."""
    for file in ENDS:
        if file.startswith(name.split("/")[0]):
            run = name.split("/")[1].replace("seed-", "seed")
            return [row for row in rows_in(file) if row["run"] == run]
    return rows_in(f"{name}-log")


def replayed(name):
    """The monitor after a stored run of 3,000 steps, and all events."""
    method = next((m for part, m in METHODS.items() if part in name), SSGAN())
    monitor = Monitor(settings(method))
    metrics = {}
    for row in rows_in(name) or rows_in(f"{name}-metrics"):
        metrics.setdefault(row["step"], []).append(row)
    log, events = {row["step"]: row for row in log_of(name)}, []
    for step in sorted({*log, *metrics}):
        events += monitor.add_log_line(log[step]) if step in log else []
        events += monitor.add_evaluation(metrics.get(step, []))
    assert len(metrics) == 6
    return monitor, events


def test_every_stored_run_is_in_one_list():
    assert stored() == {*DEAD, *COLLAPSED, *HEALTHY, *BEGUN}
    assert len(stored()) == len(DEAD) + len(COLLAPSED) + len(HEALTHY) + len(BEGUN)


@pytest.mark.parametrize("name", [*DEAD, *COLLAPSED])
def test_a_stored_run_that_went_wrong_is_recognised(name):
    monitor, events = replayed(name)
    alarms = [(event.alarm, event.step) for event in events if event.alarm]
    assert alarms == (DEAD | COLLAPSED)[name]
    assert monitor.verdict.state == "collapsing"
    assert not monitor.is_clear
    assert "--discriminator_updates 2" in monitor.verdict.advice


@pytest.mark.parametrize("name", HEALTHY)
def test_a_stored_run_that_held_raises_no_alarm(name):
    monitor, events = replayed(name)
    assert [event.alarm for event in events] == [None]
    assert (monitor.verdict.state, monitor.verdict.advice) == ("healthy", "")


@pytest.mark.parametrize("name", DEAD)
def test_the_log_of_a_dead_discriminator_is_enough(name):
    """Without any evaluation, within a tenth of the run after it stands still."""
    monitor, log = Monitor(settings(GAN())), log_of(name)
    events = [event for row in log for event in monitor.add_log_line(row)]
    (step,) = [event.step for event in events if event.alarm]
    assert step <= (1700 if len(log) == 300 else 2800)  # its loss varies until step 1,400
    assert monitor.verdict.state == "collapsing"


def test_a_dead_discriminator_is_recognised_before_quality_drifts():
    """Its metrics are stored; by its page D's loss was 2.0001, deviation 0.0004, at the end."""
    monitor, events, rows = Monitor(settings(GAN())), [], {}
    for row in rows_in("successors/gan-seed-0"):
        rows.setdefault(row["step"], []).append(row)
    for step in range(10, 3000 + 1, 10):
        noise = (0.02 if step < 2000 else 0.0004) * (-1) ** (step // 10)
        events += monitor.add_log_line({"step": step, "D/adversarial": 2.0 + noise})
        events += monitor.add_evaluation(rows.get(step, []))
    alarms = [(event.alarm, event.step) for event in events]
    assert alarms == [(None, 1500), ("no information", 2300), ("no signal", 3000)]
    assert "3 evaluations in a row" in monitor.verdict.evidence[-1]


def test_what_the_pages_say_of_the_stored_losses_is_so():
    for name in DEAD:
        losses = [row["D/adversarial"] for row in log_of(name) if row["step"] > 2500]
        assert abs(sum(losses) / len(losses) - 2) < 1e-3
