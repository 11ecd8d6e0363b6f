from dataclasses import dataclass, make_dataclass, replace

import pytest

from ssgan.config.help import describe, format_settings
from tests.config.example import Network, example

BY_PATH = {setting.path: setting for setting in describe(example())}


def test_every_setting_is_there_in_the_order_of_the_source():
    assert list(BY_PATH)[:7] == [
        "method",
        "method.beta",
        "method.alpha",
        "method.fraction",
        "source",
        "source.path",
        "network",
    ]
    assert BY_PATH["shape.size"].value == 32
    assert "method.fixed" not in BY_PATH


def test_comments_come_from_the_line_or_the_lines_above():
    comments = {path: setting.comment for path, setting in BY_PATH.items()}
    assert comments["method"] == "what is minimised"
    assert comments["method.beta"] == "weight of the second term"  # declared by the parent
    assert comments["method.alpha"] == "weight of the first term, which is continued here"
    assert comments["method.fraction"] == "share of the batch in (0, 1]"
    assert comments["shape.size"] == "side in pixels"
    assert comments["source"] == ""
    assert comments["batch_size"] == ""


def test_a_comment_may_stand_around_a_field_of_several_lines():
    @dataclass(frozen=True)
    class Local:
        # above, of nothing

        a: tuple[int, int] = (
            1,  # inside
            2,
        )  # after
        # of b
        b: dict[str, int] | None = None
        c: int = 1

        def method(self) -> None:
            c: int = 1  # of a local variable
            print(c)

    comments = [(setting.path, setting.comment) for setting in describe(Local())]
    assert comments == [("a", "inside after"), ("b", "of b"), ("c", "")]


def test_a_class_without_source_has_no_comments():
    made = make_dataclass("Made", [("x", int, 1)], frozen=True)()
    assert [(setting.path, setting.comment) for setting in describe(made)] == [("x", "")]


def test_types_are_in_words_and_specs_tell_their_classes():
    assert BY_PATH["method"].choices == ("Plain", "Turned")
    assert BY_PATH["network.extra"].type_text == "Norm or none"
    assert BY_PATH["network.extra"].choices == ("BatchNorm", "ModulatedNorm")
    assert BY_PATH["fit"].choices == ("crop", "pad")
    assert BY_PATH["seconds"].type_text == "float or none"
    assert BY_PATH["background"].type_text == "tuple[int, int, int]"
    assert BY_PATH["source.path"].type_text == "path"


def test_the_text_has_columns_and_is_no_wider_than_a_hundred():
    @dataclass(frozen=True)
    class Long:
        a_name_that_is_much_longer_than_any_setting_ought_to_be: str = "y" * 80  # and why
        b: int = 1  # so much that it cannot be said on one line, and goes on to the next

    @dataclass(frozen=True)
    class Both:
        long: Long = Long()
        network: Network = Network()

    text = format_settings(Both())
    assert max(len(line) for line in text.splitlines()) <= 100
    assert text == "\n".join(line.rstrip() for line in text.splitlines())
    starts = {
        line.index("(") for line in format_settings(example()).splitlines() if "(int)" in line
    }
    assert len(starts) >= 1
    lines = format_settings(replace(example(), label="two\nlines")).splitlines()
    assert any(line.split() == ["label", "two", "lines", "(str)"] for line in lines)
    column = next(line for line in lines if line.startswith("batch_size")).index("64")
    assert next(line for line in lines if line.startswith("fit ")).index("crop") == column


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_the_text_is_as_wide_as_the_terminal_and_says_the_same(width):
    config = replace(example(), label="y" * 80)
    lines = format_settings(config, width).splitlines()
    assert max(len(line) for line in lines) <= width
    assert all(line == line.rstrip() for line in lines)
    words = " ".join(lines).split()
    assert sorted(words) == sorted(format_settings(config, 1000).split())


def test_a_narrow_text_has_the_comment_below_the_path():
    lines = format_settings(example(), 50).splitlines()
    at = lines.index("method.alpha  0.2")
    assert lines[at + 1] == "    weight of the first term, which is continued"
    assert lines[at + 2] == "    here (float)"
