"""A run whose prepared images are damaged while it trains ends in one line and goes on later."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.cli.main import main
from ssgan.files.run_directory import RunDirectory
from tests.training.harness import run_code

pytestmark = pytest.mark.slow

_TRAIN = """
import os, sys
from pathlib import Path
from ssgan.cli.main import main
from ssgan.training import run as module

damage = sys.argv[1]
real = module.RunReport
def report(step, *facts):
    (images,) = Path("cache").glob("*/images.npy")
    if step == 2 and damage == "cut":
        os.truncate(images, 1000)
    elif step == 2 and damage == "zeros":
        size = images.stat().st_size
        with images.open("r+b") as file:
            file.seek(128)
            file.write(bytes(size - 128))
    return real(step, *facts)
module.RunReport = report
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_damage_in_use_ends_with_a_line_and_the_same_command_continues(
    tmp_path: Path, damage: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(40):
        pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    words = [
        *("train", "--data", "photos", "--run", "r", "--cache", "cache", "--total_steps", "4"),
        *("--batch_size", "4", "--generator.width", "0.05", "--discriminator.width", "0.05"),
        *("--output.checkpoint_every", "1", "--output.tensorboard", "false"),
        *("--evaluate.every", "0"),
    ]
    ended = run_code(_TRAIN, (damage, *words), tmp_path, {})
    assert ended.returncode == 2
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("ssgan: ")
    assert "it changed while it was in use; the same command" in last
    assert "Traceback" not in ended.stderr
    assert main(words) == 0
    assert "the prepared images are damaged and prepared again" in "".join(capfd.readouterr().err)
    assert RunDirectory(Path("r")).checkpoint(4).exists()


def test_verify_is_an_option_of_every_verb_that_prepares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads all blocks: shown with damage that a start would find in use only."""
    from ssgan.data import pixel_file

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pixel_file, "_BLOCK_BYTES", 3072)
    monkeypatch.setattr(pixel_file, "WHOLE_BYTES", 1)
    monkeypatch.setattr(pixel_file, "_SAMPLED", 0)
    words = ["data", "prepare", "scenes:num_images=40", "--size", "32", "--cache", "cache"]
    assert main(words) == 0
    (images,) = Path("cache").glob("*/images.npy")
    right = images.read_bytes()
    wrong = bytearray(right)
    wrong[128 + 20 * 3072] ^= 1
    scenes = "scenes:num_images=40"
    cache = ["--cache", "cache", "--verify"]
    train = ["train", "--data", scenes, "--run", "r", "--total_steps", "1", "--batch_size", "4"]
    train += ["--generator.width", "0.05", "--discriminator.width", "0.05"]
    train += ["--evaluate.every", "0", "--data.image_size", "32"]
    for verb in (
        words[:-2],
        train,
        ["evaluate", scenes, "--against", scenes, "--features", "random", "--size", "32"],
        ["probe", "r", "--data", scenes, "--fractions", "1"],
        ["features", "r", "--data", scenes, "--out", "f.npz"],
        [
            *("forget", "--data", scenes, "--test", scenes, "--out", "g", "--cycles", "1"),
            *("--iterations-per-task", "1", "--width", "0.05", "--batch", "4"),
        ],
    ):
        images.write_bytes(wrong)
        main([*verb, *cache])
        assert images.read_bytes() == right, verb
