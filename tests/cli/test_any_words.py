"""Any words after `ssgan`: they work, or they are refused in one line and nothing is created."""

import contextlib
import io
import os
import random
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssgan import recipes
from ssgan.cli import demo, forget, study, train, tune
from ssgan.cli.doctor import report
from ssgan.cli.launching import processes, shared_work
from ssgan.cli.main import OTHER_VERBS, VERBS, main
from ssgan.cli.parser import list_fields
from ssgan.cli.web import serve
from ssgan.config.schema import walk
from tests.data.pictures import write_images

pytestmark = pytest.mark.slow

SETTINGS = [found.path for found in walk(recipes.scenes.ssgan())]
# No `scenes` alone, whose 20,000 images take long; no `--download`, as there is no network.
SOURCES = ["photos", "folder:photos", "scenes:num_images=3", "crops:2:folder:photos", "empty",
           "npz:photos/000.png", "zip:no.zip", "tar:photos", "cifar10:photos", "hub:a/b?label=x",
           "no/such", "folder:", "hub:", "crops:0:photos"]  # fmt: skip
VALUES = ["0", "1", "2", "-1", "1e3", "1e-4", "nan", "inf", "1" * 30, "1" * 5000, "", " ", "x", ".",
          "none", "true", "[1,2]", "{}", "scenes:gan", "scenes:ssgn", "GAN", "SSGAN", "mine.toml",
          "random", "inception", "fd", "fd,kid", "all", "table1", "forgetting", "prepare", "cpu",
          "cuda:7", "crop", "pad", "bash", "0,0,0", "\0", "a\nb", "\x1b[31m", "\udcff", "é", "--",
          "-", "---", "=", "--=", "--.", "-h", "--help", "--version"]  # fmt: skip
FOUND = [  # by earlier searches
    ["sample", "\0"],
    ["train", "--config", "a\0b"],
    ["show", "a\0b"],
]
OPTIONS = {verb: [one.name for one in list_fields(owner)] for verb, owner in VERBS.items()}
EVERY = sorted({name for names in OPTIONS.values() for name in names if name.startswith("--")})
EVERY.remove("--download")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with pictures, and no network; what takes long is done in no time."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    root = tmp_path_factory.mktemp("place")
    write_images(root / "photos", range(4))
    (root / "empty").mkdir()
    (root / "mine.toml").write_text("batch_size = 8\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("create_connection", "getaddrinfo"):
            patch.setattr(socket, name, refuse)
        for module, name in ((train, "train_in"), (train, "_dry_run"), (forget, "_forget"),
                             (processes, "run_in_processes"),
                             (shared_work, "run_in_processes"), (study, "_run")):  # fmt: skip
            patch.setattr(module, name, lambda *_, **__: 0)
        for module, name in ((demo, "train_in"), (demo, "_compare"), (demo, "_check_places")):
            patch.setattr(module, name, lambda *_, **__: 0)
        patch.setattr(demo, "_describe", lambda *_: "")
        patch.setattr(report, "_examine", lambda _: iter(()))
        patch.setattr(tune, "_Run", lambda *_: SimpleNamespace(run=lambda: 0))
        patch.setattr(serve, "lower_priority", lambda _: None)
        patch.setattr(serve, "build_server", lambda *_: SimpleNamespace(run=lambda **_: None))
        patch.setenv("SSGAN_OFFLINE", "0")  # the page sets it
        patch.setenv("SSGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.chdir(root)
        yield root


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Words of the vocabulary, most of them of one verb, some with one letter changed."""
    verb = draw(st.sampled_from([*VERBS, *VERBS, *OTHER_VERBS, "tain", "", "-h", "--version"]))
    own = [name for name in OPTIONS.get(verb, EVERY) if name.startswith("--")] or EVERY
    own = [name for name in own if name != "--download"]
    option = st.sampled_from(own)
    option |= st.sampled_from(EVERY) | st.sampled_from(SETTINGS).map("--{}".format)
    value = st.sampled_from(SOURCES) | st.sampled_from(VALUES)
    pair = st.tuples(option, value) | st.builds(lambda a, b: (f"{a}={b}",), option, value)
    parts = draw(st.lists(value.map(lambda word: (word,)) | pair | pair, max_size=6))
    words = [verb, *(word for part in parts for word in part)]
    if draw(st.integers(0, 2)) == 0:
        place = draw(st.integers(0, len(words) - 1))
        words[place] = typo(words[place], draw(st.integers(0, 10**6)))
    return words


def typo(word: str, seed: int) -> str:
    """The word with one letter more, less or another."""
    chance = random.Random(seed)
    place = chance.randrange(len(word) + 1)
    end = chance.choice((place, place + 1))
    return word[:place] + chance.choice(("", "a", "-", "=", ".", "_", "9")) + word[end:]


def answer(words: list[str]) -> tuple[int, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, err.getvalue()


def names(root: Path) -> list[str]:
    return sorted(os.path.join(*pair) for top in os.walk(root) for pair in ((top[0], n) for n in (
        *top[1], *top[2])))  # fmt: skip


def test_any_words_work_or_are_refused_in_one_line_and_create_nothing(
    place: Path, record_property: Any
) -> None:
    codes = Counter[int]()

    @given(words=command_lines())
    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    def search(words: list[str]) -> None:
        codes[refuse_or_work(words, place)] += 1

    for words in FOUND:
        refuse_or_work(words, place)
    search()
    record_property("command lines", codes.total())
    assert codes[0] > 5, codes  # few sentences of random words are commands
    assert codes[2] > 100, codes


def refuse_or_work(words: list[str], place: Path) -> int:
    """The exit code of a command; fails for anything but success or one line."""
    before = names(place)
    code, said = answer(words)
    assert code in (0, 2), said
    assert "Traceback" not in said
    if code == 2:
        (line,) = said.rstrip("\n").split("\n")
        assert line.startswith("ssgan: ")
        assert line.isprintable()
        assert names(place) == before
    return code
