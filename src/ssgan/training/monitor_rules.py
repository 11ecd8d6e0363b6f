"""The rules of the watch: what must be seen, and for how long, before it speaks.

A rule gets the trace and `ease`: 1 to raise its alarm, EASED to keep it. An eased rule asks for
less, so an alarm that was raised stays until things are clearly better, and is raised once.
Every threshold is a judgement, made on runs that were seen to hold and to collapse.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from statistics import median, pstdev
from typing import Literal

from ssgan.evaluation.sample_quality import DIVERSITY
from ssgan.evaluation.selection_metric import FD_RANDOM
from ssgan.training.history import EvaluationPoint, History

State = Literal["too early to tell", "healthy", "forgetting", "collapsing", "diverged"]

CLEARING = 0.6
CHANCE = 0.25  # of recognising a rotation

# Hinge, non-saturating and least-squares losses are above 0.4 while D is in doubt.
NO_LOSS = 0.02
# A loss that is linear in the logits, or a gap between them, of this size leaves G no gradient
# that fits its learning rate; healthy runs stay below 10, Wasserstein critics below some tens.
HUGE = 100.0
SPIKE = 10.0  # times what was usual before, see `_usual`
LEARNT = 0.05  # above chance: less cannot be told from noise in a block of the log
DEAD_BLOCKS = 10  # blocks at chance: at least 200 lines and 1000 steps
TRIVIAL, TRIVIAL_BLOCKS = 0.01, 5  # share of rotations not recognised
NO_VARIANCE = 0.1  # share of the reals' diversity; an untrained G may start there, but rises
RISING = 1.2  # times the evaluation before
LOST_VARIANCE, LOW_VARIANCE = 0.5, 0.6  # share of its own best, and of the reals'
WORSE = 2.0  # times the best FD-random: healthy runs came back from 1.6
GIVEN_BACK = 0.1  # share of all progress since the first evaluation
BLIND = 0.02  # spread of D's logits, where 1 is a hinge's margin
DRIFTS = {2: 1.25, 3: 1.1}  # times the best FD-random, by how many evaluations D has been blind
FELL, FELL_SHARE = 0.1, 0.25  # an accuracy, absolute and as a share of what it was above chance
STANDARD_ERRORS = 3.0  # of the difference of two accuracies: less is noise
ROTATION_FELL_SHARE = (
    0.5  # of what was above chance, in the log, where an accuracy is of few images
)
MOVED, WORSE_WHILE_MOVING = 0.3, 1.25  # 1 - CKA; times the best FD-random

Rule = Callable[[History, float], str | None]  # a sentence of evidence, or None


@dataclass(frozen=True)
class Alarm:
    """A rule with the verdict it stands for."""

    name: str
    verdict: State  # healthy: a remark, which changes no verdict
    reads: Literal["log", "evaluation"]  # it is asked after each block, or each evaluation
    rule: Rule
    times: int = 1  # how often in a row the rule must hold
    adversarial_only: bool = False  # it is about G's images, so not asked where G plays no game


def no_loss(trace: History, ease: float) -> str | None:
    """D's loss is 0: it tells every real image from every fake one, and leaves G no signal."""
    block = trace.blocks[-1]
    values = block.terms.get("D/adversarial", ())
    if not values or min(values) < 0 or max(values) > NO_LOSS / ease:  # below 0: Wasserstein
        return None
    return (
        f"D's loss is at most {max(values):.3f} from step {block.first} to {block.last}: D tells "
        "real from generated images so well that G learns nothing"
    )


def huge_loss(trace: History, ease: float) -> str | None:
    """D's loss has no bound any more."""
    mean = trace.blocks[-1].mean("D/adversarial")
    if mean is None or abs(mean) < HUGE * ease:
        return None
    return f"D's loss is {mean:.3g} at step {trace.blocks[-1].last}: D's answers have blown up"


def rotation_at_chance(trace: History, ease: float) -> str | None:
    """D has recognised no rotation for a long time."""
    last = trace.means("D/rotation_accuracy")[-DEAD_BLOCKS:]
    if len(last) < DEAD_BLOCKS or max(v for _, v in last) > CHANCE + LEARNT / ease:
        return None
    return (
        f"D recognises rotations of real images no better than by chance (25 %) up to step "
        f"{last[-1][0]}: it has stopped learning"
    )


def rotation_trivial(trace: History, ease: float) -> str | None:
    """D has recognised every rotation for a long time: an easy task, or images learnt by heart."""
    last = trace.means("D/rotation_accuracy")[-TRIVIAL_BLOCKS:]
    if len(last) < TRIVIAL_BLOCKS or min(v for _, v in last) < 1 - TRIVIAL / ease:
        return None
    return (
        f"D recognises nearly all rotations of training images (100 %) up to step {last[-1][0]}: "
        "the task is too easy for these images, or D has memorised them, and no longer shapes its "
        "features"
    )


