"""Who else can write the cache is said once, and links in it are refused."""

import hashlib
import os
from pathlib import Path

import pytest

from ssgan.evaluation.feature_networks import load_inception
from ssgan.files import ownership
from ssgan.files.download import fetch
from ssgan.files.links import open_regular, read_regular, refuse_links
from ssgan.files.ownership import warn_of_other_writers
from ssgan.types import UserError

pytestmark = pytest.mark.skipif(not hasattr(os, "getuid"), reason="rights of Unix")
USER = os.getuid() if hasattr(os, "getuid") else 0


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "_NAMED", set())


def said(folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    caplog.clear()
    warn_of_other_writers(folder)
    return caplog.messages


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o750, 0o555, 0o1777, 0o1775])
def test_a_folder_that_others_cannot_change_needs_no_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    assert said(cache, caplog) == []


def test_a_folder_that_every_user_can_write_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    (line,) = said(cache, caplog)
    assert line == (
        f"{cache} can be written by every user: they can replace the images and features that are "
        "read from there; SSGAN_CACHE or --cache names another folder"
    )
    assert said(cache, caplog) == []
    assert said(cache / "below", caplog) == []


def test_a_folder_above_that_others_can_rename_from_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "shared" / "cache").mkdir(parents=True)
    (tmp_path / "shared").chmod(0o777)
    (line,) = said(tmp_path / "shared" / "cache", caplog)
    assert line.startswith(f"{tmp_path / 'shared'} can be written by every user")


def test_a_folder_of_a_group_is_named_unless_the_group_is_the_users_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o775)
    monkeypatch.setattr(ownership, "_user_name", lambda number: "me")
    monkeypatch.setattr(ownership, "_group_name", lambda number: "me")
    assert said(tmp_path, caplog) == []
    monkeypatch.setattr(ownership, "_group_name", lambda number: "lab")
    (line,) = said(tmp_path, caplog)
    assert line.startswith(f"{tmp_path} can be written by the group lab: ")


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_folder_of_another_user_is_named_and_one_of_root_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    monkeypatch.setattr(os, "getuid", lambda: USER + 12345)
    if USER == 0:
        assert said(cache, caplog) == []
        os.chown(cache, 4242, -1)
    (line,) = said(cache, caplog)
    assert line.startswith(f"{cache} belongs to another user (")


def test_a_missing_folder_needs_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert said(tmp_path / "not" / "there", caplog) == []


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    assert read_regular(file) == b"content"
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "dangling").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "pipe", ".", "missing"):
        before = len(os.listdir("/dev/fd"))
        with pytest.raises(OSError):  # noqa: PT011 - of several kinds
            open_regular(tmp_path / name)
        assert len(os.listdir("/dev/fd")) == before


def test_the_cache_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk" / "entry").mkdir(parents=True)
    cache = tmp_path / "cache"
    cache.symlink_to("disk")
    refuse_links(cache, cache / "entry", cache / "missing")
    (cache / "linked").symlink_to("entry")
    with pytest.raises(UserError, match=r"linked is a link to entry, and nothing is written"):
        refuse_links(cache, cache / "entry", cache / "linked")


@pytest.mark.parametrize("which", ["file", "folder"])
def test_a_linked_download_is_refused_and_its_target_kept(
    tmp_path: Path, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSGAN_OFFLINE", "1")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "weights.pth").write_bytes(b"mine")
    folder = tmp_path / "cache" / "weights"
    if which == "folder":
        folder.parent.mkdir()
        folder.symlink_to(outside)
    else:
        folder.mkdir(parents=True)
        (folder / "weights.pth").symlink_to(outside / "weights.pth")
    digest = hashlib.sha256(b"mine").hexdigest()
    with pytest.raises(UserError, match="is a link"):
        fetch("https://x.invalid/y", folder / "weights.pth", sha256=digest, max_bytes=9)
    assert (outside / "weights.pth").read_bytes() == b"mine"


def test_linked_weights_in_the_cache_are_refused(tmp_path: Path) -> None:
    import torch

    from ssgan.metrics.inception.features import NAME

    (tmp_path / "weights").mkdir()
    (tmp_path / "outside.pth").write_bytes(b"x")
    (tmp_path / "weights" / NAME).symlink_to(tmp_path / "outside.pth")
    with pytest.raises(UserError, match="is a link"):
        load_inception(tmp_path, torch.device("cpu"))
