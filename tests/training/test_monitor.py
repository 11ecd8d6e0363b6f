"""The monitor raises each alarm once on histories that go wrong, and none on others."""

import json
import math
import random
from pathlib import Path

import pytest

from ssgan.files.run_directory import RunDirectory
from ssgan.losses import Wasserstein
from ssgan.methods.gan import GAN
from ssgan.methods.rotation_only import RotationOnly
from ssgan.methods.ssgan import SSGAN as Method
from ssgan.runs.config import EvaluateConfig
from ssgan.training.monitor import Monitor, monitor_directory
from ssgan.training.monitor_rules import RULES
from tests.training.toy import toy

STEPS, LINE, LOOK = 12_000, 10, 500  # of a history; steps between lines and between evaluations
ONSET = 6000  # where a history that goes wrong starts to
RESULTS = Path(__file__).parents[2] / "docs" / "results"
REMARKS = {None, "may stop"}  # no alarm: the verdict is better, or the score has settled


def settings(method=None, steps=STEPS):
    """Of the run that a history is from."""
    return toy(method or Method(), steps, evaluate=EvaluateConfig(every=LOOK))


def towards(start, end, halflife):
    """A curve from start to end."""
    return lambda step: end + (start - end) * 0.5 ** (step / halflife)


EXACTLY = 1.9999  # nearly the hinge loss of equal logits; it gets no noise


def constant(value):
    return lambda step: value


def from_onset(before, after):
    """One curve, and from ONSET on another."""
    return lambda step: after(step) if step >= ONSET else before(step)


SSGAN = {
    "D/adversarial": constant(1.95),
    "D/rotation_accuracy": towards(0.25, 0.7, 1000),
    "G/adversarial": constant(0.1),
    "G/gradient_norm": towards(3, 0.5, 500),
    "FD-random": towards(3, 0.3, 800),
    "diversity": towards(0.2, 0.95, 500),
    "logit_gap": constant(0.5),
    "logit_std": constant(0.4),
    "logit_std/generated": constant(0.3),
    "rotation_accuracy": towards(0.25, 0.65, 1000),
    "probe_accuracy": towards(0.25, 0.5, 1500),
    "knn_accuracy": towards(0.2, 0.35, 1500),
    "cka_previous": towards(0.4, 0.95, 2000),
    "D/spectral_norm": constant(1.05),
    "D/spectral_norm_raw": towards(0.3, 5, 4000),
    "G/spectral_norm": towards(0.5, 3, 2000),
}
TOLD = ("D/rotation_accuracy", "rotation_accuracy")
HEALTHY = {
    "ssgan": SSGAN,
    # D near 0 for every image and no loss to speak of, yet quality grows: n_dis 1 with hinge
    "gan": {k: v for k, v in SSGAN.items() if k not in TOLD}
    | {"D/adversarial": constant(2.0)}
    | dict.fromkeys(("logit_gap", "logit_std", "logit_std/generated"), constant(0.01)),
    # no bound, no zero: the loss starts at 0 and is negative
    "wasserstein": {k: v for k, v in SSGAN.items() if k not in TOLD}
    | {
        "D/adversarial": towards(0, -12, 500),
        "G/adversarial": towards(0, 400, 4000),
        "logit_gap": towards(0, 12, 500),
        "D/spectral_norm": towards(1, 20, 4000),
    },
    # a strong D, and a quality that swings by 1.6 while it gets better
    "swinging": SSGAN
    | {
        "D/adversarial": constant(0.3),
        "G/adversarial": constant(3.5),
        "FD-random": lambda step: (0.5 if step % (2 * LOOK) else 0.8) * (2 - step / STEPS),
        "D/rotation_accuracy": lambda step: 0.55 if step % 2000 < 1000 else 0.45,
    },
    # images whose turns are easy, though not all of them, and a slow start
    "easy": SSGAN
    | {
        "D/rotation_accuracy": towards(0.25, 0.96, 500),
        "rotation_accuracy": towards(0.25, 0.95, 500),
        "diversity": lambda step: 0.05 * 1.3 ** min(step / LOOK, 11),
        "FD-random": towards(12, 0.2, 3000),
    },
    # the rotation task alone: nobody asks G for images like real ones, and it makes one
    "rotation only": {k: v for k, v in SSGAN.items() if not k.endswith("/adversarial")}
    | dict.fromkeys(("logit_gap", "logit_std", "logit_std/generated"), constant(0.001))
    | {
        "G/rotation_accuracy": constant(0.99),
        "diversity": towards(0.9, 0.05, 500),
        "FD-random": towards(3, 60, 4000),
        "cka_previous": lambda step: 0.9 - step / STEPS * 0.5,
    },
}
METHODS = {
    "gan": GAN(),
    "wasserstein": GAN(adversarial=Wasserstein()),
    "rotation only": RotationOnly(),
}
LOGGED = ("D/adversarial", "G/adversarial", TOLD[0], "G/rotation_accuracy", "G/gradient_norm")


def rises(alarm, **curves):
    return pytest.param(alarm, curves, id=alarm)


