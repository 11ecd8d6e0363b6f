"""The monitor recognises a run that stands still from its log alone, and in time."""

import json
import random
import re
from dataclasses import dataclass, replace

import pytest

from ssgan.cli import show
from ssgan.config.merge import from_flags, merge
from ssgan.files.run_directory import RunDirectory
from ssgan.losses import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    NonSaturating,
    Relativistic,
    Wasserstein,
)
from ssgan.methods.gan import GAN
from ssgan.methods.s3gan import S3GAN
from ssgan.methods.ssgan import SSGAN
from ssgan.methods.ssgan_la import SSGANLA, SSGANLAPlus
from ssgan.methods.ssgan_ms import SSGANMS
from ssgan.recipes import cifar10, scenes, successors
from ssgan.runs.config import AdamConfig, EvaluateConfig
from ssgan.runs.config_io import ALIASES
from ssgan.training.advice import advise
from ssgan.training.history import read_events
from ssgan.training.monitor import Monitor, monitor_directory
from ssgan.training.run import Collapsed, run
from tests.training.toy import small_scenes, toy

BLIND = {
    Hinge(): 2.0,
    NonSaturating(): 1.3862943611,
    Wasserstein(): 0.0,
    LeastSquares(): 0.25,
    Relativistic(): 0.6931471806,
}
SLOPES = {
    Hinge(): 1.0,
    NonSaturating(): 0.5,
    Wasserstein(): 1.0,
    LeastSquares(): 0.125,
    Relativistic(): 0.5,
}
NO_EVALUATION = EvaluateConfig(every=0)


def watched(config, value, steps=None, every=20, scores=None):
    """The monitor and its events on lines of `value(step)`, with an evaluation where `scores`."""
    monitor, events = Monitor(config), []
    for step in range(every, (steps or config.total_steps) + 1, every):
        events += monitor.add_log_line({"step": step, **value(step)})
        if scores and config.evaluate.every and step % config.evaluate.every == 0:
            row = {"step": step, "name": "FD-random", "value": scores(step)}
            events += monitor.add_evaluation([row])
    return monitor, [event for event in events if event.alarm]


def noisy(value, deviation, seed=0):
    """One value with Gaussian noise, the same for equal seeds."""
    noise = random.Random(seed)
    return lambda step: {"D/adversarial": value + noise.gauss(0, deviation)}


@pytest.mark.parametrize("loss", BLIND, ids=repr)
def test_each_loss_has_its_own_value_of_equal_logits(loss):
    """Against values and slopes worked out by hand."""
    assert loss.uninformed().value == pytest.approx(BLIND[loss], abs=1e-9)
    assert loss.uninformed().slope == pytest.approx(SLOPES[loss], rel=1e-3)


@pytest.mark.parametrize("method", [GAN, SSGAN, SSGANMS, SSGANLAPlus, S3GAN])
@pytest.mark.parametrize("loss", BLIND, ids=repr)
def test_a_dead_discriminator_raises_one_alarm_within_200_steps(loss, method):
    """From the first step on and from the middle; with every method that has such a loss."""
    config = toy(method(adversarial=loss), 1200, evaluate=NO_EVALUATION)
    dead = noisy(BLIND[loss], 0.0005 * SLOPES[loss])
    monitor, alarms = watched(config, dead)
    assert [(alarm.alarm, alarm.step) for alarm in alarms] == [("no information", 200)]
    assert monitor.verdict.state == "collapsing"
    alive = noisy(BLIND[loss], 0.02 * SLOPES[loss])
    _, alarms = watched(config, lambda step: (alive if step <= 600 else dead)(step))
    assert [(alarm.alarm, alarm.step) for alarm in alarms] == [("no information", 800)]


@pytest.mark.parametrize("every", [1, 5, 20, 50])
@pytest.mark.parametrize(("total", "needed"), [(600, 200), (3000, 300), (100_000, 1000)])
def test_it_takes_a_tenth_of_the_run_between_200_and_1000_steps(total, needed, every):
    """Lines 50 steps apart are ten only after 500 steps."""
    config = toy(GAN(), total, evaluate=NO_EVALUATION)
    _, alarms = watched(config, noisy(2.0, 0.0005), 2000 if total > 2000 else total, every)
    assert [alarm.step for alarm in alarms] == [max(needed, 10 * every)]


