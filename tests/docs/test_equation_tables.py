"""The pages that set an equation beside the lines of a method say lines that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^\| in the equation \| in `(methods/\w+\.py)`.*\|$")


def one_line(code):
    """Without the breaks of a line that is long in the file."""
    return re.sub(r"(?<=[(\[]) | (?=[)\]])", "", " ".join(code.split()))


def expressions():
    """The file, and what stands in code marks in the second column and is more than a name."""
    for page in ("the-step.md", "methods.md"):
        file = None
        for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
            if (heading := HEADING.match(line)) is not None:
                file = heading.group(1)
            elif not line.startswith("|"):
                file = None
            elif file is not None:
                for code in re.findall(r"`([^`]+)`", line.rsplit(" | ", 1)[-1]):
                    if re.search(r"[(+=]| - ", code):
                        yield file, code


def test_every_method_with_a_task_of_its_own_has_a_table():
    files = {file.split("/")[1] for file, _ in expressions()}
    assert files == {"ssgan.py", "ssgan_ms.py", "ssgan_la.py", "s3gan.py"}


@pytest.mark.parametrize(("file", "code"), list(expressions()))
def test_what_stands_beside_an_equation_is_in_the_file(file, code):
    assert one_line(code) in one_line((ROOT / "src" / "ssgan" / file).read_text(encoding="utf-8"))