WRONG = [
    rises("no loss", **{"D/adversarial": constant(0.001)}),
    rises("huge loss", **{"D/adversarial": towards(1e-9, 1e6, 2000)}),
    rises("no information", **{"D/adversarial": constant(EXACTLY)}),
    rises("no gradient", **{"G/gradient_norm": constant(0.0005)}),
    rises("rotation at chance", **{"D/rotation_accuracy": constant(0.25)}),
    rises("rotation trivial", **{"D/rotation_accuracy": constant(1.0)}),
    rises("rotation forgotten", **{"D/rotation_accuracy": constant(0.4)}),
    rises("not finite", logit_gap=constant(math.nan)),
    rises("no variance", diversity=constant(0.001)),
    rises("variance falls", diversity=constant(0.3)),
    rises("quality falls", **{"FD-random": constant(1.5)}),
    rises(
        "no signal",
        logit_gap=constant(0.001),
        logit_std=constant(0.002),
        **{"logit_std/generated": constant(0.001), "FD-random": constant(0.5)},
    ),
    rises("logits blow up", logit_gap=constant(3000.0)),
    rises("norms spike", **{"D/spectral_norm_raw": constant(500.0)}),
    rises("features forget", probe_accuracy=constant(0.15)),
    rises("features forget", rotation_accuracy=constant(0.3)),
    rises(
        "no progress",
        **{"FD-random": lambda step: 0.5 if step % (2 * LOOK) else 0.8},
    ),
    rises("may stop", **{"FD-random": constant(0.31)}),
    rises(
        "features drift",
        cka_previous=lambda step: 0.9 - (step - ONSET) / LOOK * 0.06,
        **{"FD-random": lambda step: 0.35 * (1 + (step - ONSET) / LOOK * 0.05)},
    ),
]
# What else such a history shows: a G without variance was more diverse before.
WITH = {
    "no variance": {"variance falls"},
    "rotation at chance": {"rotation forgotten"},
    "no progress": {"quality falls"},
}


def lines_of(curves, steps=STEPS):
    """Rows of log.jsonl and metrics.jsonl in order, with a little noise on every value."""
    noise = random.Random(0)

    def value(name, step):
        exact = curves[name](step)
        if exact == EXACTLY:
            return exact
        return exact * (1 + 0.01 * noise.uniform(-1, 1))

    logged = [name for name in curves if name in LOGGED]
    for step in range(LINE, steps + 1, LINE):
        yield "log", {"step": step} | {name: value(name, step) for name in logged}
        if step % LOOK == 0:
            rows = []
            for name in curves:
                if name not in logged:
                    more = {"num_images": 512} if name.endswith("accuracy") else {}
                    more |= {"chance": 0.1} if name in ("probe_accuracy", "knn_accuracy") else {}
                    number = value(name, step)
                    number = number if math.isfinite(number) else None
                    short = name.removesuffix("/generated")
                    more |= {"split": "generated"} if short != name else {}
                    rows.append({"step": step, "name": short, "value": number} | more)
            yield "metrics", rows


def watched(curves, steps=STEPS, method=None):
    """The monitor after a history, and all events."""
    monitor, events = Monitor(settings(method)), []
    for kind, content in lines_of(curves, steps):
        events += (
            monitor.add_log_line(content) if kind == "log" else monitor.add_evaluation(content)
        )
    return monitor, events


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_trace_raises_nothing(name):
    monitor, events = watched(HEALTHY[name], method=METHODS.get(name))
    assert events[0].alarm is None  # from too early to tell to healthy
    assert {event.alarm for event in events} <= REMARKS
    assert monitor.verdict.advice == ""
    assert monitor.verdict.state == "healthy"
    assert monitor.is_clear


def test_a_blind_discriminator_for_long_asks_less_of_quality_than_a_short_one():
    """FD-random 15 % above its best is noise once, and a drift at the third blind evaluation."""
    names = ("logit_gap", "logit_std", "logit_std/generated")
    blind = {name: from_onset(constant(0.4), constant(0.001)) for name in names}
    falls = lambda step: 1 + (ONSET - LOOK - step) / ONSET  # noqa: E731 - to 1 at the onset
    _, events = watched(SSGAN | blind | {"FD-random": from_onset(falls, constant(1.15))})
    assert [(e.alarm, e.step) for e in events if e.alarm not in REMARKS] == [
        ("no signal", ONSET + 2 * LOOK)
    ]


@pytest.mark.parametrize(("alarm", "curves"), WRONG)
def test_a_trace_that_goes_wrong_raises_its_alarm_exactly_once(alarm, curves):
    wrong = {name: from_onset(SSGAN[name], curve) for name, curve in curves.items()}
    monitor, events = watched(SSGAN | wrong)
    raised = [event.alarm for event in events if event.alarm is not None]
    assert raised.count(alarm) == 1
    assert set(raised) <= {alarm, "may stop", *WITH.get(alarm, ())}
    assert len(raised) == len(set(raised))
    (event,) = (event for event in events if event.alarm == alarm)
    assert ONSET <= event.step <= ONSET + 8 * LOOK
    (rule,) = (one for one in RULES if one.name == alarm)
    assert event.verdict == rule.verdict
    if rule.verdict != "healthy":
        assert monitor.verdict.state == rule.verdict
        assert not monitor.is_clear
    assert any(word in " ".join(event.evidence) for word in ("%", "step"))


