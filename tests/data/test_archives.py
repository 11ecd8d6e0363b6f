"""An archive of images is the folder that it was made of, and leaves nothing behind."""

import io
import random
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ssgan.data.archives import Archive
from ssgan.data.base import Rejected
from ssgan.data.folder import Folder
from ssgan.data.prepare import prepare
from ssgan.data.sources import parse_source
from ssgan.evaluation.inputs import parse_input
from ssgan.files.atomic import DiskFull
from ssgan.files.image_grid import save_png
from ssgan.types import UserError
from tests.data.pictures import encode, noise, preprocessing, write_images
from tests.data.test_passed_over import write_samples
from tests.files.packed import pack_tar, pack_zip, tar_bomb, tar_header

KINDS = ("a.zip", "a.tar", "a.tar.gz", "a.tar.bz2")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSGAN_CACHE", str(tmp_path / "cache"))


def pack(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        return pack_zip(path, files, zipfile.ZIP_DEFLATED)
    mode = {".tar": "w:", ".gz": "w:gz", ".bz2": "w:bz2"}[path.suffix]
    return pack_tar(path, files, mode)


def pictures(*names: str) -> dict[str, bytes]:
    return {name: encode(noise(k, 40, 36), "PNG") for k, name in enumerate(names)}


def names(path: Path) -> list[str]:
    collection = Archive(str(path)).open()
    return [collection.item(number) for number in range(len(collection))]


def rejects(path: Path) -> dict[str, str]:
    collection = Archive(str(path)).open()
    results = collection.read(range(len(collection)), preprocessing())
    return {result.name: result.reason for result in results if isinstance(result, Rejected)}


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as it:
        Archive(str(path)).open()
    assert "\n" not in str(it.value)
    return str(it.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("within", ["", "./", "photos/", "deep/er/"])
def test_an_archive_holds_what_its_folder_holds(tmp_path: Path, kind: str, within: str) -> None:
    files = pictures(*(f"{c}/{k}.png" for c in ("dogs", "cats") for k in (10, 9, 2)))
    for name, data in files.items():
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(data)
    expected = prepare(Folder(str(tmp_path / "photos")), preprocessing(), tmp_path / "cache")
    path = pack(tmp_path / kind, {within + name: data for name, data in files.items()})
    before = set(tmp_path.rglob("*"))
    found = prepare(parse_source(str(path)), preprocessing(), tmp_path / "cache", workers=3)
    assert found.content_hash == expected.content_hash
    assert found.classes == ("cats", "dogs")
    assert found.manifest["warnings"] == []
    new = {p.relative_to(tmp_path).parts[0] for p in set(tmp_path.rglob("*")) - before}
    assert new == {"cache"}  # nothing was unpacked, and no temporary file has a name


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_members_does_not_matter(tmp_path: Path, kind: str) -> None:
    files = pictures("b.png", "a.png", "c.png")
    hashes = set()
    for number, order in enumerate((files, dict(reversed(files.items())))):
        path = pack(tmp_path / f"{number}-{kind}", order)
        assert names(path) == ["a.png", "b.png", "c.png"]
        hashes.add(prepare(Archive(str(path)), preprocessing(), tmp_path / "cache").content_hash)
    assert len(hashes) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_threads_read_disjoint_ranges(tmp_path: Path, kind: str) -> None:
    files = pictures(*(f"{k:03}.png" for k in range(40)))
    collection = Archive(str(pack(tmp_path / kind, files))).open()
    alone = list(collection.read(range(40), preprocessing()))
    with ThreadPoolExecutor(8) as threads:
        parts = threads.map(
            lambda start: list(collection.read(range(start, start + 2), preprocessing())),
            range(0, 40, 2),
        )
        together = [image for part in parts for image in part]
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_no_member_leaves_its_place(tmp_path: Path, kind: str) -> None:
    evil = pictures("../a.png", "/tmp/ssgan-evil.png", "C:/b.png", "cats/../../c.png", "good.png")
    (tmp_path / "in" / "er").mkdir(parents=True)
    path = pack(tmp_path / "in" / "er" / kind, evil)
    before = sorted(tmp_path.rglob("*"))
    found = rejects(path)
    assert len(found) == 4
    assert set(found.values()) == {"its name leads out of the archive"}
    after = [p for p in sorted(tmp_path.rglob("*")) if p != tmp_path / "cache"]
    assert after == before
    assert not Path("/tmp/ssgan-evil.png").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_any_name_is_shown_on_one_line(tmp_path: Path, kind: str) -> None:
    path = pack(
        tmp_path / kind,
        pictures("\x1b[2Jred/a\nb.png", "\u202egnp/\x07.png", "é/x.png"),
    )
    collection = Archive(str(path)).open()
    shown = [*names(path), *collection.classes(), *collection.warnings()]
    assert all(text.isprintable() for text in shown)
    assert collection.classes() == ("\\u001b[2Jred", "é", "\\u202egnp")


def test_hidden_members_and_other_files_are_passed_over(tmp_path: Path) -> None:
    files = pictures("a/1.png", "b/2.png", "__MACOSX/a/._1.png", "a/.hidden.png", ".git/x.png")
    path = pack_zip(tmp_path / "a.zip", {**files, "b/readme.txt": b"", "c.mp4": b""})
    assert names(path) == ["a/1.png", "b/2.png"]
    assert Archive(str(path)).open().warnings() == (
        "files in formats that are not read are ignored: 1 .mp4",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sheets_in_packed_samples_are_passed_over(tmp_path: Path, kind: str) -> None:
    write_samples(tmp_path / "fakes", 3)
    noise(7).save(tmp_path / "fakes" / "neighbours.png")  # somebody else's
    save_png(tmp_path / "fakes" / "runs" / "step-00000010.png", noise(8))
    packed = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in (tmp_path / "fakes").rglob("*")
        if path.is_file()
    }
    collection = Archive(str(pack(tmp_path / kind, packed))).open()
    kept = [f"images/image-{k:05d}.png" for k in range(3)] + ["neighbours.png"]
    assert [collection.item(k) for k in range(len(collection))] == kept
    assert collection.notes() == (
        "2 outputs of ssgan are passed over (the first: fakes/runs/step-00000010.png)",
    )
    sheet = {"sheet.png": packed["fakes/sheet.png"]}
    assert "no image but output of ssgan" in refusal(pack(tmp_path / f"b{kind}", sheet))
    alone = {name: data for name, data in packed.items() if name != "fakes/neighbours.png"}
    collection = Archive(str(pack(tmp_path / f"c{kind}", alone))).open()
    assert (collection.item(0), collection.classes()) == ("image-00000.png", ())


def test_of_two_members_with_one_name_the_later_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    pack_tar(path, pictures("a.png"))
    with tarfile.open(path, "a") as archive:
        later = encode(noise(7, 50, 50), "PNG")
        (tmp_path / "b").write_bytes(later)
        archive.add(tmp_path / "b", "a.png")
    assert names(path) == ["a.png"]
    assert Archive(str(path)).open().header_stats().short_side == 50


def test_links_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    path = pack_tar(tmp_path / "a.tar", pictures("a.png"))
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo("b.png")
            link.type, link.linkname = kind, "/etc/passwd"
            archive.addfile(link)
    assert names(path) == ["a.png"]


def test_bad_members_are_rejected_and_the_others_used(tmp_path: Path) -> None:
    files = pictures("good.png")
    files |= {"broken.png": b"no", "empty.png": b"", "bomb.png": bytes(65 * 2**20)}
    found = rejects(pack_zip(tmp_path / "a.zip", files, zipfile.ZIP_DEFLATED))
    assert set(found) == {"broken.png", "empty.png", "bomb.png"}
    assert found["empty.png"] == "empty file"
    assert "as no image does" in found["bomb.png"]


def test_an_archive_without_images_names_the_way_out(tmp_path: Path) -> None:
    cases = {
        "the archive is empty": {},
        "no image among 2 files (1 .txt, 1 .mp4); write its frames": {"a.txt": b"", "b.mp4": b""},
        "pickles, and a pickle may run code; give the binary edition": {
            f"cifar-10-batches-py/data_batch_{k}": b"" for k in range(1, 6)
        },
        "binary edition of CIFAR-10: give cifar10:PATH": {
            "cifar-10-batches-bin/data_batch_1.bin": b""
        },
    }
    for number, (words, files) in enumerate(cases.items()):
        assert words in refusal(pack_zip(tmp_path / f"{number}.zip", files))
    pack_zip(tmp_path / "a.zip", {"a.png": b""}).write_bytes(b"no zip")
    assert "does not begin as a zip archive does" in refusal(tmp_path / "a.zip")
    tar_bomb(tmp_path / "b.tar.gz", tar_header("a.png", 2**34), 16)
    assert "cannot be read: " in refusal(tmp_path / "b.tar.gz")
    assert "No such file" in refusal(tmp_path / "missing.zip")


def test_a_changed_archive_is_another_and_is_read_again(tmp_path: Path) -> None:
    for kind in KINDS:
        path = pack(tmp_path / kind, pictures("a.png"))
        first = Archive(str(path)).open()
        assert Archive(str(path)).open().fingerprint() == first.fingerprint()
        pack(path, {"a.png": encode(noise(9, 40, 36), "PNG")})
        assert Archive(str(path)).open().fingerprint() != first.fingerprint()


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_an_archive_cut_while_it_is_read_gives_rejects(tmp_path: Path, kind: str) -> None:
    path = pack(tmp_path / kind, pictures("a.png", "b.png"))
    collection = Archive(str(path)).open()
    with open(path, "r+b") as file:
        file.truncate(600)
    results = list(collection.read(range(2), preprocessing()))
    assert all(isinstance(result, Rejected) for result in results)
    path.unlink()
    results = list(collection.read(range(2), preprocessing()))
    assert all(isinstance(result, Rejected) for result in results)


def test_every_notation_of_an_archive_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, form in (("a.zip", "zip"), ("b.TAR", "tar"), ("c.tgz", "tar"), ("d.tar.bz2", "tar")):
        (tmp_path / kind).write_bytes(b"")
        source = Archive(str(tmp_path / kind))
        for text in (kind, f"./{kind}", f"{form}:{kind}", f"folder:{kind}"):
            assert parse_source(text) == source
        assert parse_input(kind) == source
        assert parse_source(source.name()) == source
        assert parse_source(f"crops:2:{form}:{kind}").name() == f"crops:2:{source.name()}"


def test_an_archive_within_the_folder_is_pointed_at(tmp_path: Path) -> None:
    pack_zip(tmp_path / "photos.zip", pictures("a.png"))
    with pytest.raises(UserError, match="give the archive itself, as zip:PATH or tar:PATH"):
        Folder(str(tmp_path)).open()
    write_images(tmp_path, range(1))
    assert "ignored: 1 .zip" in "\n".join(Folder(str(tmp_path)).open().warnings())


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_archives_are_refused_or_rejected_in_one_line(tmp_path: Path, kind: str) -> None:
    data = pack(tmp_path / kind, pictures("a/1.png", "b/2.png")).read_bytes()
    chance, path = random.Random(0), tmp_path / f"damaged-{kind}"
    ends = set()
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 4, 20))):
            place = chance.choice((chance.randrange(len(data)), -chance.randrange(1, 300)))
            damaged[place] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            collection = Archive(str(path)).open()
        except UserError as error:
            ends.add("refused" if str(error).isprintable() else "a line that cannot be printed")
            continue
        for result in collection.read(range(len(collection)), preprocessing()):
            ends.add(type(result).__name__)
            assert not isinstance(result, Rejected) or "".join(result).isprintable()
    assert {"refused"} <= ends <= {"refused", "Rejected", "ndarray", "DecodedWithWarning"}


def test_a_full_disk_is_said_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "a.tar.gz", pictures("a.png"))
    full = io.FileIO("/dev/full", "r+")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: full)
    with pytest.raises(DiskFull):
        Archive(str(path)).open()
