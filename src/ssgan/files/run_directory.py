"""The name of every file in a run directory. Format version 1."""

import os
import re
from pathlib import Path

FORMAT_VERSION = 1
_OLD_SNAPSHOTS = "kept"  # where runs of ssgan 0.1 have their snapshots
_STATES = ("checkpoints", "snapshots", _OLD_SNAPSHOTS, "healthy", "best")  # folders with states
_STEP = re.compile(r"step-\d{8,}")  # other names are the user's own copies: never read or pruned


class RunDirectory:
    """Paths within one run directory; nothing is created."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config.json"
        self.environment = root / "environment.json"
        self.manifest = root / "manifest.json"
        self.lock = root / ".lock"
        self.log = root / "log.jsonl"
        self.metrics = root / "metrics.jsonl"
        self.events = root / "events.jsonl"
        self.samples = root / "samples"
        self.checkpoints = root / "checkpoints"
        self.snapshots = root / "snapshots"
        self._old_snapshots = root / _OLD_SNAPSHOTS
        self.best = root / "best"
        self.healthy = root / "healthy"
        self.evaluation = root / "evaluation"
        self.tensorboard = root / "tensorboard"
        self.tracker = root / "tracker.json"
        self.wandb = root / "wandb"
        self.report = root / "report.html"

    def sample(self, step: int) -> Path:
        """The sample sheet drawn after that step."""
        return self.samples / f"step-{step:08d}.png"

    def checkpoint(self, step: int) -> Path:
        """The checkpoint written after that step."""
        return self.checkpoints / f"step-{step:08d}.ckpt"

    def snapshot(self, step: int) -> Path:
        """D and the averaged G after that step, never pruned: to probe and to sample from.

        Its path in the old folder where a run of ssgan 0.1 has written it there.
        """
        name = f"step-{step:08d}.ckpt"
        old = self._old_snapshots / name
        return old if old.exists() else self.snapshots / name

    def best_checkpoint(self) -> Path:
        """The averaged G with the best score so far."""
        return self.best / "best.ckpt"

    def healthy_checkpoint(self, step: int) -> Path:
        """The checkpoint of that step, which stays because the run was healthy."""
        return self.healthy / self.checkpoint(step).name

    def features(self, step: int) -> Path:
        """D's features of the fixed images after that step."""
        return self.evaluation / f"step-{step:08d}.npz"

    def real_statistics(self, features: str) -> Path:
        """Moments of the real images that scores on such trained features compare with."""
        return self.evaluation / f"real-{features}.npz"

    def checkpoint_files(self) -> list[Path]:
        """All checkpoints, newest first."""
        return list_step_files(self.checkpoints, "ckpt")[::-1]

    def shard_folders(self) -> list[Path]:
        """The checkpoints that are in parts, newest first."""
        return list_step_files(self.checkpoints, "shards")[::-1]

    def healthy_shards(self) -> list[Path]:
        """The same in healthy/: at most one, and two for an instant."""
        return list_step_files(self.healthy, "shards")[::-1]

    def snapshot_files(self) -> list[Path]:
        """All snapshots, newest first, those in the old folder included."""
        folders = self._snapshot_folders()
        files = [path for folder in folders for path in list_step_files(folder, "ckpt")]
        return sorted(files, key=parse_step, reverse=True)

    def written_folders(self) -> list[Path]:
        """The folders in which a killed run may have left temporary files."""
        own = (self.root, self.checkpoints, self.best, self.healthy, self.samples, self.evaluation)
        return [*own, *self._snapshot_folders()]

    def written_names(self) -> list[Path]:
        """Every file and folder at the top of a run directory that a run writes."""
        return [path for path in vars(self).values() if path != self.root]

    def _snapshot_folders(self) -> tuple[Path, Path]:
        return self.snapshots, self._old_snapshots

    def newest_sample(self) -> Path | None:
        """The sheet of the latest step; None when there is none yet."""
        return max(list_step_files(self.samples, "png"), key=parse_step, default=None)

    def feature_files(self) -> list[Path]:
        """D's features of all evaluations, oldest first."""
        return list_step_files(self.evaluation, "npz")

    def holds_run(self) -> bool:
        """Whether there is a run to continue, sample from or evaluate."""
        return self.config.exists() or bool(self.checkpoint_files())


class ForgettingDirectory:
    """Paths within the directory of one forgetting study; nothing is created."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.study = root / "forgetting.json"  # the settings, the classes and the data
        self.log = root / "forgetting.jsonl"  # one measurement a line
        self.state = root / "forgetting.ckpt"
        self.environment = root / "environment.json"
        self.lock = root / ".lock"
        self.picture = root / "forgetting.png"

    def written_names(self) -> list[Path]:
        """Every file that a forgetting study writes."""
        return [path for path in vars(self).values() if path != self.root]


def find_run_of(checkpoint: Path) -> Path | None:
    """The run directory of a checkpoint file, by its folder's name; None: in no run."""
    folder = checkpoint.parent if checkpoint.parent.name else checkpoint.absolute().parent
    return folder.parent if folder.name in _STATES else None


def run_name(checkpoint: Path) -> str:
    """The name of that directory; for a file that is in no run its own, without the ending.

    It is valid text in every locale; bytes that are no UTF-8 are escaped.
    """
    run = find_run_of(checkpoint)
    name = checkpoint.stem if run is None else run.resolve().name
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def list_step_files(folder: Path, ending: str) -> list[Path]:
    """The files in a folder that are named after a step, oldest first; others are the user's."""
    files = [path for path in folder.glob(f"step-*.{ending}") if _STEP.fullmatch(path.stem)]
    return sorted(files, key=parse_step)


def parse_step(path: Path) -> int:
    """The step in a sample's or checkpoint's name."""
    return int(path.stem.removeprefix("step-"))
