"""A long run of mixed faults: does `ssgan train`, typed again and again, lose anything?

    OMP_NUM_THREADS=1 python benchmarks/soak.py [--faults 100] [--minutes M] [--out FILE.json]

Runs of small networks on a folder of images meet faults of every kind of `faults.py` in a seeded
order, at seeded instants. After each the same command is run, and nothing else is done. When a run
is at its last step its state, its logs and whatever else it keeps must be those of a run that
nobody disturbed. Exit code 1 when they are not, when a command ended in a way that is not
documented, or when fewer than half of the faults landed. With --plant something is broken that no
run can mend, and the exit code must be 1. Linux only.
"""

import argparse
import hashlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image

from benchmarks.faults import FAULTS, PLANTS, SoakedRun
from ssgan.data.prepare import prepare
from ssgan.files.environment import describe_environment
from ssgan.files.run_directory import parse_step
from ssgan.runs import checkpoint, config_io
from ssgan.training.resume import read_run_config
from tests.training.harness import check_whole, wait_for
from tests.training.tiny import digest_of, images, rows_of, stop_after

STEPS = 120  # of each run
SETTINGS = [
    *("--device", "cpu", "--precision", "float32", "--batch_size", "8"),
    *("--generator.width", "0.015625", "--discriminator.width", "0.03125"),
    *("--generator.latent_size", "8", "--output.log_every", "1", "--output.checkpoint_every", "5"),
    # with beta1 0 no step reads Adam's stored mean, and damage there would have no effect
    *("--generator_optimizer.beta1", "0.5", "--discriminator_optimizer.beta1", "0.5"),
    *("--output.sample_every", "10", "--output.sample_rows", "2", "--output.snapshot_every", "20"),
    *("--evaluate.every", "10", "--evaluate.images", "16", "--evaluate.num_images_d", "8"),
]


@dataclass
class Count:
    sent: int = 0
    landed: int = 0


@dataclass
class Soak:
    """What came of it."""

    seed: int
    steps: int  # of each run
    runs: int = 0
    equal: int = 0  # runs that ended as the undisturbed one did
    commands: int = 0  # times that the command was started
    digest: str = ""  # of the undisturbed run's last state
    faults: dict[str, Count] = field(default_factory=lambda: {name: Count() for name in FAULTS})
    differences: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return sum(count.sent for count in self.faults.values())

    @property
    def landed(self) -> int:
        return sum(count.landed for count in self.faults.values())


