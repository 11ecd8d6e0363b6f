import string
import tracemalloc
from abc import ABC
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssgan.config.merge import from_flags, merge, read_json, read_toml
from ssgan.config.schema import walk
from ssgan.types import UserError
from tests.config.example import (
    BatchNorm,
    Folder,
    ModulatedNorm,
    Network,
    Noise,
    Plain,
    Run,
    Shape,
    Turned,
)
from tests.config.example import example as make

CONFIG = make()
PATHS = [found.path for found in walk(CONFIG)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["kind", "beta", "alpha", "size", "norm", "path"]) | st.text(), inner
        )
    ),
    max_leaves=6,
)
CLASSES = st.sampled_from(["Plain", "Turned", "BatchNorm", "Noise", "Folder", "none", "crop"])


def nested(path: str, value: object) -> dict[str, object]:
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def laid(*flags: str) -> Run:
    changes, rest = from_flags(flags)
    assert not rest
    return merge(CONFIG, changes, "--")


def complaint(*flags: str) -> str:
    with pytest.raises(UserError) as caught:
        laid(*flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_change_gives_the_config_itself():
    assert merge(CONFIG, {}, "") is CONFIG
    assert merge(CONFIG, {"network": {"norm": {}}}, "") == CONFIG


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        (["--batch_size", "32"], {"batch_size": 32}),
        (["--batch_size=32"], {"batch_size": 32}),
        (["--method.alpha", "1e-4"], {"method": Turned(alpha=1e-4)}),
        (["--method.alpha", ".5"], {"method": Turned(alpha=0.5)}),
        (["--method.alpha", "3"], {"method": Turned(alpha=3.0)}),
        (["--shape.size", "64"], {"shape": Shape(3, 64)}),
        (["--shape", "[1, 8]"], {"shape": Shape(1, 8)}),
        (["--widths", "[5]"], {"widths": (5,)}),
        (["--seconds", "2"], {"seconds": 2.0}),
        (["--seconds", "none"], {"seconds": None}),
        (["--label", "none"], {"label": "none"}),
        (["--label", '"5"'], {"label": "5"}),
        (["--label="], {"label": ""}),
        (["--label", "1 # 2\ny = 3"], {"label": "1 # 2\ny = 3"}),
        (["--label", "2024-01-01"], {"label": "2024-01-01"}),
        (["--label", "["], {"label": "["}),
        (["--fixed_order", "true"], {"fixed_order": True}),
        (["--source.path", "c d#e"], {"source": Folder(path=Path("c d#e"))}),
        (["--methods", '["Plain", {kind = "Turned", beta = 2}]'], {}),
    ],
)
def test_a_flag_changes_one_setting(flags, changed):
    if flags[0] == "--methods":
        changed = {"methods": (Plain(), Turned(beta=2.0))}
    made = laid(*flags)
    assert made == replace(CONFIG, **changed)
    for found, wanted in zip(walk(made), walk(replace(CONFIG, **changed)), strict=True):
        assert type(found.value) is type(wanted.value)  # 3 is stored as 3.0 where a float stands


def test_the_name_of_a_class_changes_the_type_and_keeps_what_both_have():
    config = replace(CONFIG, method=Turned(beta=7.0, alpha=3.0))
    assert merge(config, {"method": "Plain"}, "").method == Plain(beta=7.0)
    full = merge(config, {"method": "tests.config.example:Plain"}, "")
    assert full.method == Plain(beta=7.0)
    back = merge(full, {"method": {"kind": "Turned", "fraction": 1.0}}, "")
    assert back.method == Turned(beta=7.0, fraction=1.0)
    assert merge(config, {"method": "Turned"}, "") == config
    assert merge(CONFIG, {"method": Plain()}, "").method == Plain()


def test_a_new_class_has_its_own_defaults_where_nothing_was_chosen():
    class Base(ABC):  # noqa: B024
        pass

    @dataclass(frozen=True)
    class Old(Base):
        alike: int = 1
        unlike: int = 2
        required: int = 3

    @dataclass(frozen=True)
    class New(Base):
        required: int
        alike: int = 1
        unlike: int = 7

    @dataclass(frozen=True)
    class Holder:
        part: Base

    assert merge(Holder(Old()), {"part": "New"}, "").part == New(required=3)
    chosen = merge(Holder(Old(alike=5, unlike=6)), {"part": "New"}, "").part
    assert chosen == New(required=3, alike=5, unlike=6)


