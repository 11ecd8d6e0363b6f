"""Private words do not come back: CONTRIBUTING's glossary has the terms of the field.

The words are searched in names, docstrings, comments, messages, help and the pages of docs/.
"""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
PAGES = [
    *ROOT.glob("*.md"),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "results").glob("*.md")),
]
PHRASES = {  # a pattern, and the term to use
    r"\b(un)?turned\b": "rotated",
    r"\b(quarter )?turns\b(?! (\S+ ){0,4}(into|on|off|out)\b)(?<!in turns)": "rotations",
    r"\b(the|a) watch\b": "monitor",
    r"\banew\b": "again",
    r"\b(is|are|was|were) of (a|an|the|another|no)\b": "belongs to, holds, comes from",
    r"\bless the GAN\b": "difference to GAN",
    r"\b[Ww]hat D (knows|does|says)\b": "linear probing, D's logits",
    r"\blook(s|ed)? (at|again)\b": "evaluate, read",
    r"\b(is|are|was|were|been|be) (told|asked)\b": "recognised, predicted, requested",
    r"\bD tells\b": "D predicts",
    r"\bby heart\b": "memorised",
    r"\b(misfits?|crew|shelf|teller|outlook)\b": "validation, scheduler, feature_store, eta",
}
NAMES = {
    *("turn", "turns", "turned", "told", "misfits", "misfit", "crew", "shelf", "teller", "outlook"),
    *("watch", "thing", "looking", "looked", "asked", "arm", "arms"),
}


@cache
def prose():
    """Every string and comment of the source, and every line of the pages, with its place."""
    found = []
    for file in SOURCE:
        name = file.relative_to(ROOT)
        text = io.StringIO(file.read_text(encoding="utf-8"))
        for token in tokenize.generate_tokens(text.readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT):
                found.append((f"{name}:{token.start[0]}", token.string))
    for page in PAGES:
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            words = re.sub(r"`[^`]*`", "", line)  # without code
            found.append((f"{page.relative_to(ROOT)}:{number}", words))
    return found


@pytest.mark.parametrize("pattern", PHRASES)
def test_no_private_word_is_in_the_prose(pattern):
    found = [f"{place}: {m[0]!r}" for place, text in prose() for m in re.finditer(pattern, text)]
    assert found == [], f"write {PHRASES[pattern]}"


def defined(file):
    """The names of modules, functions, classes, parameters and fields."""
    yield file.stem
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


@pytest.mark.parametrize("file", SOURCE, ids=lambda file: str(file.relative_to(ROOT / "src")))
def test_no_private_word_is_in_a_name(file):
    words = {name: set(re.findall(r"[A-Z]?[a-z]+", name)) for name in defined(file)}
    assert [n for n, parts in words.items() if {p.lower() for p in parts} & NAMES] == []


def test_the_glossary_has_about_forty_terms_in_order():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\| ([^|]+?) \| ", text[text.index("## Glossary") :], flags=re.MULTILINE)
    terms = [term for term in terms if term != "term"]
    assert 35 <= len(terms) <= 60
    assert terms == sorted(terms, key=str.lower)


def test_the_search_finds_a_planted_word():
    assert any(re.search(pattern, "the turned images are told apart") for pattern in PHRASES)
    assert set(re.findall(r"[A-Z]?[a-z]+", "share_told")) & NAMES
