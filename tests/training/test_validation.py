"""A method that needs labels says what it saw in their place."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ssgan.data.crops import Crops
from ssgan.data.dataset import Dataset
from ssgan.data.folder import Folder
from ssgan.runs.config import DataConfig
from ssgan.training.validation import check_labels, dataset_warnings
from ssgan.types import UserError
from tests.training.tiny import tiny


def refusal(root, names):
    """What a conditional run on these images is told."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(root / name)
    source = Folder(str(root))
    config = tiny("conditional", data=DataConfig(source=source, image_size=32))
    with pytest.raises(UserError) as caught:
        check_labels(config, len(source.open().classes()))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "found", "seen"),
    [
        (
            ["all/cat/1.png", "all/dog/2.png"],
            "has one class: use",
            "; all images are one level deeper, below all, so there is one class; to use "
            "its 2 folders as classes give folder:{root}/all",
        ),
        (
            ["cat/1.png", "dog/2.png", "stray.png"],
            "has none: use",
            "; 1 image beside the 2 folders (the first: stray.png), so there are no labels: for "
            "classes, put every image into the folder of its class",
        ),
        (
            ["cat/1.png", "cat/2.png"],
            "has one class: use",
            "; all images are in one folder, cat, so there is one class; methods that use labels "
            "need two or more",
        ),
        (["1.png"], "has none: use", ", or a method without labels"),
    ],
)
def test_the_refusal_says_what_the_layout_was_seen_to_be(names, found, seen, tmp_path):
    said = refusal(tmp_path, names)
    assert said.startswith(f"ConditionalGAN needs labels, and folder:{tmp_path} {found}")
    assert said.endswith(seen.format(root=tmp_path))


def test_a_folder_that_has_gone_is_not_what_is_told(tmp_path):
    config = tiny(
        "conditional", data=DataConfig(source=Folder(str(tmp_path / "gone")), image_size=32)
    )
    with pytest.raises(UserError, match=r"has one class.*or a method without labels$"):
        check_labels(config, 1)


def few(count, views=1, duplicates=0, *, is_new=True, **changes):
    """What a run on so many images is told of their number."""
    folder = Folder("photos")
    source = Crops(folder, views) if views > 1 else folder
    config = replace(tiny("gan"), data=DataConfig(source=source, image_size=32), **changes)
    images = np.zeros((count, 8, 8, 3), np.uint8)
    dataset = Dataset(images, None, (), "0" * 64, {"duplicates": duplicates})
    said = dataset_warnings(config, dataset, is_new=is_new)
    return [text for text in said if "memorise" in text]


def test_a_new_run_on_few_pictures_is_told_once_what_to_expect():
    (line,) = few(12)
    assert line.startswith("12 different pictures are few: expect D to memorise them")
    assert "--augment true delays that" in line
    assert "\n" not in line
    (line,) = few(40, augment=True)
    assert "augment, which is on, delays that" in line
    assert few(12, is_new=False) == []
    assert few(1000) == []
    assert few(999)


def test_crops_and_copies_are_no_more_pictures():
    assert few(2000, views=4)[0].startswith("500 different pictures")
    assert few(4000, views=4) == []
    assert few(1200, duplicates=1160)[0].startswith("40 different pictures")
    assert few(40, duplicates=39)[0].startswith("1 picture is few")
