"""A folder of images: each file once, in an order of its own, with what is odd about it said."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ssgan.data.base import HeaderStats, Rejected
from ssgan.data.folder import Folder
from ssgan.files.names import readable
from ssgan.types import UserError
from tests.data.pictures import encode, noise, preprocessing, write_images


def names(path: Path) -> list[str]:
    collection = Folder(str(path)).open()
    return [collection.item(number) for number in range(len(collection))]


def rejects(path: Path) -> dict[str, str]:
    collection = Folder(str(path)).open()
    results = collection.read(range(len(collection)), preprocessing())
    return {result.name: result.reason for result in results if isinstance(result, Rejected)}


def warnings(path: Path) -> str:
    return "\n".join(Folder(str(path)).open().warnings())


def without_rights(work: Callable[[], None]) -> str:
    """What UserError `work` raises in a child that is nobody; root may read everything."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "no error"
        try:
            os.setgroups([])
            os.setuid(65534)
            work()
        except UserError as error:
            text = str(error)
        except BaseException as error:
            text = f"wrong error: {error!r}"
        finally:
            os.write(writer, text.encode())
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as stream:
        return stream.read()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="dropping rights needs root")


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A folder that nobody can reach: pytest's own are for their owner alone."""
    path = tmp_path
    while path != path.parent and path.stat().st_uid == os.geteuid() and str(path) != "/tmp":
        path.chmod(0o755)
        path = path.parent
    return tmp_path


# errors


