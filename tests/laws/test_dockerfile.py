"""What the Dockerfile promises, read from its lines: no Docker is needed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PINNED = re.compile(r"[\w/.-]+:[\w.-]*\d+\.\d+\.\d+[\w.-]*")  # NAME:TAG with a whole version


def broken_promises(text: str) -> set[str]:
    """The promises that a Dockerfile does not keep."""
    joined = re.sub(r"\\\n", " ", text)
    lines = [line.strip() for line in joined.splitlines() if line and not line.startswith("#")]
    bases = [line.partition(" ")[2] for line in lines if line.startswith("FROM ")]
    (default,) = [line.partition("=")[2] for line in lines if line.startswith("ARG BASE=")] or [""]
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    installs = [line for line in lines if "pip install" in line]
    found = {
        "the base is an argument with a pinned default": bases != ["${BASE}"]
        or not PINNED.fullmatch(default),
        "the process is not root": not users or users[-1].partition(":")[0] in ("root", "0"),
        "the user is a number, which a cluster can check": not all(map(str.isdecimal, users)),
        "a user without a home can run it": "MPLCONFIGDIR=/tmp/" not in text,
        "versions are those of constraints.txt": not installs
        or not all("-c /source/constraints.txt" in line for line in installs),
        "no image is the latest": ":latest" in text,
        "no host is named": bool(re.search(r"https?://|--(extra-)?index-url", text)),
        "the entry point is ssgan": 'ENTRYPOINT ["ssgan"]' not in lines,
    }
    return {promise for promise, is_broken in found.items() if is_broken}


def test_the_dockerfile_keeps_its_promises() -> None:
    assert broken_promises(DOCKERFILE) == set()


@pytest.mark.parametrize(
    ("line", "worse", "promise"),
    [
        ("USER 10001", "USER root", "the process is not root"),
        ("USER 10001", "", "the process is not root"),
        (" MPLCONFIGDIR=/tmp/matplotlib", "", "a user without a home can run it"),
        ("USER 10001", "USER ssgan", "the user is a number, which a cluster can check"),
        (":3.11.11-slim", ":3-slim", "the base is an argument with a pinned default"),
        ("FROM ${BASE}", "FROM debian", "the base is an argument with a pinned default"),
        ("-c /source/constraints.txt ", "", "versions are those of constraints.txt"),
        ("--no-cache-dir", "--index-url https://a.b", "no host is named"),
        ("ssgan:0.1.0 train", "ssgan:latest train", "no image is the latest"),
    ],
)
def test_a_broken_promise_is_seen(line: str, worse: str, promise: str) -> None:
    assert line in DOCKERFILE
    assert promise in broken_promises(DOCKERFILE.replace(line, worse))


def test_every_file_that_it_copies_is_in_the_build_context() -> None:
    allowed = set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    copied = {
        name
        for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
        for name in line.split()
    }
    assert copied >= {"pyproject.toml", "src", "constraints.txt"}
    for name in copied:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in allowed
