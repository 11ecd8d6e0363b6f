"""The command line's form of a source becomes a value, or an error that helps."""

import os
from pathlib import Path

import pytest

from ssgan.data.cifar10 import Cifar10
from ssgan.data.folder import Folder
from ssgan.data.huggingface import Hub
from ssgan.data.scenes.source import Scenes
from ssgan.data.sources import parse_source
from ssgan.evaluation.inputs import parse_input
from ssgan.types import UserError


def test_every_form_is_read(tmp_path: Path) -> None:
    forms = {
        f"folder:{tmp_path}": Folder(str(tmp_path)),
        str(tmp_path): Folder(str(tmp_path)),
        "cifar10": Cifar10(),
        "cifar10:/a/b": Cifar10("/a/b"),
        "cifar10-test": Cifar10(split="test"),
        "cifar10-test:/a/b": Cifar10("/a/b", "test"),
        "hub:owner/name": Hub("owner/name"),
        "hub:owner/name@v1.2": Hub("owner/name", revision="v1.2"),
        "hub:owner/name@v1#test": Hub("owner/name", revision="v1", split="test"),
        "hub:owner/name?label=fine_label": Hub("owner/name", label_column="fine_label"),
        "hub:owner/name@v1#test?label=a b&image=img": Hub(
            "owner/name", "v1", "test", image_column="img", label_column="a b"
        ),
        "scenes": Scenes(),
        "scenes:num_images=500,seed=3": Scenes(num_images=500, seed=3),
    }
    for text, source in forms.items():
        assert parse_source(text) == source
        if ":" in text or text in ("cifar10", "scenes"):
            assert source.name() == text


def test_paths_mean_the_same_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = Folder(str(tmp_path / "photos"))
    for text in ("photos", "./photos", "folder:photos", "folder:~/photos", "~/photos", "photos/"):
        assert parse_source(text) == expected
    (tmp_path / "a:b").mkdir()
    assert parse_source("a:b") == Folder(str(tmp_path / "a:b"))
    assert parse_source("cifar10:photos") == Cifar10(str(tmp_path / "photos"))
    for text in ("hub:photos", "hub:./photos#test", "hub:~/photos"):
        source = parse_source(text)
        assert isinstance(source, Hub)
        assert source.id == str(tmp_path / "photos")


def test_a_folder_of_the_hub_form_may_have_its_signs_in_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "a@b", "a#b", "a@b#c", "a?b", "a?label=b"):
        (tmp_path / name).mkdir()
        whole = str(tmp_path / name)
        for text, source in (
            (f"hub:{name}", Hub(whole)),
            (f"hub:./{name}#test", Hub(whole, split="test")),
            (f"hub:{name}?label=x", Hub(whole, label_column="x")),
            (f"hub:{name}#test?image=x", Hub(whole, split="test", image_column="x")),
        ):
            assert parse_source(text) == source
            assert parse_source(source.name()) == source
    assert parse_source("hub:a/#b") == Hub(str(tmp_path / "a"), split="b")
    assert parse_source("hub:a@v1#test") == Hub(str(tmp_path / "a"), revision="v1", split="test")
    assert parse_source("hub:no@b#c#d") == Hub("no", revision="b", split="c#d")


def test_columns_may_come_before_the_split_and_in_either_order() -> None:
    source = Hub("a/b", split="test", image_column="img", label_column="fine")
    for text in ("?label=fine&image=img#test", "#test?image=img&label=fine"):
        assert parse_source(f"hub:a/b{text}") == source


@pytest.mark.parametrize("column", ["a&b", "a=b", "50 %", "x?y", "#1", "it's", "Größe", "a\nb"])
def test_any_name_of_a_column_is_read_back_from_its_notation(column: str) -> None:
    source = Hub("a/b", image_column=column, label_column=column)
    assert parse_source(source.name()) == source
    assert source.name().isprintable()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hub:a/b?lable=x", "no choice 'lable'; did you mean label?"),
        ("hub:a/b?x", "no choice 'x'; after ? come label, image and stream"),
        ("hub:a/b?label=", "label requires the name of a column"),
        ("hub:a/b?label=x&label=y", "label has two values"),
        ("foldr:/a", "did you mean folder:/a?"),
        ("cifar", "did you mean cifar10?"),
        ("Scenes:seed=1", "did you mean scenes:seed=1?"),
        ("scenes:sed=1", "no setting 'sed'; did you mean seed?"),
        ("scenes:seed", "seed must be an integer, not ''"),
        ("scenes:seed=1,seed=2", "two values"),
        ("scenes:seed=1.5", "integer, not '1.5'"),
        ("folder:", "requires a path"),
        ("folder", "folder requires a value: folder:PATH"),
        ("hub:", "requires the id"),
        ("/no/such/place", "there is no such folder. Sources are folder:PATH"),
        ("", "there is no such folder"),
    ],
)
def test_anything_else_is_an_error_with_the_nearest_form(text: str, words: str) -> None:
    with pytest.raises(UserError) as it:
        parse_source(text)
    assert words in str(it.value)
    assert "\n" not in str(it.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.rar", "unpack it and give the folder"),
        ("a.7z", "unpack it and give the folder"),
        ("a.tar.xz", "unpack it and give the folder"),
        ("a.mp4", "write its frames into a folder"),
        (
            "a.h5",
            "write its images into a folder, or as uint8 [N, H, W, C] with numpy.savez",
        ),
        ("a.tfrecord", "write its images into a folder"),
        ("a.parquet", "give its folder as hub:FOLDER"),
    ],
)
def test_a_file_that_is_not_read_names_the_way_out(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).touch()
    for parse in (parse_source, parse_input):
        with pytest.raises(UserError) as it:
            parse(str(tmp_path / name))
        assert f"it is a file; {words}" in str(it.value)
        assert "\n" not in str(it.value)
    with pytest.raises(UserError, match="there is no such file"):
        parse_source(str(tmp_path / "no.zip"))


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(UserError, match="it is a file; give the folder"):
        parse_source(os.fspath(tmp_path / "a.png"))
