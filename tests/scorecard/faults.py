"""For every promise faults of the package, each of which its tests must see."""

from tests.scorecard.faults_rest import OTHER_FAULTS
from tests.scorecard.promise import Mutant

FAULTS: dict[str, tuple[Mutant, ...]] = {
    **OTHER_FAULTS,
    "A1": (
        Mutant(
            "data/assemble.py",
            "            chunk.rejected.append(result)\n            continue",
            "            continue",
        ),
    ),
    "A4": (
        Mutant(
            "data/preprocessing.py",
            'return (None, "") if tag == 1 else (_UPRIGHT[tag], "")',
            'return (None, "") if tag in (1, 7) else (_UPRIGHT[tag], "")',
        ),
    ),
    "A9": (
        Mutant(
            "data/scan.py",
            "        if (status.st_dev, status.st_ino) not in self.files:\n",
            "        if True:\n",
        ),
    ),
    "A13": (
        Mutant("data/scan.py", "key=lambda item: item.name)", "key=lambda item: item.changed)"),
    ),
    "A15": (
        Mutant("ops/rotation.py", "images.rot90(r, dims=(2, 3))", "images.rot90(-r, dims=(2, 3))"),
        Mutant(
            "ops/rotation.py",
            "torch.arange(NUM_ROTATIONS, device=device).repeat_interleave(count)",
            "torch.arange(NUM_ROTATIONS, device=device).repeat(count)",
        ),
    ),
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
