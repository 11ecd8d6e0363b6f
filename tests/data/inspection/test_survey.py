"""A sample of a source: what is read, what is kept, and which files are copies."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssgan.data.base import Rejected
from ssgan.data.inspection.copies import find_copies
from ssgan.data.inspection.reading import CHUNK, draw_numbers, map_chunks, read_pictures
from ssgan.data.inspection.survey import SQUARES, survey_items
from ssgan.data.npz import Npz
from ssgan.data.sources import parse_source
from tests.data.pictures import encode, noise, preprocessing, smooth


def open_folder(path: Path):
    return parse_source(f"folder:{path}").open()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes with a broken file, an orientation tag, an animation and two kinds of copies."""
    root = tmp_path_factory.mktemp("photos")
    for name in ("cats", "dogs"):
        (root / name).mkdir()
    for k in range(6):
        noise(k, 40, 30).save(root / "cats" / f"{k}.png")
    tagged = smooth(7, 40, 30)
    exif = tagged.getexif()
    exif[274] = 6
    tagged.save(root / "dogs" / "tagged.jpg", exif=exif)
    frames = [noise(20, 32, 32), noise(21, 32, 32)]
    frames[0].save(root / "dogs" / "moving.gif", save_all=True, append_images=frames[1:])
    smooth(8, 50, 50).convert("LA").save(root / "dogs" / "clear.png")
    (root / "dogs" / "broken.png").write_bytes(encode(noise(9), "PNG")[:200])
    shutil.copy(root / "cats" / "0.png", root / "cats" / "again.png")
    shutil.copy(root / "cats" / "1.png", root / "dogs" / "one.png")
    Image.open(root / "cats" / "2.png").save(root / "dogs" / "two.bmp")
    return root


@pytest.fixture(scope="module")
def survey(folder: Path):
    collection = open_folder(folder)
    return survey_items(collection, range(len(collection)), preprocessing(16))


def test_headers_are_those_of_upright_pictures(folder, survey):
    collection = open_folder(folder)
    found = {
        collection.item(number): header
        for number, header in zip(survey.usable, survey.headers, strict=True)
    }
    assert found["dogs/tagged.jpg"][:5] == (30, 40, "RGB", "JPEG", 6)
    assert found["cats/0.png"] == (40, 30, "RGB", "PNG", 1, False, False)
    assert found["dogs/clear.png"].transparent
    assert [name for name, header in found.items() if header.animated] == ["dogs/moving.gif"]


def test_a_broken_file_is_named_with_its_reason(survey):
    ((name, reason),) = survey.rejected
    assert name == "dogs/broken.png"
    assert "damaged" in reason
    assert len(survey.usable) == survey.total - 1


def test_copies_are_found_by_bytes_and_by_pixels_and_across_classes(folder, survey):
    collection = open_folder(folder)
    copies = find_copies(collection, survey, seed=0)
    groups = [[collection.item(number) for number in group] for group in copies.groups]
    assert groups == [
        ["cats/0.png", "cats/again.png"],
        ["cats/1.png", "dogs/one.png"],
        ["cats/2.png", "dogs/two.bmp"],
    ]
    assert (copies.repeated, copies.compared, copies.by_bytes) == (6, 12, True)
    assert copies.in_two_classes(collection.labels()) == copies.groups[1:]


def test_a_sample_is_compared_with_files_outside_of_it(folder):
    collection = open_folder(folder)
    names = [collection.item(number) for number in range(len(collection))]
    part = survey_items(collection, [names.index("cats/0.png")], preprocessing(16))
    (group,) = find_copies(collection, part, seed=0).groups
    assert [names[number] for number in group] == ["cats/0.png", "cats/again.png"]


def test_few_files_are_read_where_many_have_the_same_size(tmp_path, monkeypatch):
    for k in range(12):
        noise(k, 8, 8).save(tmp_path / f"{k:02d}.bmp")
    collection = open_folder(tmp_path)
    survey = survey_items(collection, range(12), preprocessing(8))
    read = []
    fetch = collection.read_bytes
    monkeypatch.setattr(collection, "read_bytes", lambda n: read.append(n) or fetch(n))
    copies = find_copies(collection, survey, seed=0, most=5)
    assert read == []
    assert (copies.compared, copies.by_bytes, copies.groups) == (12, False, [])


def test_few_squares_are_kept_of_many_items(tmp_path):
    path = tmp_path / "images.npz"
    count = SQUARES + 60
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 12, 3), dtype=np.uint8)
    np.savez(path, images)
    survey = survey_items(Npz(str(path)).open(), range(count), preprocessing(8))
    assert survey.squares.shape == (SQUARES, 8, 8, 3)
    assert len(survey.digests) == count
    assert survey.headers[0][:3] == (12, 8, "RGB")
    assert not survey.from_files


def test_a_sample_depends_on_its_seed_and_holds_all_of_few():
    assert draw_numbers(5, 8, 0) == [0, 1, 2, 3, 4]
    one, same, other = (draw_numbers(1000, 50, seed) for seed in (0, 0, 1))
    assert one == same != other
    assert one == sorted(set(one))
    assert len(one) == 50


def test_chunks_come_in_order_and_only_a_few_are_ahead():
    numbers, begun = list(range(10 * CHUNK + 1)), []

    def work(chunk):
        begun.append(chunk[0])
        return list(chunk)

    seen = []
    for chunk in map_chunks(work, numbers, threads=2):
        seen += chunk
        assert len(begun) <= len(seen) // CHUNK + 5
    assert seen == numbers


def test_pictures_of_scattered_numbers_are_those_of_a_single_reading():
    collection = parse_source("objects:num_images=300").open()
    numbers = [*range(5, 75), 100, 102, 103]
    chunks = list(read_pictures(collection, numbers, preprocessing(16)))
    assert [n for chunk in chunks for n in chunk.numbers] == numbers
    together = np.concatenate([chunk.pixels for chunk in chunks])
    every = np.stack(list(collection.read(range(104), preprocessing(16))))
    assert np.array_equal(together, every[numbers])


def test_rejected_items_are_in_no_chunk(folder):
    collection = open_folder(folder)
    (chunk,) = read_pictures(collection, range(len(collection)), preprocessing(8))
    assert [type(one) for one in chunk.rejected] == [Rejected]
    assert len(chunk.numbers) == len(chunk.pixels) == len(collection) - 1