def test_every_alarm_is_tried():
    assert {rule.name for rule in RULES} == {case.values[0] for case in WRONG}


@pytest.mark.parametrize("name", ["diversity", "probe_accuracy", "FD-random"])
def test_a_value_around_its_threshold_raises_once_and_recovery_ends_the_episode(name):
    """From bad to a little better and back many times; then well again; then bad again."""
    bad, better = {
        "diversity": (0.44, 0.52),
        "probe_accuracy": (0.36, 0.40),
        "FD-random": (0.68, 0.55),
    }[name]

    def curve(step):
        if ONSET <= step < 12_000 or step >= 14_000:
            hovering = ONSET + 4 * LOOK <= step < 12_000
            return better if hovering and step % (4 * LOOK) == 0 else bad
        return SSGAN[name](step)

    _, events = watched(SSGAN | {name: curve}, 16_500)
    states = [event.verdict for event in events if event.alarm != "may stop"]
    sick = "forgetting" if name == "probe_accuracy" else "collapsing"
    assert states == ["healthy", sick, "healthy", sick]


def test_before_an_alarm_the_watch_is_no_longer_sound():
    """So a checkpoint from between the fall and the alarm is not kept as healthy."""
    falling = SSGAN | {"FD-random": from_onset(SSGAN["FD-random"], constant(2.0))}
    monitor, _ = watched(falling, ONSET - 1)
    assert monitor.is_clear
    monitor, _ = watched(falling, ONSET)
    assert (monitor.verdict.state, monitor.is_clear) == ("healthy", False)
    beginning = "collapsing, if it lasts (seen 1 of 3 times): quality has fallen: FD-random is 2"
    assert monitor.verdict.evidence[-1].startswith(beginning)
    once = SSGAN | {"FD-random": lambda s: 2.0 if s == ONSET else SSGAN["FD-random"](s)}
    monitor, _ = watched(once, ONSET + LOOK)
    assert monitor.is_clear
    assert not any("if it lasts" in words for words in monitor.verdict.evidence)


def test_constant_logits_of_a_healthy_run_are_reported():
    names = ("logit_gap", "logit_std", "logit_std/generated")
    blind = {name: from_onset(constant(0.4), constant(0.001)) for name in names}
    monitor, events = watched(SSGAN | blind, ONSET + LOOK)
    assert {event.alarm for event in events} <= REMARKS
    (words,) = (words for words in monitor.verdict.evidence if "logits are constant" in words)
    assert words.endswith("(at 2 evaluations in a row, they now differ by 0.001)")
    monitor, _ = watched(SSGAN)
    assert "logits are constant" not in " ".join(monitor.verdict.evidence)


def test_too_early_is_said_until_there_is_enough_and_the_log_alone_is_enough_too():
    monitor, _ = watched(SSGAN, 2 * LOOK)
    assert monitor.verdict.state == "too early to tell"
    assert "2 of the 3 evaluations" in monitor.verdict.evidence[-1]
    log_only = {name: SSGAN[name] for name in ("D/adversarial", TOLD[0])}
    monitor, _ = watched(log_only, 100)
    assert monitor.verdict.state == "too early to tell"
    monitor, _ = watched(log_only, 1000)
    assert monitor.verdict.state == "healthy"
    assert "only the log" in monitor.verdict.evidence[-1]


def test_chance_and_noise_are_known_to_the_rule_on_features():
    """20 % of 128 images in ten classes and then 10 %: as far as noise goes."""
    few = {"num_images": 128, "chance": 0.1}
    monitor = Monitor(settings())
    for number, value in enumerate([0.2, 0.1, 0.1, 0.1, 0.1]):
        row = {"step": number + 1, "name": "probe_accuracy", "value": value, **few}
        assert all(event.alarm is None for event in monitor.add_evaluation([row]))
    many = [{"num_images": 2048, "chance": 0.1}]
    monitor, events = Monitor(settings()), []
    for number, value in enumerate([0.2, 0.09, 0.09, 0.09, 0.09]):
        row = {"step": number + 1, "name": "probe_accuracy", "value": value, **many[0]}
        events += [event.alarm for event in monitor.add_evaluation([row])]
    assert "features forget" in events


def test_from_the_files_alone_it_says_the_same(tmp_path):
    wrong = SSGAN | {"diversity": from_onset(SSGAN["diversity"], constant(0.1))}
    live, _ = watched(wrong)
    layout = RunDirectory(tmp_path)
    for kind, content in lines_of(wrong):
        for row in [content] if kind == "log" else content:
            path = layout.log if kind == "log" else layout.metrics
            seen = {"images_seen": row["step"], "seconds": 1.0} if kind == "log" else {}
            with path.open("a") as file:
                file.write(json.dumps({**row, **seen}) + "\n")
    with layout.metrics.open("a") as file:
        file.write('{"step": 12000, "na')
    assert monitor_directory(layout, settings()).verdict == live.verdict
    assert live.verdict.state == "collapsing"