@pytest.mark.parametrize("loss", BLIND, ids=repr)
@pytest.mark.parametrize("case", ["noise", "offset"])
def test_a_loss_that_varies_or_lies_elsewhere_raises_nothing(loss, case):
    """A D in doubt, which learns: its loss varies by 0.002 logits, or lies 0.05 away."""
    offset, deviation = {"noise": (0.0, 0.002), "offset": (-0.05, 0.0005)}[case]
    value = BLIND[loss] + offset * SLOPES[loss]
    config = toy(GAN(adversarial=loss), 3000, evaluate=NO_EVALUATION)
    monitor, alarms = watched(config, noisy(value, deviation * SLOPES[loss]))
    assert alarms == []
    assert monitor.verdict.state == "healthy"


def test_a_method_without_an_adversarial_loss_has_no_such_value():
    _, alarms = watched(toy(SSGANLA(), 1200), noisy(2.0, 0.0))
    assert alarms == []


@dataclass(frozen=True)
class Doubled(AdversarialLoss):
    """A loss of one's own: twice the hinge."""

    def discriminator(self, real, fake):
        return 2 * Hinge().discriminator(real, fake)

    def generator(self, fake):
        return -fake.mean()


def test_a_loss_of_ones_own_is_computed_and_not_looked_up():
    _, alarms = watched(toy(GAN(adversarial=Doubled()), 1200), noisy(4.0, 0.001))
    assert [alarm.alarm for alarm in alarms] == ["no information"]


def test_equal_logits_while_samples_improve_are_no_fault_and_afterwards_one():
    config = toy(GAN(), 3000, evaluate=EvaluateConfig(every=100))
    _, alarms = watched(config, noisy(2.0, 0.0), 2000, scores=lambda step: 0.8 ** (step / 100))
    assert [alarm.step for alarm in alarms] == []
    _, alarms = watched(
        config, noisy(2.0, 0.0), 1200, scores=lambda step: 0.8 ** (min(step, 800) / 100)
    )
    assert [(alarm.alarm, alarm.step) for alarm in alarms] == [("no information", 900)]


def test_it_ends_when_the_logits_differ_again():
    back = noisy(1.9, 0.05)
    config = toy(GAN(), 3000, evaluate=NO_EVALUATION)
    monitor, alarms = watched(config, lambda s: back(s) if s > 1500 else {"D/adversarial": 2.0})
    assert len(alarms) == 1
    assert monitor.verdict.state == "healthy"
    assert monitor.verdict.advice == ""


def test_a_gradient_that_vanishes_is_an_alarm_whatever_the_loss():
    def value(step):
        return {"D/adversarial": 1.5, "G/gradient_norm": 2.0 if step < 1000 else 0.005}

    _, alarms = watched(toy(GAN(), 3000, evaluate=NO_EVALUATION), value)
    assert [(alarm.alarm, alarm.step) for alarm in alarms] == [("no gradient", 1140)]


def guesses(seed, images):
    """The accuracies of a D that guesses the rotations of so many images."""
    noise = random.Random(seed)
    return lambda _: {
        "D/adversarial": 1.9,
        "D/rotation_accuracy": sum(noise.random() < 0.25 for _ in range(images)) / images,
    }


def test_one_rotation_for_every_image_is_an_alarm_within_200_steps():
    """As the demonstration's earlier settings: 25 % to the digit from the first step on."""

    def value(step):
        return {"D/adversarial": 1.9, "D/rotation_accuracy": 0.21875 if step % 100 == 0 else 0.25}

    _, alarms = watched(toy(SSGAN(), 1200, evaluate=NO_EVALUATION), value, every=5)
    assert [(alarm.alarm, alarm.step) for alarm in alarms] == [("rotation at chance", 200)]
    assert "--discriminator_updates 2" in alarms[0].advice


