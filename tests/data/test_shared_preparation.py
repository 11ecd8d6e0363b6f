"""What another process or machine does at any instant of a preparation harms neither."""

import shutil
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from ssgan.data import pieces
from ssgan.data import prepare as preparing
from ssgan.data.prepare import prepare
from ssgan.files.locks import claim
from tests.data.numbered import Numbers, tree
from tests.data.pictures import preprocessing


@dataclass(frozen=True)
class OneGroup(Numbers):
    """All pieces are one group, as in a file that is read in order."""

    def spans(self) -> list[range]:
        return [range(self.count)]


def prepare_numbers(cache: Path, log: Path | None = None) -> Path:
    """The prepared folder."""
    prepare(Numbers(log=None if log is None else str(log)), preprocessing(4), cache, workers=1)
    (folder,) = cache.glob("numbers-*")
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_numbers(tmp_path_factory.mktemp("reference"))


@pytest.fixture
def partial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the pieces of a preparation that ended after the first five."""

    def stop(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(preparing, "assemble", stop)
        prepare_numbers(tmp_path / "cache")
    (folder,) = (tmp_path / "cache").glob("*.partial")
    for path in sorted(folder.glob("chunk-*"))[5:]:
        path.unlink()
    return folder


def test_no_piece_of_a_group_is_decoded_while_another_process_holds_the_group(
    tmp_path: Path, partial: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, other, decoded = tmp_path / "log", ExitStack(), list[bool]()

    def let_other_end(seconds: float) -> None:
        decoded.append(log.exists())
        other.close()

    monkeypatch.setattr(pieces, "time", SimpleNamespace(sleep=let_other_end))
    with other:
        other.enter_context(claim(partial / "claim-000000"))
        prepare(OneGroup(log=str(log)), preprocessing(4), tmp_path / "cache", workers=1)
    assert decoded[:1] == [False]
    assert sorted(map(int, log.read_text().split())) == list(range(40, 300))
    assert tree(tmp_path / "cache") == tree(reference.parent)


def test_a_file_that_another_process_writes_stays_until_the_images_are_in_place(
    tmp_path: Path, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, real, seen = partial / ".writing-live.tmp", preparing.assemble, list[bool]()
    live.touch()

    def assemble(*given: object) -> None:
        seen.append(live.exists())
        real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(preparing, "assemble", assemble)
    prepare_numbers(tmp_path / "cache")
    assert seen == [True]
    assert not partial.exists()


@pytest.mark.parametrize("place", ["prepare._check_disk", "pieces._refuse_mixed_versions"])
def test_images_that_another_process_finished_meanwhile_are_not_decoded(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It finishes them after this one looked for them, and removes the folder of the pieces."""
    log, others = tmp_path / "log", iter([tmp_path / "cache"])
    module = preparing if place.startswith("prepare") else pieces
    name = place.partition(".")[2]
    real = getattr(module, name)

    def late(given: object) -> None:
        for cache in others:
            prepare_numbers(cache)
        real(given)

    monkeypatch.setattr(module, name, late)
    prepare_numbers(tmp_path / "cache", log)
    assert not log.exists()
    assert tree(tmp_path / "cache") == tree(reference.parent)


def test_pieces_that_vanish_while_the_disk_is_checked_are_no_error(
    partial: Path, reference: Path
) -> None:
    """A link to nothing: it is listed, but has no size."""
    (partial / "chunk-999999").symlink_to("nothing")
    prepare_numbers(partial.parent)
    assert tree(partial.parent) == tree(reference.parent)


@pytest.mark.parametrize("damaged", [False, True])
def test_the_images_that_another_host_put_in_place_stay(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    """The other host puts them there at the last instant, just after this one looked."""
    folder, theirs = tmp_path / "cache" / reference.name, tmp_path / "theirs"
    shutil.copytree(reference, theirs)
    inode = theirs.stat().st_ino
    if damaged:
        shutil.copytree(reference, folder)
        (folder / "images.npy").unlink()
    real = pieces.Pieces.is_done

    def look(self: pieces.Pieces) -> bool:
        done = real(self)
        if theirs.exists() and list(folder.parent.glob("*.partial/ready-*/hashes.json")):
            shutil.rmtree(folder, ignore_errors=True)
            theirs.rename(folder)
        return done

    monkeypatch.setattr(pieces.Pieces, "is_done", look)
    prepare_numbers(tmp_path / "cache")
    assert folder.stat().st_ino == inode
    assert tree(tmp_path / "cache") == tree(reference.parent)
