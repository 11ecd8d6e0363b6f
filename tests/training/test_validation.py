"""A method that needs labels says what it saw in their place."""

import pytest
from PIL import Image

from ssgan.data.folder import Folder
from ssgan.runs.config import DataConfig
from ssgan.training.validation import check_labels
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