@pytest.mark.parametrize("seed", range(5))
def test_guessed_rotations_are_an_alarm_after_a_warm_up_of_a_quarter(seed):
    for total, expected in ((1200, 500), (3000, 1050)):
        config = toy(SSGAN(), total, evaluate=NO_EVALUATION)
        _, alarms = watched(config, guesses(seed, 64), every=10)
        assert [alarm.alarm for alarm in alarms] == ["rotation at chance"]
        assert expected <= alarms[0].step <= expected + 100


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("images", [8, 64])
def test_rotations_that_are_learnt_slowly_raise_nothing(seed, images):
    """From 25 % to 40 % within a fifth of the run, with the noise of a batch."""
    noise = random.Random(seed)

    def value(step):
        rate = 0.25 + 0.15 * min(1.0, step / 600)
        right = sum(noise.random() < rate for _ in range(images))
        return {"D/adversarial": 1.9, "D/rotation_accuracy": right / images}

    _, alarms = watched(toy(SSGAN(), 3000, evaluate=NO_EVALUATION), value, every=10)
    assert alarms == []


def scored(scores, total=10_000, every=1000):
    """The monitor and its alarms after evaluations with these scores."""
    monitor = Monitor(toy(GAN(), total, evaluate=EvaluateConfig(every=every)))
    events = []
    for number, score in enumerate(scores, 1):
        row = {"step": number * every, "name": "FD-random", "value": score}
        events += monitor.add_evaluation([row])
    return monitor, [event.alarm for event in events if event.alarm]


def test_when_to_stop_is_a_remark_with_the_best_step():
    monitor, alarms = scored([3.0, 1.0, 0.5, 0.52, 0.51, 0.53, 0.52, 0.51])
    assert alarms == ["may stop"]
    assert monitor.verdict.state == "healthy"
    assert monitor.is_clear
    assert monitor.verdict.evidence[-1] == (
        "FD-random has not improved over 5 evaluations: its best is 0.5 at step 3000, which best/ "
        "holds; the run may stop"
    )
    assert scored([3.0, 1.0, 0.5, 0.52, 0.51, 0.53, 0.52])[1] == []
    assert scored([3.0, 1.0, 0.5, 0.52, 0.51, 0.53, 0.52, 0.4])[1] == []


def test_patience_is_a_tenth_of_the_evaluations_planned():
    scores = [3.0, 1.0, *[0.5] * 12]
    assert scored(scores[:12], total=100_000)[1] == []
    assert scored(scores[:13], total=100_000)[1] == ["may stop"]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([1.0, 0.95, 1.05, 0.98, 1.0, 1.02, 1.01], "never been much better"),
        ([3.0, 0.5, 0.8, 0.52, 0.9, 0.6, 0.85], "swings by a factor of 1.5"),
    ],
    ids=["never good", "swinging"],
)
def test_no_progress_is_a_verdict_of_its_own(scores, words):
    monitor, alarms = scored(scores)
    assert alarms == ["no progress", "may stop"]
    assert monitor.verdict.state == "no progress"
    assert words in monitor.verdict.evidence[0]
    assert monitor.verdict.advice.startswith("try next, in a new run: --learning_rate_decay linear")
    assert not monitor.is_clear
    monitor, _ = scored([*scores, 0.1])
    assert monitor.verdict.state == "healthy"


def test_the_samples_of_a_method_that_names_no_terms_are_judged():
    """The norms of its gradients are logged; they do not make it one without samples."""
    config = toy(GAN(), 3000, evaluate=EvaluateConfig(every=200))
    norms = {"D/gradient_norm": 1.0, "G/gradient_norm": 1.0}
    _, alarms = watched(config, lambda _: norms, scores=lambda step: 0.1 if step < 1000 else 9.0)
    assert "quality falls" in [alarm.alarm for alarm in alarms]
    rotation = norms | {"D/rotation": 1.0, "G/rotation": 1.0}
    _, alarms = watched(config, lambda _: rotation, scores=lambda step: float(step))
    assert alarms == []


def test_rotations_at_chance_for_ten_blocks_are_an_alarm_though_samples_improve():
    config = toy(SSGAN(), 4000, evaluate=EvaluateConfig(every=100))
    value, scores = guesses(0, 64), lambda step: 0.5 ** (step / 100)
    _, alarms = watched(config, value, scores=scores)
    assert [(alarm.alarm, 4000 <= alarm.step <= 4020) for alarm in alarms] == [
        ("rotation at chance", True)
    ]


