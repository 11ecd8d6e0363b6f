"""Rules of the monitor for a run that stands still: D learns nothing, or samples do not improve.

As in `monitor_rules`, each finds a sentence of evidence or None, and `scale` below 1 keeps an alarm
until things are clearly better. The first rules need no evaluation. Where there are some, a run
whose samples still improve raises none of them: D's logits are equal at the optimum too.
"""

import math
from itertools import pairwise
from statistics import fmean, median, pstdev, stdev

from ssgan.training.history import History

CHANCE = 0.25  # accuracy of guessing a rotation
LEARNT = 0.05  # above chance: less is noise in a block of the log
DEAD_BLOCKS = 10  # blocks at chance, at least 1000 steps: an alarm even while samples improve
# D's loss, in units of a logit: its difference to that of equal logits, and its deviation. Dead
# runs deviate by less; a run that improved to its end with D's loss near 2 deviated by 0.0015.
NEAR, VANISHING = 0.02, 0.001
NO_GRADIENT = 0.003  # median norm of G's gradient, as a share of its largest over a block
IMPROVING = 0.1  # share by which the newest score is below the best before
EXACTLY = 0.75  # share of lines with 25 % to the digit: the same rotation for every image
CERTAIN = 2.0  # standard errors between the mean rotation accuracy and what counts as learnt
# Evaluations without a better score: a tenth of those planned, and at least this.
PATIENCE, BETTER = 5, 0.01  # a smaller improvement than this share is noise
NEVER_GOOD = 0.1  # share by which a run must once have been better than at its first evaluation
SWINGING = 1.25  # typical ratio of two successive scores


def no_information(history: History, scale: float) -> str | None:
    """D's adversarial loss stays at that of equal logits for all images."""
    losses, known = history.newest("D/adversarial"), history.uninformed
    if known is None or not losses:
        return None
    mean, deviation = fmean(losses), pstdev(losses)
    if deviation > VANISHING / scale * known.slope or is_improving(history):
        return None
    if abs(mean - known.value) > NEAR / scale * known.slope:
        return None
    return (
        f"D's loss is {mean:.3f}, that of equal logits for all images, and its deviation "
        f"{deviation:.1g} over {history.window} steps up to {history.step}: D has stopped "
        "learning, and G learns nothing from it"
    )


def no_gradient(history: History, scale: float) -> str | None:
    """G's gradient has nearly vanished, whatever the losses."""
    norms, blocks = history.newest("G/gradient_norm"), history.blocks
    before = [values for block in blocks if (values := block.terms.get("G/gradient_norm"))]
    if not norms or not before or is_improving(history):
        return None
    now, largest = median(norms), max(map(median, before))
    if now > NO_GRADIENT / scale * largest:
        return None
    return (
        f"the norm of G's gradient is {now:.1g} over {history.window} steps up to {history.step}, "
        f"and was {largest:.1g}: G learns nothing from D"
    )


def rotation_at_chance(history: History, scale: float) -> str | None:
    """D's rotation accuracy is at chance: D guesses, or predicts one rotation for every image.

    One that guesses may still begin to learn in the first quarter of a run.
    """
    name, learnt = "D/rotation_accuracy", CHANCE + LEARNT / scale
    values, blocks = history.newest(name), history.means(name)[-DEAD_BLOCKS:]
    for_long = len(blocks) == DEAD_BLOCKS and max(mean for _, mean in blocks) <= learnt
    if len(values) < 2 or (is_improving(history) and not for_long):
        return None
    exactly = sum(abs(value - CHANCE) < 1e-6 for value in values) >= EXACTLY * len(values)
    warm_up = max(history.window, history.config.total_steps // 4)
    if not exactly and history.step < warm_up + history.window:
        return None
    error = stdev(values) / math.sqrt(len(values))
    if fmean(values) > learnt - (0.0 if exactly or for_long else CERTAIN * error):
        return None
    return (
        f"rotation accuracy on real images is at chance ({fmean(values):.0%}) over "
        f"{history.window} steps up to {history.step}: D learns no rotations"
    )


def is_improving(history: History) -> bool:
    """Whether the newest evaluation is clearly the best of two or more."""
    scores = [value for _, value in history.points(history.score)]
    return len(scores) > 1 and scores[-1] <= (1 - IMPROVING) * min(scores[:-1])


def may_stop(history: History, scale: float) -> str | None:
    """The score has not improved over many evaluations."""
    if not _stands_still(history):
        return None
    step, best = min(history.points(history.score), key=lambda point: point[1])
    return (
        f"{history.score} has not improved over {_patience(history)} evaluations: its best is "
        f"{best:.3g} at step {step}, which best/ holds; the run may stop"
    )


def score_stalls(history: History, scale: float) -> str | None:
    """The score does not improve, and it never did, or it swings."""
    if not _stands_still(history):
        return None
    scores = [value for _, value in history.points(history.score)]
    newest = scores[-_patience(history) - 1 :]
    ratio = median(max(a, b) / max(min(a, b), 1e-12) for a, b in pairwise(newest))
    if min(scores) > (1 - NEVER_GOOD / scale) * scores[0]:
        how = f"it has never been much better than at the first evaluation ({scores[0]:.3g})"
    elif ratio >= 1 + (SWINGING - 1) * scale:
        how = f"it swings by a factor of {ratio:.2g} between evaluations"
    else:
        return None
    step = history.evaluations[-1].step
    return f"{history.score} is {scores[-1]:.3g} at step {step} and does not improve: {how}"


def _stands_still(history: History) -> bool:
    """Whether the newest evaluations are no better than those before them."""
    scores, patience = [value for _, value in history.points(history.score)], _patience(history)
    if len(scores) <= patience:
        return False
    return min(scores[-patience:]) > (1 - BETTER) * min(scores[:-patience])


def _patience(history: History) -> int:
    every, steps = history.config.evaluate.every, history.config.total_steps
    return max(PATIENCE, steps // every // 10) if every else PATIENCE
