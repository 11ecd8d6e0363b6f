"""Prepared images are verified by their bytes: damage is found, said, and never trained on."""

import io
import json
import logging
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from ssgan.data import pixel_file
from ssgan.data.dataset import Dataset, load_prepared
from ssgan.data.pixel_file import PixelFile
from ssgan.data.prepare import prepare
from ssgan.types import UserError
from tests.data.numbered import KEPT, Numbers, tree
from tests.data.pictures import preprocessing
from tests.training.harness import run_code


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four images of 4 x 4 pixels, in files that count as large ones."""
    monkeypatch.setattr(pixel_file, "_BLOCK_BYTES", 4 * 48)
    monkeypatch.setattr(pixel_file, "WHOLE_BYTES", 1)
    monkeypatch.setattr(pixel_file, "_SAMPLED", 0)  # the first and the last are verified


def prepared(cache: Path, *, verify: bool = False, log: str | None = None) -> Dataset:
    return prepare(Numbers(log=log), preprocessing(4), cache, verify=verify)


def folder_of(cache: Path) -> Path:
    (folder,) = cache.glob("numbers-*")
    return folder


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "place"),
    [("images.npy", 128), ("images.npy", 6000), ("images.npy", -1), ("labels.npy", -8)],
)
def test_one_flipped_bit_is_found_at_the_start_and_the_images_are_prepared_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, place: int
) -> None:
    prepared(tmp_path)
    whole = tree(tmp_path)
    flip(folder_of(tmp_path) / name, place)
    log = tmp_path.parent / "read"
    dataset = prepared(tmp_path, log=str(log))
    assert dataset.images[:, 0, 0, 0].tolist() == [number % 256 for number in KEPT]
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [number % 3 for number in KEPT]
    assert tree(tmp_path) == whole
    assert len(log.read_text().split()) == 300
    (line,) = [one.message for one in caplog.records if "damaged" in one.message]
    assert line.startswith("the prepared images are damaged and prepared again: ")
    assert "\n" not in line
    log.unlink()
    prepared(tmp_path, log=str(log))
    assert not log.exists()


@pytest.mark.parametrize("place", range(0, 2000, 97))
def test_a_flipped_bit_of_a_manifest_never_changes_a_fact(tmp_path: Path, place: int) -> None:
    first = prepared(tmp_path)
    manifest = folder_of(tmp_path) / "manifest.json"
    flip(manifest, place % manifest.stat().st_size)
    again = prepared(tmp_path)
    assert again.manifest == first.manifest


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"images": 3}', "[" * 100_000])
def test_damaged_digests_are_made_again(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    prepared(tmp_path)
    whole = tree(tmp_path)
    (folder_of(tmp_path) / "hashes.json").write_text(text)
    prepared(tmp_path)
    assert tree(tmp_path) == whole
    assert str(folder_of(tmp_path)) in caplog.text
    assert "manifest.json lacks" not in caplog.text


def test_a_folder_without_digests_gets_them_once_and_decodes_nothing(tmp_path: Path) -> None:
    prepared(tmp_path)
    whole = tree(tmp_path)
    (folder_of(tmp_path) / "hashes.json").unlink()
    log = tmp_path.parent / "read"
    prepared(tmp_path, log=str(log))
    assert not log.exists()
    assert tree(tmp_path) == whole


def test_damage_in_a_folder_without_digests_is_found_by_the_content_hash(tmp_path: Path) -> None:
    prepared(tmp_path)
    whole = tree(tmp_path)
    (folder_of(tmp_path) / "hashes.json").unlink()
    flip(folder_of(tmp_path) / "images.npy", 5000)
    prepared(tmp_path)
    assert tree(tmp_path) == whole


def test_a_folder_that_this_user_may_not_write_needs_no_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepared(tmp_path)
    (folder_of(tmp_path) / "hashes.json").unlink()

    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ssgan.data.dataset.write_json", refuse)
    assert prepared(tmp_path).content_hash == first.content_hash
    assert not (folder_of(tmp_path) / "hashes.json").exists()


@pytest.mark.usefixtures("small_blocks")
def test_of_a_large_file_a_block_is_verified_before_its_first_use(tmp_path: Path) -> None:
    prepared(tmp_path)
    whole = tree(tmp_path)
    flip(folder_of(tmp_path) / "images.npy", 128 + 100 * 48)  # in image 100
    dataset = prepared(tmp_path)  # not found yet
    right = dataset.batch(np.array([0, 99, 104, 256]))
    assert right[:, 0, 0, 0].tolist() == [KEPT[k] % 256 for k in (0, 99, 104, 256)]
    with pytest.raises(UserError, match=r"images.npy has other bytes .* at image 100: .*again"):
        dataset.batch(np.array([3, 101]))
    # the next start verifies every byte, finds it and prepares the images again
    assert prepared(tmp_path).batch(np.array([101]))[0, 0, 0, 0] == KEPT[101]
    assert tree(tmp_path) == whole


@pytest.mark.usefixtures("small_blocks")
def test_verify_reads_every_block_of_a_large_file(tmp_path: Path) -> None:
    prepared(tmp_path)
    whole = tree(tmp_path)
    flip(folder_of(tmp_path) / "images.npy", 128 + 100 * 48)
    prepared(tmp_path, verify=True)
    assert tree(tmp_path) == whole


def test_a_file_that_is_overwritten_in_use_is_verified_again(tmp_path: Path) -> None:
    dataset = prepared(tmp_path)
    assert dataset.batch(np.array([7]))[0, 0, 0, 0] == KEPT[7]
    images = folder_of(tmp_path) / "images.npy"
    with images.open("r+b") as file:  # in place, with the size of before
        file.seek(128)
        file.write(bytes(images.stat().st_size - 128))
    with pytest.raises(UserError, match="other bytes than were written"):
        dataset.batch(np.array([7]))


def test_a_file_that_is_replaced_in_use_stays_as_it_was_opened(tmp_path: Path) -> None:
    dataset = prepared(tmp_path)
    images = folder_of(tmp_path) / "images.npy"
    other = images.with_name("other")
    other.write_bytes(bytes(images.stat().st_size))
    os.replace(other, images)
    assert dataset.batch(np.array([7]))[0, 0, 0, 0] == KEPT[7]


_CUT = """
import os, sys
from pathlib import Path
import numpy as np
from ssgan.data.prepare import prepare
from ssgan.types import UserError
from tests.data.numbered import Numbers
from tests.data.pictures import preprocessing