PROBLEMS = ["dead discriminator", "strong discriminator", "blown up", "collapse", "forgetting"]
PROBLEMS += ["no gradient", "easy rotations", "no progress"]
RECIPES = [
    cifar10.ssgan,
    cifar10.gan_laptop,
    cifar10.conditional,
    scenes.demo,
    scenes.rotation_only,
    successors.la_laptop,
    successors.s3gan_laptop,
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_advice_is_accepted_and_changes_the_run_until_there_is_none(recipe, problem):
    """The flags are those of the command line, and none is what the run has already."""
    config = recipe()
    for _ in range(12):
        line = advise(problem, config)
        flags = re.findall(r"(--\S+) ([^\s,]+)", line)
        assert flags
        assert "\n" not in line
        if "another --seed" in line:
            return
        changes, rest = from_flags([flags[0][0], flags[0][1]])
        assert not rest
        changed = merge(config, changes, "--", ALIASES)
        assert changed != config
        config = changed
    assert "learning_rate" in line  # only rates can be lowered again and again


def test_the_advice_leaves_out_what_the_run_uses():
    dead = advise("dead discriminator", cifar10.gan_laptop())
    assert "--discriminator_updates 2" in dead
    assert "--method SSGAN" in dead
    better = replace(cifar10.ssgan_laptop(), discriminator_updates=2)
    assert "--discriminator_updates" not in advise("dead discriminator", better)
    assert "--method" not in advise("dead discriminator", better)
    assert "SelfModulatedBatchNorm" in advise("dead discriminator", better)
    fast = replace(cifar10.gan_laptop().generator_optimizer, learning_rate=5e-3)
    line = advise("dead discriminator", replace(cifar10.gan_laptop(), generator_optimizer=fast))
    assert "--generator_optimizer.learning_rate 0.0002" in line
    assert "--discriminator_optimizer" not in line
    assert advise("none", better) == ""


def test_the_advice_fits_labels_and_compilation():
    """G reads labels, so only a conditional method fits; compiled networks have no penalty."""
    easy = advise("easy rotations", successors.s3gan_laptop())
    assert "--method ConditionalGAN" in easy
    compiled = replace(cifar10.gan_laptop(), compile=True)
    assert "--method.penalty" in advise("strong discriminator", cifar10.gan_laptop())
    assert "--method.penalty" not in advise("strong discriminator", compiled)


@pytest.mark.slow
def test_a_real_run_without_evaluations_stops_in_time_and_says_what_to_try(tmp_path, capsys):
    """Learning rates of 0.3: D's loss and G's gradient are 0 after a few steps."""
    fast = AdamConfig(learning_rate=0.3, beta1=0.9, beta2=0.99)
    rates = {"generator_optimizer": fast, "discriminator_optimizer": fast}
    config = toy(GAN(), 600, evaluate=EvaluateConfig(every=0, on_collapse="stop"), **rates)
    layout, verdicts = RunDirectory(tmp_path / "run"), []
    reports = run(config, layout.root, small_scenes(100))
    with pytest.raises(Collapsed, match=r"G learns nothing.*try next, in a new run: --") as end:
        verdicts.extend(report.verdict for report in reports)
    assert end.value.exit_code == 75
    assert 200 <= len(verdicts) <= 300
    assert verdicts[0].state == "too early to tell"
    (event, *_) = read_events(layout)
    assert event["alarm"] in ("no gradient", "no loss")
    assert event["advice"] == verdicts[-1].advice
    assert monitor_directory(layout, config).verdict == verdicts[-1]
    assert not layout.healthy.exists()
    facts = show._health(layout, config)
    assert facts[0][1].startswith(f"{verdicts[-1].state} since step 2")
    assert facts[-1] == ("", verdicts[-1].advice)


def test_events_without_advice_are_read(tmp_path):
    layout = RunDirectory(tmp_path)
    row = {"step": 5, "verdict": "collapsing", "alarm": "no signal", "evidence": ["D is dead"]}
    layout.events.write_text(json.dumps(row) + "\n")
    assert read_events(layout) == [row]
