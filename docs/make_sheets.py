"""Draw `images/objects.png` and `images/scenes.png`, a row a kind. Run: python make_sheets.py"""

from pathlib import Path

import numpy as np
from PIL import Image

from ssgan.data.base import Preprocessing
from ssgan.data.scenes.source import Objects, RenderedSource, Scenes
from ssgan.types import ImageShape

COLUMNS = 12


def sheet(source: type[RenderedSource], size: int, seed: int = 0) -> Image.Image:
    """Ten rows of COLUMNS pictures of `size` pixels, two white pixels apart."""
    collection = source(num_images=10 * COLUMNS, seed=seed).open()
    preprocessing = Preprocessing(shape=ImageShape(channels=3, size=size))
    pictures = np.stack(list(collection.read(range(len(collection)), preprocessing)))
    order = np.argsort(collection.labels(), kind="stable")
    framed = np.pad(pictures[order], ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
    rows = framed.reshape(10, COLUMNS, size + 2, size + 2, 3).swapaxes(1, 2)
    return Image.fromarray(rows.reshape(10 * (size + 2), -1, 3))


if __name__ == "__main__":
    for source in (Objects, Scenes):
        picture = sheet(source, size=64)
        picture.save(Path(__file__).parent / "images" / f"{source.kind}.png", optimize=True)
