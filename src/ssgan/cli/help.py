"""The help of a verb, wrapped to the terminal, and the completion of a shell.

argparse formats both from the fields of the dataclass; shtab prints the completion.
"""

import argparse
import shutil
import textwrap
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ssgan.cli.parser import OptionField, UsageError, VerbOptions, list_fields

SHELLS = ("bash", "zsh", "fish")
_wrap = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)


class _Paragraphs(argparse.HelpFormatter):
    """Wraps every paragraph by itself, and never inside an option."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join("\n".join(self._split_lines(one, width)) for one in paragraphs)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrap(" ".join(text.split()), width)


def format_help(verb: str, owner: type[VerbOptions]) -> str:
    """The help of a verb, as wide as the terminal, or as COLUMNS says."""
    needed = [one.usage for one in list_fields(owner) if one.positional or one.required]
    width, indent = shutil.get_terminal_size().columns - 2, " " * len("usage: ")
    lines = [
        line
        for usage in owner.usage or (" ".join([*needed, "[OPTIONS]"]),)
        for line in _wrap(f"ssgan {verb} {usage}", width - len(indent), subsequent_indent=indent)
    ]
    parser = argparse.ArgumentParser(
        usage=f"\n{indent}".join(lines), add_help=False, formatter_class=_Paragraphs
    )
    _declare(parser, owner)
    return parser.format_help()


def format_overview(verbs: Mapping[str, type[VerbOptions]]) -> str:
    """The verbs with what each does."""
    width, indent = shutil.get_terminal_size().columns - 2, " " * 11
    lines = [
        textwrap.fill(
            _summarize(owner), width, initial_indent=f"  {verb:9}", subsequent_indent=indent
        )
        for verb, owner in verbs.items()
    ]
    more = (
        "`ssgan VERB --help` lists the options of a verb. `ssgan --print-completion "
        f"{'|'.join(SHELLS)}` prints a completion script. Errors in the input end with exit code 2."
    )
    return "\n".join(["usage: ssgan VERB [OPTIONS]", "", *lines, "", *_wrap(more, width), ""])


def _summarize(owner: type[VerbOptions]) -> str:
    """What a verb does, in one line."""
    return (owner.__doc__ or "").splitlines()[0].removesuffix(".")


def format_completion(shell: str, verbs: Mapping[str, type[VerbOptions]]) -> str:
    """The script that completes verbs and options in that shell."""
    if shell not in SHELLS:
        raise UsageError(f"--print-completion must be one of {', '.join(SHELLS)}, not {shell!r}")
    import shtab  # here: no other command needs it

    parser = argparse.ArgumentParser(prog="ssgan")
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--print-completion", choices=SHELLS, help="print a completion script")
    commands = parser.add_subparsers(dest="verb")
    for verb, owner in verbs.items():
        command = commands.add_parser(verb, add_help=False, help=_summarize(owner))
        _declare(command, owner, shtab.FILE)
    return shtab.complete(parser, shell)


def _declare(
    parser: argparse.ArgumentParser, owner: type[VerbOptions], files: object = None
) -> None:
    """Give a parser a verb's description, arguments and options; `files` completes a path."""
    parser.description = " ".join((owner.__doc__ or "").split())
    parser.epilog = owner.notes
    arguments = parser.add_argument_group("arguments")
    options = parser.add_argument_group("options")
    for one in list_fields(owner):
        text = f"{one.help}{_default_text(one)}".replace("%", "%%")
        action: Any
        if one.positional:
            action = arguments.add_argument(one.key, metavar=one.name, nargs="?", help=text)
        elif one.flag:
            names = ("-h", one.name) if one.key == "help" else (one.name,)
            action = options.add_argument(*names, action="store_true", help=text)
        else:
            action = options.add_argument(one.name, metavar=one.value_name, help=text)
        if one.choices:
            action.choices = list(map(str, one.choices))
        if one.hint is Path:
            action.complete = files


def _default_text(one: OptionField) -> str:
    default = one.default_text or one.default
    if one.required or default is None or default is False or default in ((), ""):
        return ""
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return f" (default: {default})"