def test_a_class_and_its_settings_can_be_given_as_flags_in_either_order():
    wanted = ModulatedNorm(hidden=8)
    norm, hidden = ["--network.norm", "ModulatedNorm"], ["--network.norm.hidden", "8"]
    assert laid(*norm, *hidden).network.norm == wanted
    assert laid(*hidden, *norm).network.norm == wanted


def test_an_optional_spec_can_be_set_and_taken_away():
    config = laid("--network.extra", "ModulatedNorm", "--network.extra.hidden", "3")
    assert config.network.extra == ModulatedNorm(hidden=3)
    for nothing in (None, "none"):
        assert merge(config, {"network": {"extra": nothing}}, "") == CONFIG
    assert "BatchNorm, ModulatedNorm" in complaint("--network.extra.momentum", "0.5")


def test_a_field_that_means_something_else_in_the_new_class_is_not_taken_over():
    config = replace(CONFIG, network=Network(norm=BatchNorm(momentum=0.5, scale=2.0)))
    made = merge(config, {"network": {"norm": "ModulatedNorm"}}, "")
    assert made.network.norm == ModulatedNorm(momentum=0.5, scale="unit")
    assert laid("--source", "Noise").source == Noise()
    assert complaint("--source", "Noise", "--source.path", "x").startswith(
        "no setting 'source.path'; the settings of source are: seed"
    )
    with pytest.raises(UserError, match=r"Folder needs a value for source\.path"):
        merge(replace(CONFIG, source=Noise()), {"source": "Folder"}, "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--method.alhpa 1", "no setting 'method.alhpa'; did you mean method.alpha?"),
        ("--alpha 1", "no setting 'alpha'; did you mean method.alpha?"),
        ("--batch_size 1.5", "batch_size must be int, not 1.5 (from --batch_size)"),
        ("--batch_size 1.0", "batch_size must be int, not 1.0 (from --batch_size)"),
        ("--batch_size true", "batch_size must be int, not true (from --batch_size)"),
        ("--batch_size none", "batch_size must be int, not 'none' (from --batch_size)"),
        ("--batch_size.x 1", "batch_size must be int, not a table (from --batch_size)"),
        ("--batch_size 0", "batch_size must be at least 1, not 0"),
        ("--method.alpha true", "method.alpha must be float, not true (from --method.alpha)"),
        ("--method.alpha nan", "method.alpha must be a finite number, not nan"),
        ("--method.alpha -inf", "method.alpha must be a finite number, not -inf"),
        ("--method.alpha 1e999", "method.alpha must be a finite number, not inf"),
        ("--method.alpha -1", "method: a weight is at least 0"),
        ("--method.fraction 2", "method.fraction must be in (0, 1], not 2.0"),
        ("--fit corp", "fit must be one of crop, pad, not 'corp'; did you mean crop?"),
        ("--fixed_order 1", "fixed_order must be bool (true or false), not 1"),
        ("--background [1,2]", "background must be tuple[int, int, int], not [1, 2]"),
        ("--widths 1,2", "widths must be tuple[int, ...], not '1,2'; write it as [a, b]"),
        ("--widths [1,true]", "widths must be tuple[int, ...], not [1, True]"),
        ("--label 5", 'label must be str, not 5; as text it is written "5", with its quotes'),
        ("--shape [1]", "shape must be [channels, size], not [1] (from --shape)"),
        ("--shape.side 5", "no setting 'shape.side'; did you mean shape.size?"),
        ("--method Plan", "method must be one of Plain, Turned, not 'Plan'; did you mean Plain?"),
        ("--method Turnde", "method must be one of Turned, Plain, not 'Turnde'; did you mean"),
        ("--method 5", "method must be one of Plain, Turned, or a table, not 5 (from --method)"),
        ("--method Method", "method must be one of Plain, Turned, not 'Method' (from --method)"),
        ("--method os:system", "method must be one of Plain, Turned, not 'os:system'"),
        ("--methods Plain", "methods must be a list, not 'Plain' (from --methods)"),
        ("--methods ['Plain',1]", "methods.1 must be one of Plain, Turned, or a table, not 1"),
        ("--batch_size", "--batch_size needs a value"),
        ("--label --fit pad", "--label needs a value"),
        ("--label a --label b", "--label is given twice"),
        ("--shape [1,8] --shape.size 8", "--shape.size: a value for the whole of 'shape' is"),
        ("--shape.size 8 --shape [1,8]", "--shape is given twice"),
        ("--shape..size 8", "--shape..size is not the path of a setting"),
    ],
)
def test_an_error_names_the_path_the_value_and_what_would_be_right(flags, message):
    assert complaint(*flags.split()).startswith(message)


