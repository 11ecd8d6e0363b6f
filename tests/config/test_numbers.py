"""A number is the same number as a flag, in TOML and in JSON; what is none is refused."""

from pathlib import Path

import pytest

from ssgan.config.merge import from_flags, merge, read_json, read_toml
from ssgan.types import UserError
from tests.config.example import Run
from tests.config.test_merge import CONFIG


def read(form: str, name: str, text: str, folder: Path) -> Run:
    """The settings after one of them is given in this form."""
    if form == "flag":
        return merge(CONFIG, from_flags([f"--{name}", text])[0], "--")
    file = folder / f"mine.{form}"
    if form == "toml":
        file.write_text(f"{name} = {text}\n")
        return merge(CONFIG, read_toml(file), str(file))
    file.write_text(f'{{"{name}": {text}}}')
    return merge(CONFIG, read_json(file), str(file))


FORMS = ["flag", "toml", "json"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-4", 0.0001),
        ("1E+2", 100.0),
        ("-0.5", -0.5),
        ("3", 3.0),
        ("1e0", 1.0),
        ("2.5e3", 2500.0),
    ],
)
def test_a_number_is_a_number_in_every_form(
    form: str, text: str, number: float, tmp_path: Path
) -> None:
    found = read(form, "seconds", text, tmp_path).seconds
    assert found == number
    assert type(found) is float


# What YAML 1.1 takes for numbers and truths, tags of objects, and numbers that none can hold.
NO_NUMBERS = ["1:30", "0o17x", "NO", "yes", "12_", "!!python/object:os.system", "!!float 1", "nan",
              "NaN", "inf", "-Infinity", "1e999", '"1"', "{}", "[1]", "true", "1,5"]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["seconds", "batch_size"])
@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused_in_every_form(
    form: str, name: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refusal:
        read(form, name, text, tmp_path)
    said = str(refusal.value)
    assert "\n" not in said
    assert form == "flag" or f"mine.{form}" in said
    assert form != "flag" or name in said


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("toml", "a.b = 1\na.b = 2", "line 2"),
        ("toml", "[a]\nb = 1\n[a]\nb = 2", "line 3"),
        ("json", '{"a": {"b": 1, "b": 2}}', "'b' is given twice"),
        ("json", '{"a": [{"b": 1, "b": 1}]}', "'b' is given twice"),
    ],
)
def test_a_key_given_twice_is_refused_at_any_depth(
    form: str, text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / f"mine.{form}"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        (read_toml if form == "toml" else read_json)(file)
