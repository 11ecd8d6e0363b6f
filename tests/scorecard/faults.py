"""For every promise faults of the package, each of which its tests must see."""

from tests.scorecard.faults_runs import RUN_FAULTS
from tests.scorecard.promise import Mutant

FAULTS: dict[str, tuple[Mutant, ...]] = {
    **RUN_FAULTS,
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
    "E3": (
        Mutant(
            "training/step.py",
            "torch.autograd.backward(loss.total / parts)",
            "torch.autograd.backward(loss.total)",
        ),
    ),
    "E4": (
        Mutant(
            "training/feed.py",
            "divmod(place, len(self.dataset))",
            "divmod(place, len(self.dataset) - 1)",
        ),
    ),
    "E6": (
        Mutant(
            "training/distributed.py",
            '        raise PeerLost(f"after step {state.step}: {lost}") from None',
            "        raise",
        ),
    ),
    "E7": (
        Mutant(
            "cli/processes.py",
            "return min(failed, key=lambda n: children[n].returncode == LOST, default=None)",
            "return max(failed, default=None)",
        ),
    ),
    "E9": (
        Mutant(
            "training/distributed.py",
            "            if not torch.equal(here, there):\n                raise RanksDiffer(",
            "            if False:\n                raise RanksDiffer(",
        ),
    ),
    "F1": (
        Mutant(
            "metrics/frechet.py", "trace_a + trace_b - 2 * overlap", "trace_a + trace_b - overlap"
        ),
    ),
    "F2": (
        Mutant(
            "metrics/frechet.py", "seen = values > _rounding(values)", "seen = values.abs() > 0"
        ),
    ),
    "F3": (
        Mutant(
            "metrics/moments.py",
            "alpha=self.count * count / total)",
            "alpha=self.count * count / (total - 1))",
        ),
    ),
    "F4": (
        Mutant(
            "metrics/kernel.py",
            "return (total - itself) / (len(rows) * (len(rows) - 1))",
            "return total / len(rows) ** 2",
        ),
    ),
    "F5": (
        Mutant(
            "metrics/inception/features.py",
            "marginal = logp.logsumexp(dim=0) - math.log(len(logp))",
            "marginal = logp.mean(dim=0)",
        ),
    ),
    "F6": (
        Mutant(
            "metrics/protocol.py",
            'if field.name != "seeds"]',
            'if field.name not in ("seeds", "num_fake")]',
        ),
    ),
    "F7": (
        Mutant(
            "metrics/features.py", "pooled += [mean, spread]", "pooled += [mean * 0, spread * 0]"
        ),
    ),
    "F8": (
        Mutant(
            "metrics/resize.py",
            "    x = pixels.float()\n    if x.shape",
            "    x = pixels.float() * (255 / 256)\n    if x.shape",
        ),
    ),
    "F9": (
        Mutant(
            "metrics/features.py",
            "        x = from_uint8(x)\n",
            "        x = from_uint8(x)\n        x = x - x.mean(dim=0, keepdim=True)\n",
        ),
    ),
    "F10": (
        Mutant(
            "evaluation/features.py",
            "        if self._digest(numbers, body) != data[:_SUM_BYTES]:",
            "        if len(data) < _SUM_BYTES:",
        ),
    ),
    "G1": (
        Mutant(
            "runs/checkpoint.py",
            'torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)',
            'torch.load(io.BytesIO(payload), map_location="cpu", weights_only=False)',
        ),
    ),
    "G3": (
        Mutant(
            "files/sealed_file.py",
            "        if sum(member.file_size for member in members) > self.size:",
            "        if not members:",
        ),
    ),
    "G5": (
        Mutant(
            "files/download.py",
            "        if digest.hexdigest() != sha256:",
            "        if not digest.hexdigest():",
        ),
        Mutant(
            "files/download.py",
            '    if parts.hostname and parts.scheme == "https":',
            '    if parts.hostname and parts.scheme in ("https", "http"):',
        ),
    ),
    "H3": (
        Mutant(
            "training/loop.py", "feed.with_seed(state.noise_seed(config.seed))", "feed.with_seed(0)"
        ),
    ),
    "H4": (
        Mutant(
            "losses.py",
            "F.relu(1 - real).mean() + F.relu(1 + fake).mean()",
            "F.relu(1 - real).mean() + 1.0001 * F.relu(1 + fake).mean()",
        ),
    ),
}
