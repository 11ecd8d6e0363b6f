"""Faults for the promises about checkpoints and continued runs (C), and about bad numbers (D)."""

from tests.scorecard.promise import Mutant

RUN_FAULTS: dict[str, tuple[Mutant, ...]] = {
    "C1": (
        Mutant(
            "runs/checkpoint.py",
            "        load_part(getattr(state, name), checkpoint, name)\n    state.step",
            '        if name != "generator_ema":\n'
            "            load_part(getattr(state, name), checkpoint, name)\n    state.step",
        ),
    ),
    "C2": (
        Mutant(
            "files/atomic.py",
            "            if durable:\n                os.fsync(descriptor)\n",
            "            if durable:\n                pass\n",
        ),
        Mutant(
            "runs/checkpoint.py",
            "        self._write(path, state, PARTS, evaluated=state.evaluated)\n",
            "        for old in self.layout.checkpoint_files():\n            old.unlink()\n"
            "        self._write(path, state, PARTS, evaluated=state.evaluated)\n",
        ),
        Mutant("training/resume.py", "        remove_strays(folder)\n", "        pass\n"),
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
        Mutant(
            "runs/checkpoint.py",
            "            if layout.checkpoint(found.step) != path:",
            "            if not path.exists():",
        ),
    ),
    "C5": (
        Mutant(
            "runs/checkpoint.py",
            "        load_part(getattr(state, name), checkpoint, name)\n    state.step",
            '        if name != "discriminator_optimizer":\n'
            "            load_part(getattr(state, name), checkpoint, name)\n    state.step",
        ),
        Mutant(
            "training/feed.py",
            "        epoch, within = divmod(place, len(self.dataset))",
            '        self.seen = getattr(self, "seen", -1) + 1\n'
            "        epoch, within = divmod(self.seen, len(self.dataset))",
        ),
    ),
    "C6": (
        Mutant(
            "runs/checkpoint.py",
            "    state.rollbacks, state.evaluated = checkpoint.rollbacks, checkpoint.evaluated",
            "    state.evaluated = checkpoint.evaluated",
        ),
        Mutant(
            "runs/checkpoint.py",
            "    state.rollbacks, state.evaluated = checkpoint.rollbacks, checkpoint.evaluated",
            "    state.rollbacks = checkpoint.rollbacks",
        ),
    ),
    "C7": (
        Mutant(
            "runs/checkpoint.py",
            "    state.best_score, state.best_step = checkpoint.best_score, checkpoint.best_step",
            "    state.best_score = checkpoint.best_score",
        ),
    ),
    "C8": (
        Mutant(
            "files/atomic.py",
            "        with contextlib.suppress(OSError):\n            temporary.unlink()\n",
            "        pass\n",
        ),
        Mutant(
            "files/atomic.py",
            "FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}",
            "FULL = {errno.ENOSPC, errno.EDQUOT}",
        ),
        Mutant("cli/main.py", "return _complain(str(error), DISK_FULL)", "raise"),
    ),
    "C9": (
        Mutant("files/errors.py", "        if not place.is_dir():\n", "        if False:\n"),
        Mutant(
            "files/errors.py",
            "        if not os.access(place, os.W_OK | os.X_OK):",
            "        if False:",
        ),
    ),
    "C10": (
        Mutant("training/signals.py", '"SIGUSR1": 0}', '"SIGUSR1": 138}'),
        Mutant(
            "training/signals.py",
            "            os.kill(os.getpid(), number)\n        request",
            "            return\n        request",
        ),
    ),
    "C11": (
        Mutant(
            "files/locks.py",
            "        lock.acquire(blocking=False)\n    except Timeout:\n        return None\n",
            "        pass\n    except Timeout:\n        return None\n",
        ),
        Mutant("files/locks.py", '"process": os.getpid()}', '"process": os.getppid()}'),
    ),
    "C12": (
        Mutant(
            "runs/checkpoint.py", "            jsonl.force_to_disk(log)\n", "            pass\n"
        ),
        Mutant(
            "files/jsonl.py",
            '    return row if known and row["step"] <= step else None',
            '    return row if known and row["step"] <= step + 1 else None',
        ),
    ),
    "C13": (
        Mutant("runs/checkpoint.py", 'facts.get("rollbacks", 0)', 'facts["rollbacks"]'),
        Mutant(
            "runs/config_io.py",
            '    f"{_CONFIG}:OutputConfig": {"snapshot_every": "keep_every"},\n',
            "",
        ),
    ),
    "D1": (
        Mutant(
            "training/nonfinite.py", "torch.stack([norms.sum(), *values])", "torch.stack(values)"
        ),
    ),
    "D2": (
        Mutant("training/nonfinite.py", "if self.spent == MAX_RETRIES:", "if self.spent == 50:"),
        Mutant(
            "training/resume.py",
            "    layout, rollbacks = writer.layout, state.rollbacks + 1\n",
            "    layout, rollbacks = writer.layout, state.rollbacks\n",
        ),
    ),
    "D3": (
        Mutant(
            "training/standstill.py", "NEAR, VANISHING = 0.02, 0.001", "NEAR, VANISHING = 0.02, 0.0"
        ),
        Mutant(
            "training/standstill.py", "NEAR, VANISHING = 0.02, 0.001", "NEAR, VANISHING = 0.5, 0.02"
        ),
        Mutant(
            "training/monitor_rules.py",
            "        if now >= SPIKE * scale * typical:",
            "        if now >= SPIKE * scale * typical * 100:",
        ),
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
        Mutant(
            "ops/modes.py",
            "with torch.random.fork_rng(devices=[]), torch.no_grad():",
            "with torch.no_grad():",
        ),
    ),
    "D7": (
        Mutant("training/nonfinite.py", "            buffer.copy_(old)\n", "            pass\n"),
        Mutant(
            "training/step.py",
            "    terms = check_finite(optimizer, sums.average(terms), name)\n"
            "    optimizer.step()\n",
            "    terms = sums.average(terms)\n"
            "    optimizer.step()\n"
            "    terms = check_finite(optimizer, terms, name)\n",
        ),
    ),
    "D8": (
        Mutant(
            "cli/main.py",
            '    said = ("can\'t allocate memory", "out of memory",',
            "    said = (",
        ),
        Mutant(
            "training/step.py",
            "torch.autograd.backward(loss.total / parts)",
            "torch.autograd.backward(loss.total)",
        ),
    ),
}
