"""A folder of pictures with faults, and what the pages must not do."""

import shutil
from pathlib import Path

from tests.data.pictures import noise


def write_photos(root: Path) -> Path:
    """Two classes, one copy across them, one broken file and one wide picture."""
    for name in ("cats", "dogs"):
        (root / name).mkdir(parents=True)
        for k in range(4):
            noise(k + 10 * (name == "dogs"), 40, 40).save(root / name / f"{k}.png")
    shutil.copy(root / "cats" / "0.png", root / "dogs" / "same.png")
    noise(99, 90, 40).save(root / "dogs" / "<wide>.jpg")
    (root / "dogs" / "broken.png").write_bytes(b"")
    return root


def has_only_its_own_content(page: Path) -> bool:
    """Whether nothing on a page comes from outside, and no name became an element."""
    html = page.read_text(encoding="utf-8")
    outside = any(word in html for word in ("http:", "https:", "//cdn", 'src="/', "<script src"))
    return not outside and "<wide>" not in html