def rotation_forgotten(trace: History, ease: float) -> str | None:
    """D recognised rotations of training images better before."""
    means = trace.means("D/rotation_accuracy")
    best = max((value for _, value in means), default=CHANCE)
    needed = max(FELL, ROTATION_FELL_SHARE * (best - CHANCE))
    return _describe_fall("rotations of training images are recognised", means, needed * ease)


def not_finite(trace: History, ease: float) -> str | None:
    """A measure is NaN or infinite."""
    look = trace.evaluations[-1]
    bad = [name for name, value in look.values.items() if value is None]
    return f"not a finite number at step {look.step}: {', '.join(bad)}" if bad else None


def no_variance(trace: History, ease: float) -> str | None:
    """G makes one image, and is not on its way to more."""
    points = trace.points(DIVERSITY)
    if len(points) < 2 or points[-1][1] >= NO_VARIANCE / ease:
        return None
    starting = ease == 1 and points[-1][1] > 0.01  # once raised, rising is not enough
    if starting and points[-1][1] > RISING * points[-2][1]:
        return None
    return (
        f"generated images are nearly all the same: {points[-1][1]:.0%} of the diversity of real "
        f"ones at step {points[-1][0]}"
    )


def variance_falls(trace: History, ease: float) -> str | None:
    """Generated images were more diverse before."""
    points = trace.points(DIVERSITY)
    if len(points) < 2:
        return None
    (best_step, best), (step, now) = max(points, key=lambda point: point[1]), points[-1]
    if best < NO_VARIANCE or now > LOST_VARIANCE / ease * best or now > LOW_VARIANCE / ease:
        return None
    return (
        f"the diversity of generated images has fallen from {best:.0%} of that of real ones at "
        f"step {best_step} to {now:.0%} at step {step}"
    )


def quality_falls(trace: History, ease: float) -> str | None:
    """FD-random is far above its best, and a part of all progress is lost."""
    points = trace.points(FD_RANDOM)
    if len(points) < 2:
        return None
    (best_step, best), (step, now) = min(points, key=lambda point: point[1]), points[-1]
    lost, progress = now - best, points[0][1] - best
    if now < (1 + (WORSE - 1) * ease) * best or lost < GIVEN_BACK * ease * progress:
        return None
    return (
        f"quality has fallen: FD-random is {now:.3g} at step {step}, its best was {best:.3g} at "
        f"step {best_step}"
    )


def no_signal(trace: History, ease: float) -> str | None:
    """D answers the same to every image, and quality is worse than it was.

    The first alone is no fault: D is blind at the optimum too, and runs got better with it. The
    longer it lasts, the less of the second is asked.
    """
    quality = [value for _, value in trace.points(FD_RANDOM)]
    blind = constant_logits(trace, ease)
    if len(quality) < 2 or len(blind) < min(DRIFTS):
        return None
    drifts = 1 + (DRIFTS[min(len(blind), max(DRIFTS))] - 1) * ease
    if quality[-1] < drifts * min(quality):
        return None
    return (
        f"D answers the same to every image (at {len(blind)} evaluations in a row, its logits now "
        f"differ by {blind[0]:.2g}), so G drifts: FD-random is {quality[-1]:.3g} at step "
        f"{trace.evaluations[-1].step}, its best was {min(quality):.3g}"
    )


def constant_logits(trace: History, ease: float = 1.0) -> list[float]:
    """How little D's logits differed at the newest evaluations it was blind at, newest first."""
    differ = [_logit_separation(trace, look) for look in trace.evaluations]
    return list(takewhile(lambda value: value <= BLIND / ease, reversed(differ)))


def _logit_separation(trace: History, look: EvaluationPoint) -> float:
    """How far D's logits are apart, between images, and reals from fakes; infinity: not known."""
    logged = [block for block in trace.blocks if block.last <= look.step]
    losses = logged[-1].terms.get("D/adversarial", ()) if logged else ()
    if not losses:  # methods without the game leave that head as it was
        return math.inf
    if "logit_gap" not in look.values:  # logs of runs without it: D's loss tells too
        return pstdev(losses)
    names = ("logit_gap", "logit_spread", "logit_spread/generated")
    values = [look.values.get(name, 0.0) for name in names]
    return max(math.inf if value is None else abs(value) for value in values)


