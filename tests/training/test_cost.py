"""The disk that a run takes is known before any step, all of its states included."""

import os
import re
import subprocess
import sys

import pytest
import torch

from ssgan.files.run_directory import RunDirectory
from ssgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.models.sndcgan import SNDCGANDiscriminator, SNDCGANGenerator
from ssgan.runs.checkpoint import keep_healthy
from ssgan.runs.state import fresh_state
from ssgan.training.cost import RunCost, RunDisk, estimate_disk
from ssgan.training.run import run
from tests.training.tiny import evaluating, images, tiny, with_output


def sizes(root):
    return {path: path.stat().st_size for path in root.rglob("*.ckpt")}


def test_a_run_takes_what_was_foretold_with_its_best_and_its_healthy_state(tmp_path):
    config = evaluating(
        with_output(
            tiny(
                generator=ResNetGenerator(width=1 / 8, latent_size=8),
                discriminator=ResNetDiscriminator(width=1 / 4),
                total_steps=8,
            ),
            checkpoint_every=2,
            snapshot_every=2,
        ),
        every=4,
    )
    layout, dataset = RunDirectory(tmp_path / "run"), images()
    for report in run(config, layout.root, dataset):
        if report.step == 2:
            healthy = keep_healthy(layout, report.checkpoint)
    foretold = estimate_disk(config, fresh_state(config, dataset.num_classes, torch.device("cpu")))
    found = sizes(layout.root)
    assert healthy in found  # one that checkpoints/ has no more, so that it takes room of its own
    assert len(found) == 2 + 1 + 4 + 1
    assert found[healthy] == pytest.approx(foretold.checkpoint, rel=0.05)
    snapshots = sum(found[path] for path in layout.snapshot_files())
    assert snapshots == pytest.approx(foretold.snapshots, rel=0.05)
    assert sum(found.values()) + foretold.sheets == pytest.approx(foretold.done, rel=0.05)
    assert foretold.peak == foretold.done + foretold.checkpoint


FAMILIES = {
    "small": {},
    "sndcgan": {
        "generator": SNDCGANGenerator(width=1 / 32),
        "discriminator": SNDCGANDiscriminator(width=1 / 32),
    },
    "biggan": {
        "generator": BigGANGenerator(width=1 / 32),
        "discriminator": BigGANDiscriminator(width=1 / 32),
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_bytes_of_every_file_of_states_are_known_within_5_percent(family, tmp_path):
    """Of networks whose tensors are as small as what the files hold beside them."""
    config = with_output(tiny("gan", total_steps=1, **FAMILIES[family]), snapshot_every=1)
    config, dataset = evaluating(config, every=1), images()
    layout = RunDirectory(tmp_path / "run")
    for _ in run(config, layout.root, dataset):
        pass
    foretold = estimate_disk(config, fresh_state(config, dataset.num_classes, torch.device("cpu")))
    (newest,), (snapshot,) = layout.checkpoint_files(), layout.snapshot_files()
    best = layout.best_checkpoint().stat().st_size
    assert newest.stat().st_size == pytest.approx(foretold.checkpoint, rel=0.05)
    assert snapshot.stat().st_size == pytest.approx(foretold.snapshots, rel=0.05)
    states = 3 * foretold.checkpoint + foretold.snapshots
    assert best == pytest.approx(foretold.done - states - foretold.sheets, rel=0.05)


def command(words, cwd):
    """Its output, and the peak of its memory in GB."""
    call = [sys.executable, "-m", "ssgan", *words]
    environment = {**os.environ, "SSGAN_CACHE": str(cwd / "cache")}
    with subprocess.Popen(call, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True) as job:
        printed = job.stdout.read()
        _, status, usage = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
    assert job.returncode == 0
    return printed, usage.ru_maxrss * (1024 if sys.platform == "linux" else 1) / 1e9


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no peak of memory there")
def test_a_dry_run_foretells_steps_files_disk_and_memory_of_five_steps(tmp_path):
    words = [
        "train", "scenes:ssgan", "--data", "scenes:num_images=40", "--run", "run",
        "--device", "cpu", "--evaluate.images", "16", "--evaluate.num_images_d", "16",
        "--generator.width", "0.25", "--discriminator.width", "0.25", "--batch_size", "8",
        "--total_steps", "5", "--output.checkpoint_every", "1", "--output.snapshot_every", "2",
        "--output.sample_every", "2", "--output.sample_rows", "2", "--evaluate.every", "2",
    ]  # fmt: skip
    said, _ = command([*words, "--dry-run"], tmp_path)
    assert list(tmp_path.iterdir()) == []
    _, peak = command(words, tmp_path)
    sizes = {path: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    run_files = {
        path: size for path, size in sizes.items() if path.is_relative_to(tmp_path / "run")
    }

    def number(pattern):
        return float(re.search(pattern, said)[1])

    each = number(r"checkpoints ([\d.]+) MB each") * 1e6
    newest = (tmp_path / "run" / "checkpoints" / "step-00000005.ckpt").stat().st_size
    assert newest == pytest.approx(each, rel=0.05)
    healthy = not any("healthy" in path.parts for path in run_files)  # none was kept so early
    most = number(r"at most ([\d.]+) MB") * 1e6
    # one checkpoint more while it is written, and one that stays if the run is found healthy
    assert sum(run_files.values()) == pytest.approx(most - (1 + healthy) * each, rel=0.05)
    assert f"{number(r'the run +([0-9]+) steps'):g}" == "5"
    steps = sorted(path.name for path in run_files if path.parent.name == "samples")
    assert steps == [f"step-0000000{k}.png" for k in (2, 4, 5)]
    files = number(r"([0-9]+) files")
    assert files - 4 <= len(run_files) <= files
    memory, more = number(r"memory +([\d.]+) GB"), number(r"up to ([\d.]+) GB more")
    assert memory - 0.02 <= peak <= memory + more


def test_the_cost_of_a_short_run_is_in_minutes():
    """Not "0.1 hours"."""
    disk = RunDisk(1, 1, 1, 1, 1)
    cost = RunCost(1, 1, 1.0, 1, 1.0, 0.72, 500, 64, 0, disk, 1, 1, "", "", "")
    assert "500 steps, about 6 minutes\n" in cost.text()
