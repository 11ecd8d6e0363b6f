"""The first image of `ssgan web`, how much a training slows down beside the page, and how much of a
core the page takes.

    python benchmarks/web.py [--work open,images,projection] [--seconds 8] [--json FILE]

The page shows a run of `objects:demo` with few steps. Beside it trains another run of that recipe,
alone and with each kind of work in turns:

    open         a page follows all runs
    images       it also asks for five images a second
    projection   it also projects a picture all the time
"""

import argparse
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.busy import rate_of
from benchmarks.report import begin, finish, parser_of, percent, table

TOKEN = "a-token-of-a-benchmark"
SHOWN = "--total_steps 20 --evaluate.every 0 --output.sample_every 20 --no-report"
TRAINED = "--total_steps 1000000 --evaluate.every 0 --output.sample_every 0 --output.log_every 1"
SHOWN_ID = re.compile(rb'"id":"([0-9a-f]+)"[^{}]*"name":"shown"')
WORK = ("open", "images", "projection")
_STEPS = 1000  # of a projection


class Page:
    """A served page, as a browser asks it."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self.run, self.state = "", "newest"

    def ask(self, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """The body of the answer; raises RuntimeError unless it is 200."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"origin": f"http://127.0.0.1:{self.port}", "content-type": kind}
        link.request("GET" if body is None else "POST", f"/{TOKEN}/{path}", body, headers)
        answer = link.getresponse()
        data = answer.read()
        link.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {data[:200]!r}")
        return data

    def cpu_seconds(self) -> float:
        """Seconds on a core that its process took so far."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def follow(self) -> Iterator[None]:
        """Within, a page is open: it reads the events of all runs."""
        link = http.client.HTTPConnection("127.0.0.1", self.port)
        link.request("GET", f"/{TOKEN}/api/events")
        answer, ended, first = link.getresponse(), threading.Event(), threading.Event()

        def read() -> None:
            with suppress(OSError, ValueError, AttributeError):  # the connection is closed below
                while not ended.is_set() and (line := answer.readline()):
                    if not self.run and (found := SHOWN_ID.search(line)):
                        self.run = found[1].decode()
                        first.set()

        threading.Thread(target=read, daemon=True).start()
        if not self.run and not first.wait(60):
            raise RuntimeError("the page lists no run")
        try:
            yield
        finally:
            ended.set()
            link.close()

    def draw(self, seed: int) -> bytes:
        """The image of a seed, as a PNG."""
        return self.ask(f"api/image/{self.run}/{self.state}/{seed}")


@contextmanager
def serving(folder: Path) -> Iterator[Page]:
    """Within, `ssgan web` serves the folder."""
    words = [sys.executable, "-m", "ssgan", "web", str(folder), "--port", "0", "--token", TOKEN]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        if found is None:
            raise RuntimeError("ssgan web printed no address")
        yield Page(int(found[1]), process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@contextmanager
def repeating(action: Callable[[int], object], pause: float) -> Iterator[None]:
    """Within, a thread does the action again and again, with a number that counts up."""
    ended = threading.Event()

    def work() -> None:
        number = 0
        while not ended.wait(pause):
            action(number)
            number += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)


def project(page: Page, picture: bytes) -> None:
    """Start a projection, and wait for its end for at most a second, then end it."""
    path = f"api/pictures?run={page.run}&steps={_STEPS}"
    job = json.loads(page.ask(path, picture, "application/octet-stream"))["id"]
    time.sleep(1.0)
    if json.loads(page.ask(f"api/jobs/{job}"))["state"] in ("waiting", "running"):
        time.sleep(3.0)
        page.ask(f"api/jobs/{job}/end", b"{}")


@contextmanager
def working(
    kind: str, folder: Path, picture: bytes, shares: dict[str, list[float]]
) -> Iterator[None]:
    """Within, that kind of work is done for a page; the share of a core that it took is added."""
    with ExitStack() as stack:
        page = stack.enter_context(serving(folder))
        stack.enter_context(page.follow())
        if kind == "images":
            stack.enter_context(repeating(page.draw, 0.2))
        if kind == "projection":
            stack.enter_context(repeating(lambda _: project(page, picture), 0.0))
        began, used = time.monotonic(), page.cpu_seconds()
        yield
        shares[kind].append((page.cpu_seconds() - used) / (time.monotonic() - began))


def measure_images(folder: Path) -> dict[str, float]:
    """Seconds until the first image of a new page, and of the next 29."""
    with serving(folder) as page, page.follow():
        times = []
        for seed in range(30):
            began = time.perf_counter()
            page.draw(seed)
            times.append(time.perf_counter() - began)
    return {"first image, s": times[0], "later, median": statistics.median(times[1:]),
            "later, maximum": max(times[1:])}  # fmt: skip


def measure_trainings(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Images a second of a training alone and beside each kind of work, in turns."""
    picture = next((folder / "shown" / "samples").glob("*.png")).read_bytes()
    rates: dict[str, list[float]] = {name: [] for name in ("alone", *options.work)}
    shares: dict[str, list[float]] = {name: [] for name in options.work}
    for turn in range(options.repeats):
        for name in list(rates)[:: 1 if turn % 2 == 0 else -1]:
            directory = folder / "other" / f"run-{turn}-{name}"
            words = ["-m", "ssgan", "train", "objects:demo", "--run", str(directory)]
            beside = nullcontext() if name == "alone" else working(name, folder, picture, shares)
            with beside:
                rate = rate_of([*words, *TRAINED.split()], directory, {}, "file", options.seconds)
            rates[name].append(rate)
            print(f"{name}: {rate:.1f} images/s", file=sys.stderr)
    alone = statistics.median(rates["alone"])
    return [
        {"work": name, "images/s": statistics.median(found), "rates": found,
         "slower by": percent(1 - statistics.median(found) / alone),
         "of a core": percent(statistics.median(shares.get(name, [0.0])))}
        for name, found in rates.items()
    ]  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    parser = parser_of(__doc__ or "", repeats=3)
    parser.add_argument("--work", type=lambda text: text.split(","), default=",".join(WORK))
    parser.add_argument("--seconds", type=float, default=8.0, help="of every training")
    options = parser.parse_args(argv)
    header = begin(options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [sys.executable, "-m", "ssgan", "train", "objects:demo", "--run", f"{name}/shown"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ}
        subprocess.run([*words, *SHOWN.split()], check=True, **quiet)
        images = measure_images(folder)
        print(table([images]))
        rows = measure_trainings(options, folder)
    print(table([{**row, "rates": len(row["rates"])} for row in rows]))
    finish(options, header, images=images, rows=rows)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