dataset = prepare(Numbers(count=3000), preprocessing(4), Path(sys.argv[1]))
(images,) = Path(sys.argv[1]).glob("numbers-*/images.npy")
os.truncate(images, 100)
try:
    dataset.batch(np.arange(2000, 2064))
except UserError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.slow
def test_a_file_that_is_cut_short_in_use_is_a_message_and_no_signal(tmp_path: Path) -> None:
    ended = run_code(_CUT, [str(tmp_path)], tmp_path, {})
    assert ended.returncode == 2, signal.Signals(-ended.returncode)
    assert "images.npy is cut short: it changed while it was in use" in ended.stdout


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "manifest.json", "hashes.json"])
def test_a_link_in_a_prepared_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    prepared(tmp_path / "cache")
    whole = tree(tmp_path / "cache")
    path = folder_of(tmp_path / "cache") / name
    outside = tmp_path / "outside"
    os.replace(path, outside)
    before = outside.read_bytes()
    path.symlink_to(outside)
    prepared(tmp_path / "cache")
    assert not path.is_symlink()
    assert outside.read_bytes() == before
    assert tree(tmp_path / "cache") == whole


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "manifest.json", "hashes.json"])
def test_a_pipe_in_a_prepared_folder_does_not_block(tmp_path: Path, name: str) -> None:
    prepared(tmp_path)
    whole = tree(tmp_path)
    path = folder_of(tmp_path) / name
    path.unlink()
    os.mkfifo(path)
    prepared(tmp_path)
    assert tree(tmp_path) == whole


@pytest.mark.parametrize("which", ["result", "partial", "locks", "lock"])
def test_a_linked_folder_of_the_cache_is_refused(tmp_path: Path, which: str) -> None:
    cache, outside = tmp_path / "cache", tmp_path / "outside"
    prepared(cache)
    folder = folder_of(cache)
    place = {
        "result": folder,
        "partial": folder.with_name(f"{folder.name}.partial"),
        "locks": cache / ".locks",
        "lock": cache / ".locks" / folder.name,
    }[which]
    if place.exists():
        os.replace(place, outside)
    else:
        outside.mkdir()
    place.symlink_to(outside)
    with pytest.raises(UserError, match=r"is a link to .*, and nothing is written through"):
        prepared(cache)


