"""Images and classes of any name are trained on, and every file of the run can be read."""

import json
import os
import shutil

import pytest

from ssgan.cli.main import main
from tests.cli.test_main import TINY
from tests.data.pictures import write_images

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows allows few of these names")

NAMES = [
    "Käfer \N{LATIN SMALL LETTER E WITH ACUTE}".encode(),
    "ka\N{COMBINING DIAERESIS}fer".encode(),  # not composed
    "\N{HIRAGANA LETTER A}".encode(),
    b"\xff\xfe not utf-8",
    b"two\nlines",
    b"-starts with a dash",
    b"--help",
    b"\x1b[31m red \x07",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.x".encode(),
    b"<img src=x onerror=alert(1)>",
    b"%s %d {name}",
    b"a" * 250,
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two images a class, and a class a name; the names of the images are as odd."""
    root = tmp_path_factory.mktemp("photos")
    write_images(root / "plain", range(2 * len(NAMES)), size=32)
    pictures = sorted((root / "plain").iterdir())
    target = os.fsencode(root / "odd")
    for number, name in enumerate(NAMES):
        folder = os.path.join(target, name)
        os.makedirs(folder)
        for picture, ending in zip(pictures[2 * number :], (b".PNG", b".png"), strict=False):
            shutil.copy2(picture, os.path.join(folder, name[:240] + ending))
    return root / "odd"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["GAN", "ConditionalGAN"])
def test_a_run_uses_all_of_them_and_its_files_are_clean_text(method, photos, tmp_path, capsys):
    run = tmp_path / "run"
    norm = ["--generator.norm", "ConditionalBatchNorm"] if method == "ConditionalGAN" else []
    words = ["train", "--data", f"folder:{photos}", "--run", str(run), "--method", method, *norm]
    assert main([*words, *TINY, "--data.image_size", "32", "--evaluate.every", "0"]) == 0
    manifest = json.loads((run / "manifest.json").read_text(encoding="ascii"))
    assert manifest["num_images"] == 2 * len(NAMES)
    assert manifest["rejected"] == []
    assert len(manifest["classes"]) == len(NAMES)
    for path in run.rglob("*.json*"):
        text = path.read_text(encoding="utf-8")
        assert "\x1b" not in text, path
    out = capsys.readouterr().out
    assert not any(ord(c) < 32 and c not in "\n\r\t" for c in out.replace("\x1b[", ""))
