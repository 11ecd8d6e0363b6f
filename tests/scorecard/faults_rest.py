"""Faults that the tests of many processes, metrics, security and long runs must see (E to H)."""

from tests.scorecard.promise import Mutant

OTHER_FAULTS: dict[str, tuple[Mutant, ...]] = {
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
    "E5": (
        Mutant(
            "cli/launching/processes.py",
            "_WORTH_A_RESTART = (1, LOST)",
            "_WORTH_A_RESTART = (1,)",
        ),
    ),
    "E6": (
        Mutant(
            "training/ranks/distributed.py",
            '        raise PeerLost(f"after step {state.step}: {lost}") from None',
            "        raise",
        ),
    ),
    "E7": (
        Mutant(
            "cli/launching/processes.py",
            "return min(failed, key=lambda n: children[n].returncode == LOST, default=None)",
            "return max(failed, default=None)",
        ),
        Mutant(
            "training/ranks/distributed.py",
            "        raise PeerLost(_find_lost_rank(_store, number, count, str(lost))) from None",
            "        _find_lost_rank(_store, number, count, str(lost))",
        ),
    ),
    "E8": (
        Mutant(
            "ops/batch_norm.py",
            "variances.mean(0) + (means - mean).square().mean(0)",
            "variances.mean(0)",
        ),
    ),
    "E9": (
        Mutant(
            "training/ranks/distributed.py",
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
            '_NEVER_COMPARED = ("seeds", "assumed")',
            '_NEVER_COMPARED = ("seeds", "assumed", "num_fake")',
        ),
    ),
    "F7": (
        Mutant(
            "metrics/features.py",
            "        x = pixels.float()\n        if",
            "        x = pixels.float().mean(1, True).expand(-1, 3, -1, -1)\n        if",
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
        Mutant(
            "files/archive.py",
            "return size > _FREE_BYTES and size > _MAX_RATIO * packed",
            "return size < 0",
        ),
        Mutant("files/tar_archive.py", "        if size > _MOST_HEADER:", "        if size < 0:"),
        Mutant("files/nesting.py", "    _check_depth(value)\n", ""),
    ),
    "G4": (
        Mutant(
            "files/environment.py",
            "_numbers(installed) < _numbers(floor):",
            "_numbers(installed) == _numbers(floor):",
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
    "G6": (
        Mutant(
            "data/archives.py",
            'if b".." in parts or member.name.startswith(b"/")',
            'if member.name.startswith(b"/")',
        ),
        Mutant(
            "data/huggingface.py",
            "        if not any(os.path.commonpath([root, real]) == root for root in roots):",
            "        if not roots:",
        ),
        Mutant(
            "files/links.py",
            "            if _is_link(place) and not (",
            "            if place.is_fifo() and not (",
        ),
    ),
    "G7": (
        Mutant(
            "web/security.py",
            "    if token is None and not is_loopback(host):",
            "    if token is None and not host:",
        ),
        Mutant(
            "web/server.py",
            "socket.create_server((host, FIRST_PORT",
            'socket.create_server(("", FIRST_PORT',
        ),
        Mutant(
            "web/security.py",
            "        if not (slash and hmac.compare_digest(given, self._access.token.encode())):",
            "        if not (slash and len(given) >= len(self._access.token)):",
        ),
    ),
    "G8": (
        Mutant(
            "web/security.py",
            'if origin is not None and origin.decode("latin-1").lower() != f"http://{host}":',
            'if origin == b"null":',
        ),
        Mutant(
            "web/security.py",
            "        if name in _LOOPBACK or name in",
            '        if "." in name or name in _LOOPBACK or name in',
        ),
        Mutant("web/security.py", "            if origin is None:", "            if host is None:"),
        Mutant(
            "web/security.py",
            "            if kind not in _BODY_TYPES:",
            '            if kind == b"text/html":',
        ),
    ),
    "G9": (
        Mutant("web/curves.py", "        refuse_links(layout.root, path)\n", ""),
        Mutant(
            "web/curves.py",
            "    if not content.startswith(_PNG):",
            "    if not content:",
        ),
    ),
    "G10": (
        Mutant(
            "web/security.py",
            "                if len(body) > most:",
            "                if most < 0:",
        ),
        Mutant(
            "web/security.py",
            "        async with asyncio.timeout(BODY_SECONDS):",
            "        async with asyncio.timeout(None):",
        ),
        Mutant(
            "web/server.py",
            "            if len(self.connections) > MOST_CONNECTIONS:",
            "            if len(self.connections) < 0:",
        ),
        Mutant(
            "web/server.py",
            "            self._stuck = self.loop.call_later(WRITE_SECONDS, self.transport.abort)",
            "            self._stuck = None",
        ),
        Mutant(
            "web/pictures.py",
            "        if width * height > MOST_PIXELS:",
            "        if width * height < 0:",
        ),
    ),
    "G11": (
        Mutant(
            "web/security.py",
            "script-src 'self'; style-src",
            "script-src 'self' 'unsafe-inline'; style-src",
        ),
        Mutant("web/security.py", '    (b"x-content-type-options", b"nosniff"),\n', ""),
        Mutant(
            "files/names.py",
            'return "".join(_printable(c) for c in text)',
            "return text",
        ),
        Mutant(
            "files/environment.py",
            '        "argv": sys.argv[1:],\n',
            '        "argv": sys.argv[1:],\n        "variables": dict(os.environ),\n',
        ),
    ),
    "H2": (
        Mutant(
            "files/atomic.py",
            "            os.close(descriptor)\n        file.reach",
            "            pass\n        file.reach",
        ),
    ),
    "H3": (
        Mutant(
            "training/loop.py",
            "feed.with_seed(state.noise_seed(config.seed))",
            "feed.with_seed(id(state) % 2**31)",
        ),
    ),
    "H4": (
        Mutant(
            "losses.py",
            "F.relu(1 - real).mean() + F.relu(1 + fake).mean()",
            "F.relu(1 - real).mean() + 1.0001 * F.relu(1 + fake).mean()",
        ),
    ),
    "H5": (
        Mutant(
            "files/environment.py",
            '"processor_features", "threads", "device"',
            '"processor_features", "device"',
        ),
    ),
}
