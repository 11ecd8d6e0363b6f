"""The disk that a run takes is known before any step, all of its states included."""

import torch

from ssgan.files.run_directory import RunDirectory
from ssgan.models.resnet import ResNetDiscriminator, ResNetGenerator
from ssgan.runs.checkpoint import keep_healthy
from ssgan.runs.state import fresh_state
from ssgan.training.cost import estimate_disk
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
    assert foretold.checkpoint < found[healthy] < 1.1 * foretold.checkpoint
    assert (
        foretold.snapshots
        < sum(found[path] for path in layout.snapshot_files())
        < 1.1 * foretold.snapshots
    )
    assert foretold.done < sum(found.values()) < 1.1 * foretold.done
    assert foretold.peak == foretold.done + foretold.checkpoint
