"""For every promise faults of the package, each of which its tests must see."""

from tests.scorecard.faults_inputs import INPUT_FAULTS
from tests.scorecard.faults_rest import OTHER_FAULTS
from tests.scorecard.promise import Mutant

FAULTS: dict[str, tuple[Mutant, ...]] = {
    **INPUT_FAULTS,
    **OTHER_FAULTS,
    "C2": (
        Mutant(
            "files/atomic.py",
            "            if durable:\n                os.fsync(descriptor)\n",
            "            if durable:\n                pass\n",
        ),
        Mutant(
            "files/atomic.py",
            "        with contextlib.suppress(OSError):\n            temporary.unlink()\n",
            "        pass\n",
        ),
    ),
    "C3": (
        Mutant(
            "files/sealed_file.py",
            "    if hashlib.sha256(payload).digest() != digest:",
            "    if len(digest) != 32:",
        ),
    ),
    "C4": (
        Mutant("runs/checkpoint.py", 'path.rename(path.with_suffix(".damaged"))', "path.unlink()"),
    ),
    "C6": (
        Mutant(
            "runs/checkpoint.py",
            "    state.rollbacks, state.evaluated = checkpoint.rollbacks, checkpoint.evaluated",
            "    state.evaluated = checkpoint.evaluated",
        ),
    ),
    "C12": (
        Mutant(
            "runs/checkpoint.py", "            jsonl.force_to_disk(log)\n", "            pass\n"
        ),
    ),
    "D2": (
        Mutant("training/nonfinite.py", "if self.spent == MAX_RETRIES:", "if self.spent == 50:"),
    ),
    "D4": (
        Mutant(
            "ops/spectral_norm.py",
            "v.copy_(F.normalize(torch.mv(matrix.T, u), dim=0, eps=_EPSILON))",
            "v.copy_(F.normalize(torch.mv(matrix.T, u) + v, dim=0, eps=_EPSILON))",
        ),
        Mutant(
            "training/step.py",
            "            advance_spectral_norm(*both, iterations=config.power_iterations)\n",
            "            advance_spectral_norm(*both, iterations=2 * config.power_iterations)\n",
        ),
    ),
    "D5": (
        Mutant(
            "ops/ema.py",
            'old.is_floating_point() and "spectral_" not in name',
            "old.is_floating_point()",
        ),
        Mutant(
            "ops/ema.py", "1 - ema_decay(halflife_steps))", "1 - ema_decay(2 * halflife_steps))"
        ),
    ),
    "D6": (
        Mutant(
            "ops/modes.py",
            "            module.training = mode",
            "            module.training = False",
        ),
    ),
    "D7": (
        Mutant("training/nonfinite.py", "            buffer.copy_(old)\n", "            pass\n"),
    ),
}