def test_a_linked_piece_is_made_again(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(Numbers(), preprocessing(4), tmp_path / "cache", stop, workers=1)
    (partial,) = (tmp_path / "cache").glob("*.partial")
    piece, outside = min(partial.glob("chunk-*")), tmp_path / "outside"
    os.replace(piece, outside)
    piece.symlink_to(outside)
    before = outside.read_bytes()
    log = tmp_path / "log"
    prepared(tmp_path / "cache", log=str(log))
    assert set(range(8)) <= set(map(int, log.read_text().split()))  # the first piece
    assert outside.read_bytes() == before


@pytest.mark.parametrize("at", ["ready", "digests"])
def test_a_kill_while_digests_are_made_is_followed_by_the_same_result(
    tmp_path: Path, at: str
) -> None:
    child = os.fork()
    if child == 0:
        if at == "ready":
            PixelFile.hash_blocks = lambda *arguments: os._exit(9)  # type: ignore[method-assign]
        else:
            import ssgan.data.dataset as module

            module.write_json = lambda *arguments: os._exit(9)
        try:
            prepared(tmp_path / "cache")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    prepared(tmp_path / "cache")
    prepared(tmp_path / "reference")
    assert tree(tmp_path / "cache") == tree(tmp_path / "reference")


def test_the_file_stands_in_for_an_array(tmp_path: Path) -> None:
    dataset = prepared(tmp_path)
    assert isinstance(dataset.images, PixelFile)
    array = np.load(folder_of(tmp_path) / "images.npy")
    assert np.array_equal(dataset.images, array)
    assert np.array_equal(np.stack(list(dataset.images)), array)
    for index in (3, -1, slice(4, 90, 7), np.array([9, 0, 9]), array[:, 0, 0, 0] > 9, (5, 0, 1, 2)):
        assert np.array_equal(dataset.images[index], array[index])
    assert np.array_equal(dataset.images[2:9, ::2, 1], array[2:9, ::2, 1])
    assert dataset.batch(np.array([-1]))[0].tolist() == array[-1].tolist()
    assert len(dataset.batch(np.array([], np.int64))) == 0


def test_a_file_of_before_is_read_by_numpy_as_ever(tmp_path: Path) -> None:
    """The files of a folder are those of earlier versions, with the digests beside them."""
    dataset = prepared(tmp_path)
    folder = folder_of(tmp_path)
    assert load_prepared(folder).content_hash == dataset.content_hash
    names = {path.name for path in folder.iterdir()}
    assert names == {"images.npy", "labels.npy", "manifest.json", "hashes.json"}
    assert np.load(io.BytesIO((folder / "images.npy").read_bytes())).shape == (257, 4, 4, 3)
    assert "hashes" not in json.loads((folder / "manifest.json").read_text())


def test_an_error_of_the_disk_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = prepared(tmp_path)

    def fail(*arguments: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(UserError, match=r"images.npy cannot be read: Input/output error"):
        dataset.batch(np.array([1]))


def test_nothing_is_logged_about_whole_images(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        prepared(tmp_path)
        prepared(tmp_path)
    assert caplog.messages == []


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system has no call")
def test_all_rows_of_a_large_file_are_announced_before_the_first_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
) -> None:
    """And of the whole block of a row that is not verified yet."""
    images = prepared(tmp_path).images
    assert isinstance(images, PixelFile)
    events: list[tuple[int, int] | None] = []
    fill = PixelFile._fill

    def read(self: PixelFile, target: memoryview, offset: int) -> None:
        events.append(None)
        fill(self, target, offset)

    monkeypatch.setattr(PixelFile, "_fill", read)
    monkeypatch.setattr(
        "os.posix_fadvise", lambda _, start, size, advice: events.append((start, size))
    )
    rows = images.rows(np.array([5, 0, -1]))
    assert rows[:, 0, 0, 0].tolist() == [KEPT[5], KEPT[0], KEPT[-1] % 256]
    start, row = images.num_bytes - 48 * len(images), 48
    # the second block is new; the first and the last were verified at the start
    wanted = [(start + 4 * row, 4 * row), (start, row), (images.num_bytes - row, row)]
    assert events == [*wanted, None, None, None]