def outcome(run: SoakedRun) -> dict[str, Any]:
    """Everything that a finished run leaves and a fault may not change, by what it is called."""
    layout = run.layout
    config = read_run_config(layout)
    assert config is not None
    check_whole(config, layout.root)
    saved, passed_over = checkpoint.load_newest(layout)
    assert saved is not None, "no checkpoint is whole"
    assert saved.step == run.steps, f"the newest checkpoint is of step {saved.step}"
    assert not passed_over, passed_over
    read = {
        path: checkpoint.load_checkpoint(path)
        for path in (layout.best_checkpoint(), *layout.snapshot_files())
    }
    logs = {path.name: path for path in (layout.log, layout.metrics, layout.events)}
    return {
        "state": digest_of(saved),
        "best": digest_of(read.pop(layout.best_checkpoint())),
        "kept": {parse_step(path): digest_of(kept) for path, kept in read.items()},
        "samples": {path.name: _sha256(path) for path in layout.samples.iterdir()},
        **{name: rows_of(path) if path.exists() else [] for name, path in logs.items()},
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def undisturbed(run: SoakedRun) -> dict[str, Any]:
    """Its outcome; it must succeed. The instants of faults are drawn by the time it takes."""
    begun = time.monotonic()
    wait_for(run.start(), run.layout.log, 1)
    first = time.monotonic()
    run.end()
    SoakedRun.start_seconds = first - begun
    SoakedRun.step_seconds = (time.monotonic() - first) / run.steps
    return outcome(run)


class Ground:
    """Where runs are soaked: a folder of images, and what an undisturbed run comes to."""

    def __init__(self, folder: Path, steps: int = STEPS, forked: bool = False) -> None:
        self.folder, self.steps, self.forked = folder, steps, forked
        (folder / "images").mkdir()
        for number, pixels in enumerate(images().images):
            Image.fromarray(pixels).save(folder / "images" / f"{number:02}.png")
        first = self.new_run("reference")
        self.expected = undisturbed(first)
        if forked:
            self._warm_up(first)
        again = compare(self.expected, undisturbed(self.new_run("reference-again")))
        assert not again, f"two undisturbed runs differ in {again}"

    def new_run(self, name: str) -> SoakedRun:
        images = self.folder / "images"
        return SoakedRun(self.folder / name, images, SETTINGS, self.steps, self.forked)

    def _warm_up(self, reference: SoakedRun) -> None:
        """Take the first steps here, so that forked commands find everything imported."""
        config = read_run_config(reference.layout)
        assert config is not None
        dataset = prepare(config.data.source, config.data.preprocessing, self.folder / "cache")
        stop_after(config, self.folder / "warm", dataset, 10)


def dealt(draw: random.Random) -> Iterator[str]:
    """Kinds of faults, each as often as any other."""
    while True:
        yield from draw.sample(list(FAULTS), len(FAULTS))


def soak(
    ground: Ground,
    seed: int,
    faults: int,
    seconds: float = float("inf"),
    plant: str | None = None,
) -> Soak:
    """Send so many faults, or as many as there is time for, to one run after another."""
    until, draw = time.monotonic() + seconds, random.Random(seed)
    found, kinds = Soak(seed, ground.steps, digest=ground.expected["state"]), dealt(draw)
    while found.sent < faults and time.monotonic() < until:
        run = ground.new_run(f"seed-{seed}-{plant}-{found.runs}")
        try:
            while plant is not None and not PLANTS[plant](run, draw):
                pass
            while not run.done and found.sent < faults and time.monotonic() < until:
                _hurt(run, next(kinds), draw, found)
            run.start()
            run.end()
            wrong = compare(ground.expected, outcome(run))
        except Exception as error:
            run.abandon()
            wrong = [f"{type(error).__name__}: {error}; the last command said: {run.said}"]
        found.runs += 1
        found.equal += not wrong
        found.commands += run.commands
        found.differences += [f"{run.layout.root}: {what}" for what in wrong]
        print(f"runs {found.runs}, equal {found.equal}, faults {found.sent}", flush=True)
    return found


def _hurt(run: SoakedRun, kind: str, draw: random.Random, found: Soak) -> None:
    count = found.faults[kind]
    count.sent += 1
    count.landed += FAULTS[kind](run, draw)


def compare(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """The names of what is not as it was expected."""
    return [name for name in expected if found[name] != expected[name]]


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the faults and their instants")
    parser.add_argument("--faults", type=int, help="how many (100, or with --minutes no limit)")
    parser.add_argument("--minutes", type=float, help="after which no more faults are sent")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each run")
    parser.add_argument(
        "--fork", action="store_true", help="commands as forks of this process: five times as many"
    )
    parser.add_argument("--plant", choices=PLANTS, help="break what no run can mend: must be seen")
    parser.add_argument("--out", type=Path, help="where to write the numbers")
    options = parser.parse_args(argv)
    if options.faults is None:
        options.faults = 100 if options.minutes is None else sys.maxsize
    return options


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    seconds = float("inf") if options.minutes is None else options.minutes * 60
    facts, begun = describe_environment("cpu", "float32"), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    ground = Ground(folder, options.steps, options.fork)
    found = soak(ground, options.seed, options.faults, seconds, options.plant)
    print(f"seed {found.seed}\n{'':28} {'sent':>6} {'landed':>6}")
    for kind, count in (*found.faults.items(), ("all", Count(found.sent, found.landed))):
        print(f"{kind:28} {count.sent:6} {count.landed:6}")
    print(f"{found.equal} of {found.runs} runs ended as the undisturbed one did")
    if options.out is not None:
        numbers = {"environment": facts, "seconds": time.monotonic() - begun, **asdict(found)}
        options.out.write_text(json.dumps(numbers, indent=2) + "\n")
    few = found.landed * 2 < found.sent
    if not found.differences:
        shutil.rmtree(folder)
    for reason in (*found.differences, *(["too few faults landed"] if few else [])):
        print(f"FAILED: {reason}")
    return 1 if found.differences or few else 0


assert config_io.REGISTRY  # imported so that any stored kind of setting can be read

if __name__ == "__main__":
    sys.exit(main())
