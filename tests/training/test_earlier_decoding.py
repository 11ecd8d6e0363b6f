"""A run that began before profiles and ranges were read continues on the pixels it began with."""

from dataclasses import replace
from pathlib import Path

import pytest

from ssgan.data.base import Preprocessing
from ssgan.data.dataset import Dataset
from ssgan.data.folder import Folder
from ssgan.runs.config import DataConfig, RunConfig
from ssgan.training.inputs import RunProgress
from ssgan.training.run import run
from ssgan.types import UserError
from tests.data.test_decodings import write_images, write_profile
from tests.training.tiny import SIZE, tiny


class Said(RunProgress):
    def begin(self, dataset: Dataset, warnings: object) -> None:
        self.content, self.warnings = dataset.content_hash, list(warnings)  # type: ignore[call-overload]


def train(config: RunConfig, root: Path, steps: int) -> Said:
    said = Said()
    list(run(replace(config, total_steps=steps), root / "run", cache=root / "cache", progress=said))
    return said


def begun_before(root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[RunConfig, str]:
    write_images(root / "photos", range(20))
    write_profile(root / "photos" / "z.png")
    data = DataConfig(source=Folder(str(root / "photos")), image_size=SIZE)
    config = replace(tiny(), data=data)
    earlier = property(lambda self: Preprocessing(shape=self.shape, decoding=1))
    with monkeypatch.context() as patch:
        patch.setattr(DataConfig, "preprocessing", earlier)
        return config, train(config, root, 2).content


@pytest.mark.slow
@pytest.mark.parametrize("cleared", [False, True])
def test_a_run_continues_on_the_pixels_of_an_earlier_decoding_and_says_so(
    cleared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, content = begun_before(tmp_path, monkeypatch)
    if cleared:
        (tmp_path / "cache").rename(tmp_path / "gone")
    said = train(config, tmp_path, 4)
    assert said.content == content
    (line,) = [text for text in said.warnings if "earlier version decoded" in text]
    assert "new directory" in line
    fresh = Said()
    list(run(config, tmp_path / "other", cache=tmp_path / "cache", progress=fresh))
    assert fresh.content != content
    assert not any("earlier version" in text for text in fresh.warnings)


def test_other_images_are_refused_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = begun_before(tmp_path, monkeypatch)
    (tmp_path / "photos" / "003.png").unlink()
    with pytest.raises(UserError, match="other images"):
        train(config, tmp_path, 4)
