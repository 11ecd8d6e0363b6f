"""Every setting of a config: its path, value, type, and the comment beside it in the source."""

import textwrap
from typing import Literal, NamedTuple, get_args, get_origin

from ssgan.config.comments import field_comment
from ssgan.config.schema import concrete_classes, form_of, type_text, value_text, walk

_MAX_PATH = 38  # characters of a column
_MAX_VALUE = 16
_MIN_COMMENT = 32  # in narrower columns the comment goes below


class Setting(NamedTuple):
    """One setting, for a reader."""

    path: str
    value: object
    type_text: str
    comment: str  # from the source; empty when there is none
    choices: tuple[str, ...] = ()  # names of the classes or the words it may be; empty: any value


def describe(config: object) -> list[Setting]:
    """Every setting of a config in the order of the source, each spec before its fields."""
    return [
        Setting(
            found.path,
            found.value,
            type_text(found.hint),
            field_comment(found.owner, found.name),
            _choices(found.hint),
        )
        for found in walk(config)
    ]


def _choices(hint: object) -> tuple[str, ...]:
    form = form_of(hint)
    if form.specs:
        return tuple(owner.__name__ for owner in concrete_classes(form.specs))
    literals = (member for member in form.members if get_origin(member) is Literal)
    return tuple(str(choice) for member in literals for choice in get_args(member))


def format_settings(config: object, width: int = 100) -> str:
    """The settings for `--help`: path, value, comment in columns, at most `width` characters wide.

    In a narrow terminal the comment is below the path. Only a path longer than `width` exceeds it.
    """
    settings = describe(config)
    paths = min(max((len(one.path) for one in settings), default=0), _MAX_PATH)
    values = min(max((len(value_text(one.value)) for one in settings), default=0), _MAX_VALUE)
    return "\n".join(line for one in settings for line in _lines(one, paths, values, width))


def _lines(setting: Setting, path_width: int, value_width: int, width: int) -> list[str]:
    value = " ".join(value_text(setting.value).split())
    if len(value) > value_width:
        value = f"{value[: value_width - 3]}..."
    indent = path_width + value_width + 4
    if width - indent < _MIN_COMMENT:
        comment = textwrap.wrap(_remark(setting), max(width - 4, 1))
        head = [f"{setting.path}  {value}".rstrip()]
        if len(head[0]) > width:
            head = [setting.path, f"{'':4}{value}"]
        return [*head, *(f"{'':4}{line}" for line in comment)]
    comment = textwrap.wrap(_remark(setting), width - indent) or [""]
    head = [] if len(setting.path) <= path_width else [setting.path]
    path = "" if head else setting.path
    first = f"{path:{path_width}}  {value:{value_width}}  {comment[0]}".rstrip()
    return [*head, first, *(" " * indent + line for line in comment[1:])]


def _remark(setting: Setting) -> str:
    if not setting.choices:
        return f"{setting.comment} ({setting.type_text})".strip()
    if len(setting.choices) == 1:
        return setting.comment
    none = " or none" if setting.type_text.endswith(" or none") else ""
    return f"{setting.comment} (one of {', '.join(setting.choices)}{none})".strip()
