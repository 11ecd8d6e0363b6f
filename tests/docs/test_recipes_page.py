"""docs/recipes.md is generated from the recipes, and the commands of docs/datasets.md work."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.evaluation.probe.maps import grid_side
from ssgan.recipes.find import find_recipe, list_recipes
from tests.data.pictures import preprocessing

DOCS = Path(__file__).parents[2] / "docs"


def import_script(name):
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_recipes = import_script("make_recipes")
RecipeDocs, parse_docstring = make_recipes.RecipeDocs, make_recipes.parse_docstring


def test_the_page_is_what_the_recipes_say():
    """Otherwise run `python docs/make_recipes.py`."""
    assert make_recipes.PAGE.read_text(encoding="utf-8") == make_recipes.render_page()


def test_every_recipe_has_a_row_of_five_cells():
    rows = [
        line for line in make_recipes.render_page().splitlines() if line.startswith("| `ssgan ")
    ]
    assert len(rows) == len(list_recipes())
    assert {row.count("|") for row in rows} == {6}


def example():
    """SS-GAN somewhere,
    at some size.

        ssgan train mine:example --data folder:PATH

    Published: FID 1.5 +- 0.2 (Table 9). Cost: 10
    steps; D reads 3.5 images. Not run at this scale.
    """


def reported():
    """Mine.

        ssgan train mine:reported

    Published: none. Cost: one step. Run at this scale: docs/results/mine.md.
    """


def smaller():
    """Mine.

        ssgan train mine:smaller

    A word on it. Cost: two steps. Not run at this scale; at half its width, one seed:
    docs/results/mine.md.
    """


def test_a_docstring_is_read_part_by_part():
    assert parse_docstring(example) == RecipeDocs(
        "SS-GAN somewhere, at some size",
        "ssgan train mine:example --data folder:PATH",
        "FID 1.5 +- 0.2 (Table 9)",
        "10 steps; D reads 3.5 images",
        "Not run at this scale",
    )
    assert parse_docstring(reported) == RecipeDocs(
        "Mine",
        "ssgan train mine:reported",
        "none",
        "one step",
        "[results/mine.md](results/mine.md)",
    )


def test_results_of_a_smaller_run_are_not_those_of_the_recipe():
    assert parse_docstring(smaller) == RecipeDocs(
        "Mine",
        "ssgan train mine:smaller",
        "",
        "two steps",
        "Not run at this scale; at half its width, one seed: [results/mine.md](results/mine.md)",
    )


@pytest.mark.parametrize("name", list_recipes())
def test_a_bare_link_is_of_a_recipe_that_was_run_as_it_is(name):
    words = " ".join(find_recipe(name).__doc__.split())
    assert parse_docstring(find_recipe(name)).run.startswith("[") == (
        "Run at this scale: docs/" in words
    )
    assert ("docs/results" in words) <= ("at this scale" in words)


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_names_its_results_or_says_that_it_was_not_run(name):
    run = parse_docstring(find_recipe(name)).run
    if (page_of_results := re.search(r"\((.*)\)", run)) is not None:
        assert (DOCS / page_of_results.group(1)).exists()
    else:
        assert run == "Not run at this scale" or name.endswith(":demo")


def code_of(heading):
    text = (DOCS / "datasets.md").read_text(encoding="utf-8")
    return re.search(r"```python\n(.*?)```", text[text.index(heading) :], flags=re.DOTALL).group(1)


def write(folder, count, width=256, height=300):
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05}.png")


def test_the_last_images_by_name_are_held_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "celebahq" / "train", 12, 8, 8)
    exec(code_of("## Splits").replace("3000", "3"), {})
    kept, held_out = (
        sorted((tmp_path / "celebahq" / part).iterdir()) for part in ("train", "held-out")
    )
    assert [path.stem for path in held_out] == ["00009", "00010", "00011"]
    assert len(kept) == 9


def test_pictures_cut_for_lsun_are_the_centre_and_are_not_touched_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, part in enumerate(("train", "held-out")):
        write(tmp_path / "lsun" / part, 2 + number)
    exec(code_of("## LSUN"), {})
    for number, part in enumerate(("train", "held-out")):
        folder = Folder(str(tmp_path / "cut" / part))
        images = prepare(folder, preprocessing(128), tmp_path / "cache").images
        assert len(images) == 2 + number
        original = np.asarray(Image.open(tmp_path / "lsun" / part / "00001.png"))
        np.testing.assert_array_equal(images[1], original[86 : 86 + 128, 64 : 64 + 128])


def test_the_disk_that_a_probe_of_imagenet_takes():
    config = find_recipe("imagenet128:ssgan_sbn")()
    maps = [(64, 64), (128, 32), (256, 16), (256, 8), (512, 4), (512, 2)]  # channels, side
    D = config.discriminator.build(config.data.shape, 4, 0).eval()
    with torch.no_grad():
        outputs = D.block_outputs(torch.zeros(1, 3, 128, 128))
    assert [(out.shape[1], out.shape[-1]) for out in outputs] == maps
    text = (DOCS / "datasets.md").read_text(encoding="utf-8")
    for pooling, numbers, disk in (("grid", 30_720, "157 GB"), ("flat", 485_376, "2.5 TB")):
        assert sum(c * grid_side(pooling, c, side) ** 2 for c, side in maps) == numbers
        assert f"{numbers:,} numbers" in text
        assert disk in text
        scale, digits = {"GB": (1e9, 0), "TB": (1e12, 1)}[disk[-2:]]
        assert f"{4 * numbers * 1_281_167 / scale:.{digits}f}" == disk[:-3]


def test_every_recipe_and_page_that_the_data_page_names_is_there():
    text = (DOCS / "datasets.md").read_text(encoding="utf-8")
    for name in re.findall(r"ssgan train (\S+:\S+) ", text):
        find_recipe(name)
    for linked in re.findall(r"\]\(([^)]+)\)", text):
        assert (DOCS / linked).exists()