def test_a_missing_folder_a_file_and_empty_ones_are_each_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(encode(noise(0), "PNG"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    (tmp_path / "texts" / "b").touch()
    cases = {
        "missing": "there is no folder at",
        "file.png": "is a file; give the folder",
        "empty": "the folder is empty",
        "texts": "no image among 2 files (1 .txt, 1 without an ending); images end in .bmp",
    }
    for name, words in cases.items():
        with pytest.raises(UserError) as it:
            Folder(str(tmp_path / name)).open()
        assert words in str(it.value)
        assert str(it.value).startswith(f"folder:{tmp_path}/{name}: ")
        assert "\n" not in str(it.value)


@needs_root
def test_an_unreadable_folder_is_one_clear_line(open_path: Path) -> None:
    folder = open_path / "closed"
    write_images(folder, range(1))
    folder.chmod(0o700)
    text = without_rights(lambda: Folder(str(folder)).open() and None)
    assert "cannot be read (permission denied)" in text


@needs_root
def test_unreadable_files_and_folders_below_are_rejected_by_name(open_path: Path) -> None:
    write_images(open_path / "photos", range(2))
    write_images(open_path / "photos" / "closed", range(1))
    (open_path / "photos").chmod(0o755)
    (open_path / "photos" / "closed").chmod(0o700)
    (open_path / "photos" / "000.png").chmod(0o600)

    def work() -> None:
        raise UserError(str(rejects(open_path / "photos")))

    text = without_rights(work)
    assert "'000.png': 'cannot be read: permission denied'" in text
    assert "'closed/': 'the folder cannot be read: Permission denied'" in text


# what is found


def test_every_ending_in_any_case_is_found_and_hidden_names_are_not(tmp_path: Path) -> None:
    data = encode(noise(0), "PNG")
    for name in ("a.JPG", "b.jpeg", "c.PnG", "d.tif", ".hidden.png", "e.txt", "._f.jpg"):
        (tmp_path / name).write_bytes(data)
    for folder in (".git", "__MACOSX", "deep/er"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.png").write_bytes(data)
    assert names(tmp_path) == ["a.JPG", "b.jpeg", "c.PnG", "d.tif", "deep/er/x.png"]
    assert rejects(tmp_path) == {}


def test_link_loops_end_and_each_file_counts_once_under_its_real_name(tmp_path: Path) -> None:
    write_images(tmp_path / "m" / "n", range(2))
    (tmp_path / "a_loop").symlink_to(tmp_path)
    (tmp_path / "m" / "loop").symlink_to("..")
    (tmp_path / "m" / "a_first.png").symlink_to("n/000.png")
    os.link(tmp_path / "m/n/001.png", tmp_path / "m/n/twin.png")
    (tmp_path / "to_nowhere.png").symlink_to("nothing.png")
    (tmp_path / "to_itself").symlink_to("to_itself")
    (tmp_path / "notes.txt").symlink_to("nothing.txt")
    started = time.perf_counter()
    assert names(tmp_path) == ["m/n/000.png", "m/n/001.png", "to_itself", "to_nowhere.png"]
    assert time.perf_counter() - started < 1
    broken = rejects(tmp_path)
    assert set(broken) == {"to_itself", "to_nowhere.png"}
    assert all("a link without a target" in why for why in broken.values())


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    write_images(tmp_path / "store", range(2))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cats").symlink_to(tmp_path / "store")
    assert names(tmp_path / "photos") == ["cats/000.png", "cats/001.png"]


def test_any_file_name_is_read_and_shown_on_one_line(tmp_path: Path) -> None:
    data = encode(noise(0), "PNG")
    raw = ["é.png".encode(), "e\u0301.png".encode(), b"\xff\xfe.png", b"new\nline.png", b"-rf.png"]
    raw += [b"back\\slash.png", b"x" * 251 + b".png", "\u202egnp.png".encode()]
    for name in raw:
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(data)
    assert rejects(tmp_path) == {}
    shown = names(tmp_path)
    assert len(set(shown)) == len(raw)
    assert all(name.isprintable() and name.encode() for name in shown)
    assert {"\\xff\\xfe.png", "new\\u000aline.png", "back\\\\slash.png", "\\u202egnp.png"} <= set(
        shown
    )
    assert [readable(name) for name in sorted(raw)] == shown


def test_the_order_is_by_name_whatever_the_order_of_creation(tmp_path: Path) -> None:
    wanted = [f"{folder}/{k}.png" for folder in ("A", "a", "b") for k in (1, 10, 2)]
    for seed in range(3):
        root = tmp_path / str(seed)
        for name in random.Random(seed).sample(wanted, len(wanted)):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(encode(noise(0), "PNG"))
        assert names(root) == sorted(wanted)


def test_a_pipe_with_an_image_name_is_rejected_and_not_waited_for(tmp_path: Path) -> None:
    write_images(tmp_path, range(1))
    os.mkfifo(tmp_path / "pipe.png")
    assert rejects(tmp_path) == {"pipe.png": "not a regular file"}
    collection = Folder(str(tmp_path)).open()
    (tmp_path / "000.png").unlink()
    os.mkfifo(tmp_path / "000.png")
    first = next(iter(collection.read(range(1), preprocessing())))
    assert first == Rejected("000.png", "it is no regular file")


def test_a_file_that_vanished_is_rejected(tmp_path: Path) -> None:
    write_images(tmp_path, range(2))
    collection = Folder(str(tmp_path)).open()
    (tmp_path / "001.png").unlink()
    results = list(collection.read(range(2), preprocessing()))
    assert results[1] == Rejected("001.png", "removed since the folder was listed")


def test_the_fingerprint_sees_every_change_even_with_the_old_size_and_time(tmp_path: Path) -> None:
    write_images(tmp_path, range(3))
    seen = [Folder(str(tmp_path)).open().fingerprint()]
    assert Folder(str(tmp_path)).open().fingerprint() == seen[0]
    path = tmp_path / "001.png"
    status, data = path.stat(), path.read_bytes()
    changes: list[Callable[[], object]] = [
        lambda: (path.write_bytes(data[::-1]), os.utime(path, ns=(0, status.st_mtime_ns))),
        lambda: path.rename(tmp_path / "005.png"),
        lambda: (tmp_path / "000.png").unlink(),
        lambda: write_images(tmp_path, range(7, 8)),
    ]
    for change in changes:
        time.sleep(0.01)  # the clock of the file system is coarse
        change()
        seen.append(Folder(str(tmp_path)).open().fingerprint())
    assert len(set(seen)) == len(seen)


# classes


def test_first_level_folders_are_the_classes(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write_images(tmp_path / name / "deeper", range(2))
    collection = Folder(str(tmp_path)).open()
    assert collection.classes() == ("a", "b", "c")
    assert collection.labels() == [0, 0, 1, 1, 2, 2]
    assert collection.warnings() == ()


def test_images_without_folders_have_no_labels_and_need_no_notice(tmp_path: Path) -> None:
    write_images(tmp_path, range(2))
    collection = Folder(str(tmp_path)).open()
    assert collection.labels() is None
    assert collection.classes() == ()
    assert collection.warnings() == ()


def test_a_file_beside_the_class_folders_takes_the_labels_away_and_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / name, range(2))
    write_images(tmp_path, range(9, 10))
    assert Folder(str(tmp_path)).open().labels() is None
    assert "1 image beside the 2 folders (the first: 009.png), so there are no labels" in warnings(
        tmp_path
    )


def test_a_broken_link_beside_the_class_folders_does_not_take_the_labels(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / name, range(1))
    (tmp_path / "c.png").symlink_to("nothing")
    assert Folder(str(tmp_path)).open().labels() == [0, 1, -1]


def test_one_class_is_said_to_be_one(tmp_path: Path) -> None:
    write_images(tmp_path / "all", range(3))
    assert "all images are in one folder, all, so there is one class" in warnings(tmp_path)


def test_classes_one_level_too_deep_are_pointed_at(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        write_images(tmp_path / "train" / name, range(2))
    text = warnings(tmp_path)
    assert f"to use its 2 folders as classes give folder:{tmp_path}/train" in text
    assert Folder(f"{tmp_path}/train").open().classes() == ("cats", "dogs")


def test_splits_taken_for_classes_are_pointed_at(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_images(tmp_path / name / "cats", range(1))
    assert "named like splits" in warnings(tmp_path)


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / name, range(1))
    (tmp_path / "emu").mkdir()
    assert "no image in 1 folder (the first: emu), so no class of that name" in warnings(tmp_path)
    assert Folder(str(tmp_path)).open().classes() == ("a", "b")


def test_images_of_kinds_that_are_not_read_are_counted(tmp_path: Path) -> None:
    write_images(tmp_path, range(1))
    for name in ("a.avif", "b.AVIF", "c.npz", "readme.md"):
        (tmp_path / name).touch()
    assert "ignored: 2 .avif, 1 .npz" in warnings(tmp_path)


# survey


def test_a_survey_gives_the_median_short_side_and_whether_all_is_grey(tmp_path: Path) -> None:
    for k, (width, height) in enumerate([(100, 50), (40, 90), (60, 61), (200, 300), (10, 10)]):
        noise(k, width, height).save(tmp_path / f"{k}.png")
    (tmp_path / "broken.png").write_bytes(b"no")
    stats = Folder(str(tmp_path)).open().header_stats()
    assert stats == HeaderStats(6, 50, False, ratio=60 / 61)  # the median of five
    for path in tmp_path.glob("?.png"):
        path.write_bytes(encode(noise(0, 5, 5).convert("L"), "PNG"))
    assert Folder(str(tmp_path)).open().header_stats() == HeaderStats(6, 5, True)


def test_a_survey_of_broken_files_names_the_first(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"no image can be read; the first: a\.png: empty file"):
        Folder(str(tmp_path)).open().header_stats()
