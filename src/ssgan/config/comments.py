"""The comment beside a field in its source; imports nothing heavy, as help needs it at once."""

import ast
import inspect
import io
import textwrap
import tokenize
from functools import lru_cache


def field_comment(owner: type, name: str) -> str:
    """The comment of a field, from the class that declares it; empty where there is none."""
    declaring = (c for c in owner.__mro__ if name in vars(c).get("__annotations__", {}))
    return next((_class_comments(base).get(name, "") for base in declaring), "")


@lru_cache(maxsize=1024)
def _class_comments(owner: type) -> dict[str, str]:
    """The comment of every field in the source of one class.

    It is the comment on the field's lines, with the comment lines after it that are indented
    deeper (`#   and on`), else the comment lines just above the field. Empty when the source is
    not at hand.
    """
    try:
        source = textwrap.dedent(inspect.getsource(owner))
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        (definition,) = ast.parse(source).body
    except (OSError, TypeError, ValueError, SyntaxError, tokenize.TokenError):
        return {}
    comments = {token.start[0]: token for token in tokens if token.type == tokenize.COMMENT}
    found: dict[str, str] = {}
    for node in getattr(definition, "body", ()):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = _comment_lines(node, comments)
            found[node.target.id] = " ".join(comments[n].string.lstrip("#").strip() for n in lines)
    return found


def _comment_lines(node: ast.AnnAssign, comments: dict[int, tokenize.TokenInfo]) -> list[int]:
    """The numbers of the lines with the comment of one field."""

    def continues(line: int, deeper: bool) -> bool:
        token = comments.get(line)
        if token is None or not token.line.lstrip().startswith("#"):
            return False
        return deeper == (token.start[1] > node.col_offset or token.string.startswith("#  "))

    start, end = node.lineno, node.end_lineno or node.lineno
    lines = [line for line in range(start, end + 1) if line in comments]
    while continues(end + 1, deeper=True):
        end += 1
        lines.append(end)
    while not lines and continues(start - 1, deeper=False):
        start -= 1
    return lines or list(range(start, node.lineno))