def logits_blow_up(trace: History, ease: float) -> str | None:
    """D's answers on real and generated images are absurdly far apart."""
    points = trace.points("logit_gap")
    if not points or abs(points[-1][1]) < HUGE * ease:
        return None
    if abs(points[-1][1]) < SPIKE * ease * _typical([abs(value) for _, value in points[:-1]]):
        return None
    return (
        f"D's logits have blown up: real and generated images are {points[-1][1]:.3g} apart at "
        f"step {points[-1][0]}"
    )


def norms_spike(trace: History, ease: float) -> str | None:
    """A weight's spectral norm has jumped."""
    for name in ("D/sigma", "D/sigma_raw", "G/sigma"):
        points = trace.points(name)
        if len(points) < 4:  # three earlier ones
            continue
        usual, (step, now) = _typical([value for _, value in points[:-1]]), points[-1]
        if now >= SPIKE * ease * usual:
            return (
                f"the largest spectral norm in {name[0]} has jumped from {usual:.3g} to {now:.3g} "
                f"at step {step}"
            )
    return None


def features_forget(trace: History, ease: float) -> str | None:
    """D's features separated classes, or its head rotations of fixed images, better before."""
    words = {
        "probe_accuracy": "a ridge probe on D's features finds the class",
        "knn_accuracy": "the nearest neighbours in D's features have the class",
        "rotation_accuracy": "rotations of the same real images are recognised",
    }
    look = trace.evaluations[-1]
    for name, what in words.items():
        points, chance = trace.points(name), look.chance.get(name, CHANCE)
        best = max((value for _, value in points), default=chance)
        variance = max(0.0, best * (1 - best))  # a file edited by hand may hold any number
        error = math.sqrt(2 * variance / max(1.0, look.counts.get(name, math.inf)))
        needed = max(FELL, FELL_SHARE * (best - chance), STANDARD_ERRORS * error)
        if (found := _describe_fall(what, points, needed * ease)) is not None:
            return found
    return None


def features_drift(trace: History, ease: float) -> str | None:
    """D's features move more and more from one evaluation to the next, while quality falls."""
    cka, quality = trace.points("cka_previous")[-3:], trace.points(FD_RANDOM)
    if len(cka) < 3 or len(quality) < 4:
        return None
    moved = [1 - value for _, value in cka]
    values = [value for _, value in quality]
    growing = moved == sorted(moved) and values[-3:] == sorted(values[-3:])
    worse = values[-1] >= (1 + (WORSE_WHILE_MOVING - 1) * ease) * min(values)
    lasting = growing or ease < 1  # once raised it stays while things are as bad
    if not (lasting and worse and moved[-1] >= MOVED * ease):
        return None
    return (
        f"D's features move ever further while quality falls: CKA with the evaluation before is "
        f"{cka[-1][1]:.2f} at step {cka[-1][0]}, and FD-random {values[-1]:.3g} (best: "
        f"{min(values):.3g})"
    )


def _typical(values: list[float]) -> float:
    """The median of the values that were no spikes themselves; at least 1."""
    usual = 1.0
    kept: list[float] = []
    for value in values:
        if len(kept) < 3 or value < SPIKE * usual:
            kept.append(value)
            usual = max(1.0, median(kept))
    return usual


def _describe_fall(what: str, points: list[tuple[int, float]], needed: float) -> str | None:
    """A sentence when the last accuracy is at least `needed` below the best one."""
    if len(points) < 2:
        return None
    (best_step, best), (step, now) = max(points, key=lambda point: point[1]), points[-1]
    if best - now < needed:
        return None
    return f"{what} in {now:.0%} of cases at step {step}, against {best:.0%} at step {best_step}"


ALARMS = (
    Alarm("no loss", "diverged", "log", no_loss, times=2),
    Alarm("huge loss", "diverged", "log", huge_loss),
    Alarm("turns at chance", "diverged", "log", rotation_at_chance),
    Alarm("turns trivial", "healthy", "log", rotation_trivial),
    Alarm("turns forgotten", "forgetting", "log", rotation_forgotten, times=3),
    Alarm("not finite", "diverged", "evaluation", not_finite),
    Alarm("no variance", "collapsing", "evaluation", no_variance, times=3, adversarial_only=True),
    Alarm(
        "variance falls", "collapsing", "evaluation", variance_falls, times=2, adversarial_only=True
    ),
    Alarm(
        "quality falls", "collapsing", "evaluation", quality_falls, times=3, adversarial_only=True
    ),
    Alarm("no signal", "collapsing", "evaluation", no_signal, adversarial_only=True),
    Alarm("logits blow up", "diverged", "evaluation", logits_blow_up),
    Alarm("norms spike", "diverged", "evaluation", norms_spike),
    Alarm("features forget", "forgetting", "evaluation", features_forget, times=3),
    Alarm("features drift", "forgetting", "evaluation", features_drift, adversarial_only=True),
)
