"""The rules of the monitor: evidence that a run diverges, collapses or forgets.

Each finds a sentence of evidence in the history of a run, or None. `scale` makes its thresholds
milder: 1 raises an alarm, CLEARING keeps it, so it stays until things are clearly better.
Every threshold is a judgement, made on runs that held and runs that collapsed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from statistics import median, pstdev
from typing import Literal

from ssgan.evaluation.selection_metric import DIVERSITY, FD_RANDOM
from ssgan.training.advice import Problem
from ssgan.training.history import FEWEST_STEPS, EvaluationPoint, History
from ssgan.training.standstill import (
    CHANCE,
    may_stop,
    no_gradient,
    no_information,
    rotation_at_chance,
    score_stalls,
)

State = Literal[  # the worst last
    "too early to tell", "healthy", "no progress", "forgetting", "collapsing", "diverged"
]
# What a rule reads: a block of the log, its newest lines, an evaluation, or in an evaluation G's
# images, which mean nothing without an adversarial loss.
Reads = Literal["block", "newest lines", "evaluation", "samples"]

CLEARING = 0.6  # `scale` of a raised alarm

# Hinge, non-saturating and least-squares losses are above 0.4 while D is in doubt.
NO_LOSS = 0.02
# A loss that is linear in the logits, or a gap between them, of this size leaves G no gradient
# that fits its learning rate; healthy runs stay below 10, Wasserstein critics below some tens.
HUGE = 100.0
SPIKE = 10.0  # times what was typical before, see `_typical`
TRIVIAL, TRIVIAL_BLOCKS = 0.01, 5  # rotation error, in so many blocks
NO_VARIANCE = 0.1  # share of the reals' diversity; an untrained G may start there, but rises
RISING = 1.2  # times the evaluation before
LOST_VARIANCE, LOW_VARIANCE = 0.5, 0.6  # share of its own best, and of the reals'
WORSE = 2.0  # times the best FD-random: healthy runs came back from 1.6
LOST_PROGRESS = 0.1  # share of all progress since the first evaluation
CONSTANT = 0.02  # differences of D's logits below this count as none; a hinge's margin is 1
# times the best FD-random, by the number of evaluations with constant logits
DRIFTS = {2: 1.25, 3: 1.1}
FELL, FELL_SHARE = 0.1, 0.25  # drop of an accuracy, and as a share of what it had above chance
STANDARD_ERRORS = 3.0  # of the difference of two accuracies: a smaller drop is noise
ROTATION_FELL_SHARE = 0.5  # as FELL_SHARE, in the log, where an accuracy comes from few images
MOVED, WORSE_WHILE_MOVING = 0.3, 1.25  # 1 - CKA; times the best FD-random

FindEvidence = Callable[[History, float], str | None]  # of (history, scale)


@dataclass(frozen=True)
class Rule:
    """Evidence, how often it must be found, the verdict that follows, and the advice."""

    name: str
    verdict: State  # healthy: a remark, which changes no verdict
    reads: tuple[Reads, ...]  # it is applied after each of these
    find_evidence: FindEvidence
    problem: Problem = "none"  # for the advice
    times: int = 1  # how often in a row it must hold


def no_loss(history: History, scale: float) -> str | None:
    """D's loss is 0: it separates real from fake images perfectly, and G gets no gradient."""
    values = sorted(history.newest("D/adversarial", FEWEST_STEPS))
    if not values or values[0] < 0:  # below 0: Wasserstein
        return None
    most = values[-1 if scale == 1 else -1 - len(values) // 10]  # a spike clears no raised alarm
    if most > NO_LOSS / scale:
        return None
    return (
        f"D's loss is at most {most:.3f} in the last {FEWEST_STEPS} steps up to "
        f"{history.step}: D separates real from generated images so well that G learns nothing"
    )


def huge_loss(history: History, scale: float) -> str | None:
    """D's loss has grown without bound."""
    mean = history.blocks[-1].mean("D/adversarial")
    if mean is None or abs(mean) < HUGE * scale:
        return None
    return f"D's loss is {mean:.3g} at step {history.blocks[-1].last}: D's logits have blown up"


def rotation_trivial(history: History, scale: float) -> str | None:
    """D's rotation accuracy has been 1 for a long time: an easy task, or memorised images."""
    last = history.means("D/rotation_accuracy")[-TRIVIAL_BLOCKS:]
    if len(last) < TRIVIAL_BLOCKS or min(v for _, v in last) < 1 - TRIVIAL / scale:
        return None
    return (
        f"rotation accuracy on training images is nearly 100 % up to step {last[-1][0]}: the task "
        "is too easy for these images, or D has memorised them; it no longer shapes D's features"
    )


def rotation_forgotten(history: History, scale: float) -> str | None:
    """D's rotation accuracy on training images has fallen."""
    means = history.means("D/rotation_accuracy")
    best = max((value for _, value in means), default=CHANCE)
    needed = max(FELL, ROTATION_FELL_SHARE * (best - CHANCE))
    return _describe_fall("rotations of training images are recognised", means, needed * scale)


def not_finite(history: History, scale: float) -> str | None:
    """A metric is NaN or infinite."""
    point = history.evaluations[-1]
    bad = [name for name, value in point.values.items() if value is None]
    return f"not a finite number at step {point.step}: {', '.join(bad)}" if bad else None


def no_variance(history: History, scale: float) -> str | None:
    """G generates a single image, and its diversity is not rising."""
    points = history.points(DIVERSITY)
    if len(points) < 2 or points[-1][1] >= NO_VARIANCE / scale:
        return None
    starting = scale == 1 and points[-1][1] > 0.01  # a rise alone clears no raised alarm
    if starting and points[-1][1] > RISING * points[-2][1]:
        return None
    return (
        f"generated images are nearly all the same: {points[-1][1]:.0%} of the diversity of real "
        f"ones at step {points[-1][0]}"
    )


def variance_falls(history: History, scale: float) -> str | None:
    """Generated images have become less diverse."""
    points = history.points(DIVERSITY)
    if len(points) < 2:
        return None
    (best_step, best), (step, now) = max(points, key=lambda point: point[1]), points[-1]
    if best < NO_VARIANCE or now > LOST_VARIANCE / scale * best or now > LOW_VARIANCE / scale:
        return None
    return (
        f"the diversity of generated images has fallen from {best:.0%} of that of real ones at "
        f"step {best_step} to {now:.0%} at step {step}"
    )


def quality_falls(history: History, scale: float) -> str | None:
    """FD-random is far above its best, and a share of all progress is lost."""
    points = history.points(FD_RANDOM)
    if len(points) < 2:
        return None
    (best_step, best), (step, now) = min(points, key=lambda point: point[1]), points[-1]
    lost, progress = now - best, points[0][1] - best
    if now < (1 + (WORSE - 1) * scale) * best or lost < LOST_PROGRESS * scale * progress:
        return None
    return (
        f"quality has fallen: FD-random is {now:.3g} at step {step}, its best was {best:.3g} at "
        f"step {best_step}"
    )


def no_signal(history: History, scale: float) -> str | None:
    """D's logits are constant, and FD-random is worse than it was.

    Constant logits alone are no fault: D has them at the optimum too, and some runs improved with
    them. The longer they last, the smaller a loss of quality counts.
    """
    quality = [value for _, value in history.points(FD_RANDOM)]
    constant = constant_logits(history, scale)
    if len(quality) < 2 or len(constant) < min(DRIFTS):
        return None
    drifts = 1 + (DRIFTS[min(len(constant), max(DRIFTS))] - 1) * scale
    if quality[-1] < drifts * min(quality):
        return None
    return (
        f"D's logits are constant (at {len(constant)} evaluations in a row, they now differ by "
        f"{constant[0]:.2g}), so G drifts: FD-random is {quality[-1]:.3g} at step "
        f"{history.evaluations[-1].step}, its best was {min(quality):.3g}"
    )


def constant_logits(history: History, scale: float = 1.0) -> list[float]:
    """How far D's logits differed at the newest evaluations with constant ones, newest first."""
    differ = [_logit_separation(history, point) for point in history.evaluations]
    return list(takewhile(lambda value: value <= CONSTANT / scale, reversed(differ)))


def _logit_separation(history: History, point: EvaluationPoint) -> float:
    """How far D's logits differ, between images and between reals and fakes; infinity: unknown."""
    logged = [block for block in history.blocks if block.last <= point.step]
    losses = logged[-1].terms.get("D/adversarial", ()) if logged else ()
    if not losses:  # without an adversarial loss nothing trains that head
        return math.inf
    if "logit_gap" not in point.values:  # older logs lack it; D's loss is constant too
        return pstdev(losses)
    names = ("logit_gap", "logit_std", "logit_std/generated")
    values = [point.values.get(name, 0.0) for name in names]
    return max(math.inf if value is None else abs(value) for value in values)


def logits_blow_up(history: History, scale: float) -> str | None:
    """D's logits on real and generated images are very far apart."""
    points = history.points("logit_gap")
    if not points or abs(points[-1][1]) < HUGE * scale:
        return None
    if abs(points[-1][1]) < SPIKE * scale * _typical([abs(value) for _, value in points[:-1]]):
        return None
    return (
        f"D's logits have blown up: real and generated images are {points[-1][1]:.3g} apart at "
        f"step {points[-1][0]}"
    )


def norms_spike(history: History, scale: float) -> str | None:
    """The spectral norm of a weight has jumped."""
    for name in ("D/spectral_norm", "D/spectral_norm_raw", "G/spectral_norm"):
        points = history.points(name)
        if len(points) < 4:  # three earlier ones
            continue
        typical, (step, now) = _typical([value for _, value in points[:-1]]), points[-1]
        if now >= SPIKE * scale * typical:
            return (
                f"the largest spectral norm in {name[0]} has jumped from {typical:.3g} to "
                f"{now:.3g} at step {step}"
            )
    return None


def features_forget(history: History, scale: float) -> str | None:
    """D's features separate classes worse, or its head recognises fewer rotations, than before."""
    words = {
        "probe_accuracy": "a ridge probe on D's features finds the class",
        "knn_accuracy": "the nearest neighbours in D's features have the class",
        "rotation_accuracy": "rotations of the same real images are recognised",
    }
    point = history.evaluations[-1]
    for name, what in words.items():
        points, chance = history.points(name), point.chance.get(name, CHANCE)
        best = max((value for _, value in points), default=chance)
        variance = max(0.0, best * (1 - best))  # an edited file may hold any number
        error = math.sqrt(2 * variance / max(1.0, point.counts.get(name, math.inf)))
        needed = max(FELL, FELL_SHARE * (best - chance), STANDARD_ERRORS * error)
        if (found := _describe_fall(what, points, needed * scale)) is not None:
            return found
    return None


def features_drift(history: History, scale: float) -> str | None:
    """D's features change more and more between evaluations, while quality falls."""
    cka, quality = history.points("cka_previous")[-3:], history.points(FD_RANDOM)
    if len(cka) < 3 or len(quality) < 4:
        return None
    moved = [1 - value for _, value in cka]
    values = [value for _, value in quality]
    growing = moved == sorted(moved) and values[-3:] == sorted(values[-3:])
    worse = values[-1] >= (1 + (WORSE_WHILE_MOVING - 1) * scale) * min(values)
    lasting = growing or scale < 1  # a raised alarm stays while things are as bad
    if not (lasting and worse and moved[-1] >= MOVED * scale):
        return None
    return (
        f"D's features change ever more while quality falls: CKA with the evaluation before is "
        f"{cka[-1][1]:.2f} at step {cka[-1][0]}, and FD-random {values[-1]:.3g} (best: "
        f"{min(values):.3g})"
    )


def _typical(values: list[float]) -> float:
    """The median of the values that are no spikes themselves; at least 1."""
    typical = 1.0
    regular: list[float] = []
    for value in values:
        if len(regular) < 3 or value < SPIKE * typical:
            regular.append(value)
            typical = max(1.0, median(regular))
    return typical


def _describe_fall(what: str, points: list[tuple[int, float]], needed: float) -> str | None:
    """A sentence when the last accuracy is at least `needed` below the best one."""
    if len(points) < 2:
        return None
    (best_step, best), (step, now) = max(points, key=lambda point: point[1]), points[-1]
    if best - now < needed:
        return None
    return f"{what} in {now:.0%} of cases at step {step}, against {best:.0%} at step {best_step}"


_BLOCK: tuple[Reads, ...] = ("block",)
_LINES: tuple[Reads, ...] = ("newest lines", "evaluation")
_EVALUATION: tuple[Reads, ...] = ("evaluation",)
_SAMPLES: tuple[Reads, ...] = ("samples",)
RULES = (
    Rule("no loss", "diverged", ("newest lines",), no_loss, "strong discriminator"),
    Rule("huge loss", "diverged", _BLOCK, huge_loss, "blown up"),
    Rule("no information", "collapsing", _LINES, no_information, "dead discriminator"),
    Rule("no gradient", "collapsing", _LINES, no_gradient, "no gradient"),
    Rule("rotation at chance", "diverged", _LINES, rotation_at_chance, "dead discriminator"),
    Rule("rotation trivial", "healthy", _BLOCK, rotation_trivial, "easy rotations"),
    Rule("rotation forgotten", "forgetting", _BLOCK, rotation_forgotten, "forgetting", times=3),
    Rule("not finite", "diverged", _EVALUATION, not_finite, "blown up"),
    Rule("no variance", "collapsing", _SAMPLES, no_variance, "collapse", times=3),
    Rule("variance falls", "collapsing", _SAMPLES, variance_falls, "collapse", times=2),
    Rule("quality falls", "collapsing", _SAMPLES, quality_falls, "collapse", times=3),
    Rule("no signal", "collapsing", _SAMPLES, no_signal, "dead discriminator"),
    Rule("logits blow up", "diverged", _EVALUATION, logits_blow_up, "blown up"),
    Rule("norms spike", "diverged", _EVALUATION, norms_spike, "blown up"),
    Rule("features forget", "forgetting", _EVALUATION, features_forget, "forgetting", times=3),
    Rule("features drift", "forgetting", _SAMPLES, features_drift, "forgetting"),
    Rule("no progress", "no progress", _SAMPLES, score_stalls, "no progress"),
    Rule("may stop", "healthy", _SAMPLES, may_stop),
)
