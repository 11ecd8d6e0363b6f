"""docs/extending.md: its blocks make one file, whose recipe trains and whose metric measures."""

import importlib
import json
import re
from pathlib import Path

import pytest
import torch

from ssgan.cli.main import main
from ssgan.metrics.features import RandomFeatures

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
SMALL = "--total_steps 2 --batch_size 4 --discriminator.width 2 --generator.width 0.015625"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (folder / "my_gan.py").write_text("\n\n".join(blocks), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        yield folder


@pytest.fixture(scope="module")
def run(folder):
    words = ["train", "my_gan:flip_gan", "--run", "run", "--trust", "my_gan", *SMALL.split()]
    assert main([*words, "--evaluate.every", "0", "--data.source.num_images", "8"]) == 0
    return folder / "run"


def test_the_recipe_trains_with_the_method_the_loss_the_network_and_the_source(run):
    config = json.loads((run / "config.json").read_text())
    kinds = [config["method"]["kind"], config["method"]["adversarial"]["kind"]]
    kinds += [config["discriminator"]["kind"], config["data"]["source"]["kind"]]
    names = ["FlipGAN", "SoftHinge", "SmallDiscriminator", "Stripes"]
    assert kinds == [f"my_gan:{name}" for name in names]


def test_the_method_s_terms_are_logged(run):
    row = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert {"D/flip", "G/flip", "D/adversarial"} <= set(row)


def test_a_command_that_reads_the_run_needs_the_module_to_be_trusted(run, capsys):
    assert main(["sample", "run", "--n", "2", "--out", "samples"]) == 2
    assert "--trust my_gan" in capsys.readouterr().err
    assert main(["sample", "run", "--n", "2", "--out", "samples", "--trust", "my_gan"]) == 0


def test_the_metric_measures_features(folder):
    module = importlib.import_module("my_gan")
    rows = RandomFeatures()(torch.arange(3 * 16 * 16 * 8).reshape(8, 3, 16, 16).to(torch.uint8))
    assert module.mean_shift(rows, rows) == 0
    assert module.mean_shift(rows, rows + 1) == pytest.approx(rows.shape[1] ** 0.5)
