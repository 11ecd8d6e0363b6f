"""Every setting of a config: its path, value, type, and the comment beside it in the source."""

import inspect
import io
import textwrap
import tokenize
from functools import lru_cache
from typing import Literal, NamedTuple, get_args, get_origin

from ssgan.config.fields import (
    alternatives,
    concrete_classes,
    field_hints,
    spec_types,
    type_text,
    value_text,
    walk,
)

_WIDTH = 100
_WIDEST_PATH = 38
_WIDEST_VALUE = 16
_SKIPPED = (tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


class Setting(NamedTuple):
    """One setting, as it is shown to a reader."""

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
            _comment(found.owner, found.name),
            _choices(found.hint),
        )
        for found in walk(config)
    ]


def _choices(hint: object) -> tuple[str, ...]:
    if declared := spec_types(hint):
        return tuple(owner.__name__ for owner in concrete_classes(declared))
    arms, _ = alternatives(hint)
    literals = (arm for arm in arms if get_origin(arm) is Literal)
    return tuple(str(choice) for arm in literals for choice in get_args(arm))


def settings_text(config: object) -> str:
    """The settings for `--help`: path, value, comment in columns, at most 100 characters wide."""
    settings = describe(config)
    widths = [len(setting.path) for setting in settings]
    path_width = min(max(widths, default=0), _WIDEST_PATH)
    lengths = [len(value_text(setting.value)) for setting in settings]
    value_width = min(max(lengths, default=0), _WIDEST_VALUE)
    lines = [line for one in settings for line in _lines(one, path_width, value_width)]
    return "\n".join(lines)


def _lines(setting: Setting, path_width: int, value_width: int) -> list[str]:
    value = " ".join(value_text(setting.value).split())
    if len(value) > value_width:
        value = f"{value[: value_width - 3]}..."
    indent = path_width + value_width + 4
    wrapped = textwrap.wrap(_remark(setting), _WIDTH - indent) or [""]
    head = [] if len(setting.path) <= path_width else [setting.path]
    path = "" if head else setting.path
    first = f"{path:{path_width}}  {value:{value_width}}  {wrapped[0]}".rstrip()
    return [*head, first, *(" " * indent + line for line in wrapped[1:])]


def _remark(setting: Setting) -> str:
    if not setting.choices:
        return f"{setting.comment} ({setting.type_text})".strip()
    if len(setting.choices) == 1:
        return setting.comment
    none = " or none" if setting.type_text.endswith(" or none") else ""
    return f"{setting.comment} (one of {', '.join(setting.choices)}{none})".strip()


def _comment(owner: type, name: str) -> str:
    """The comment of a field, from the class that declares it."""
    for base in inspect.getmro(owner):
        if name in vars(base).get("__annotations__", {}):
            return field_comments(base).get(name, "")
    return ""


@lru_cache(maxsize=1024)
def field_comments(owner: type) -> dict[str, str]:
    """The comment of every field in the source of one class.

    It is the one at the end of the field's line, with the comment lines after it that are set
    deeper (`#   and on`), else the comment lines just above the field. Empty when the source is
    not at hand.
    """
    try:
        source = textwrap.dedent(inspect.getsource(owner))
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return {}
    names = field_hints(owner).keys() | vars(owner).get("__annotations__", {}).keys()
    column = next((len(t.string) for t in tokens if t.type == tokenize.INDENT), 0)
    return _read_comments(tokens, set(names), column)


def _read_comments(
    tokens: list[tokenize.TokenInfo], names: set[str], column: int
) -> dict[str, str]:
    comments: dict[str, str] = {}
    above: list[str] = []  # comment lines since the last statement
    field = ""  # the field of the statement we are in or have just left
    fresh = True  # whether the next token starts a statement
    last_line = 0  # where the last token that is no comment ended
    for token in tokens:
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("#").strip()
            deeper = token.start[1] > column or token.string.startswith("#  ")
            if field and (token.start[0] == last_line or deeper):
                comments[field] = f"{comments.get(field, '')} {text}".strip()
            else:
                above.append(text)
        elif token.type == tokenize.NEWLINE:
            fresh = True
            if field and field not in comments and above:
                comments[field] = " ".join(above)
            above = []
        elif token.type == tokenize.NL:
            if token.line.strip() == "":
                above, field = [], ""
        elif token.type not in _SKIPPED:
            if fresh:
                named = token.type == tokenize.NAME and token.start[1] == column
                field = token.string if named and token.string in names else ""
                fresh = False
            last_line = token.end[0]
    return comments
