"""Kill runs at random instants and at every point of a save; is anything ever lost?

    OMP_NUM_THREADS=1 python benchmarks/kill_harness.py --runs 25 [--seed 0] [--json FILE]

Exit code 1 when a run ended with other bits than the one that nobody killed, or when fewer than
half of the random kills found their run with something to do.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ssgan.runs.config import RunConfig
from tests.training import harness
from tests.training.harness import Tally
from tests.training.tiny import METHODS, evaluating, images, tiny, with_output

STEPS = 12  # of a randomly killed run; it saves after every one
POINT = "every point"


def config_of(name: str, steps: int) -> RunConfig:
    return with_output(tiny(name, total_steps=steps), checkpoint_every=1)


def random_tallies(folder: Path, runs: int, seed: int) -> dict[str, Tally]:
    """The runs dealt out over the methods, in turn."""
    dataset = images()
    tallies = {}
    for number, name in enumerate(METHODS):
        share = len(range(number, runs, len(METHODS)))
        if share:
            config, place = config_of(name, STEPS), folder / name
            tallies[name] = harness.random_kills(config, place, dataset, share, seed + number)
            print(f"{name:16} {tallies[name]}", flush=True)
    return tallies


def point_tally(folder: Path) -> Tally:
    """Every point of the saves of three steps, and of the best."""
    config, dataset = evaluating(config_of("rotation-only", 3), every=3), images()
    points = harness.points_of(config, folder / "listed", dataset)
    return harness.kills_at_points(config, folder, dataset, range(len(points)), points)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=int, default=25, help="randomly killed runs, over all methods"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'':16} {'runs':>6} {'kills':>6} {'landed':>8} {'equal':>7}")
        tallies = random_tallies(Path(folder), options.runs, options.seed)
        total = Tally()
        for tally in tallies.values():
            total += tally
        tallies["all, at random"] = total
        print(f"{'all, at random':16} {total}", flush=True)
        tallies[POINT] = point_tally(Path(folder) / "points")
        print(f"{POINT:16} {tallies[POINT]}")
    if options.json is not None:
        rows = {name: asdict(tally) for name, tally in tallies.items()}
        options.json.write_text(json.dumps({"seed": options.seed, **rows}, indent=2) + "\n")
    lost = [name for name, tally in tallies.items() if tally.equal != tally.runs]
    missed = total.landed * 2 < total.sent
    if lost or missed:
        print(f"FAILED: other bits in {lost}" if lost else "FAILED: too few kills landed")
    return 1 if lost or missed else 0


if __name__ == "__main__":
    sys.exit(main())