def test_a_file_is_named_in_the_message():
    for changes in ({"batch_size": 1.5}, {"batchsize": 1}, {"method": {"alpha": -1}}):
        with pytest.raises(UserError, match=r"\(from mine\.toml\)$"):
            merge(CONFIG, changes, "mine.toml")


def test_values_no_file_can_hold_are_refused_too():
    for value in (10**5000, float("nan"), b"x", object(), {1: 2}, "\0"):
        for name in ("batch_size", "seconds", "shape", "method", "source", "widths"):
            with pytest.raises(UserError):
                merge(CONFIG, {name: value}, "")
    with pytest.raises(UserError, match=r"null|path of a file"):
        merge(CONFIG, {"source": {"path": "a\0b"}}, "")


def test_a_name_that_is_no_text_is_kept_as_it_is():
    assert laid("--source.path", "a\udcff").source == Folder(path=Path("a\udcff"))
    assert "\udcff" not in complaint("--fit", "a\udcff")


@given(path=st.sampled_from(PATHS), value=JSON | CLASSES)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_anywhere_gives_a_config_or_a_user_error(path, value):
    complaint = ""
    try:
        assert isinstance(merge(CONFIG, nested(path, value), "fuzz"), Run)
    except UserError as error:
        complaint = str(error)
    assert "\n" not in complaint


@pytest.mark.parametrize("path", PATHS)
def test_every_name_with_one_letter_changed_is_an_error_naming_it(path):
    before, _, name = path.rpartition(".")
    prefix = f"{before}." if before else ""
    siblings = {found.name for found in walk(CONFIG) if found.path == f"{prefix}{found.name}"}
    for place in range(len(name)):
        for letter in string.ascii_lowercase[::5] + "_":
            typo = name[:place] + letter + name[place + 1 :]
            if typo in siblings:
                continue
            with pytest.raises(UserError) as caught:
                merge(CONFIG, nested(f"{prefix}{typo}", 1), "mine.toml")
            assert f"no setting '{prefix}{typo}'; did you mean" in str(caught.value)
            assert path in str(caught.value).replace("?", " ").split()


def test_words_that_are_no_settings_are_left_over():
    changes, rest = from_flags(["a", "--x.y", "-1", "-v", "--", "--z"])
    assert changes == {"x": {"y": -1}}
    assert rest == ["a", "-v", "--z"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a = 1\nb =", "line 2"),
        ("a = 1\na = 2", "line 2"),
        ("a = !!python/object:os.system", "line 1"),
        ("a = " + "[" * 100_000, "nested"),
        ("a = " + "9" * 5000, "digit"),
        ("a = '\\ud800", "line 1|end of document"),
    ],
)
def test_a_broken_toml_file_is_one_line_with_its_place(tmp_path, content, message):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_toml(path)
    assert str(caught.value).startswith(f"{path} is not valid TOML")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{", '{"a": 1, "a": 2}', '{"a": NaN}', "[1]", '{"a":' * 100_000, "\0"]
)
def test_a_broken_json_file_is_refused(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(UserError):
        read_json(path)


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, read):
    (tmp_path / "bytes").write_bytes(b"\xff")
    for path, message in [
        (tmp_path / "none", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "bytes", "UTF-8"),
        ("a\0b", "not the name of a file"),
    ]:
        with pytest.raises(UserError, match=message):
            read(path)


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_a_file_of_absurd_size_is_named_and_not_read_whole(tmp_path, read):
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)  # a hole: on disk it takes nothing
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match="larger than 64 MiB") as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(("read", "text"), [(read_toml, "a = 1\n"), (read_json, '{"a": 1}')])
def test_a_byte_order_mark_is_no_part_of_the_text_and_utf_16_is_named(tmp_path, read, text):
    """As editors on Windows save."""
    path = tmp_path / "settings"
    path.write_bytes(text.encode("utf-8-sig"))
    assert read(path) == {"a": 1}
    for form in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        path.write_bytes(text.encode(form))
        with pytest.raises(UserError) as refusal:
            read(path)
        expected = f"{path} is no text in UTF-8, perhaps in UTF-16: save it as UTF-8"
        assert str(refusal.value) == expected


def test_a_toml_file_is_laid_over(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('seconds = 1e-4\nmethod = "Plain"\n[network]\nwidth = 3\nnorm.momentum = 0\n')
    made = merge(CONFIG, read_toml(path), str(path))
    assert (made.seconds, made.method, made.network.width) == (1e-4, Plain(), 3)
    assert made.network.norm == BatchNorm(momentum=0.0)
