"""`ssgan demo`: SS-GAN on the embedded data set, in a few minutes on two CPU cores."""

from pathlib import Path

from ssgan.cli.arguments import take_options
from ssgan.cli.train import train_in
from ssgan.data.prepare import default_cache
from ssgan.data.scan import readable
from ssgan.recipes.scenes import demo
from ssgan.types import UserError

USAGE = """usage: ssgan demo [--run DIR]

Renders 20,000 scenes, trains a small SS-GAN on them and draws what it makes. Run it again to
continue after an interruption. --run is where to write, runs/demo by default.
"""
NEXT = """
what to try next
  ssgan show {run} --curves curves.png         its losses and its rotation accuracy
  ssgan sample {run} --n 64 --gif              more images, and a walk between them
  ssgan train scenes:ssgan                     the same for ten times as long
  ssgan train --data folder:PATH               your own images, no labels needed
"""


def main(argv: list[str]) -> int:
    """Train, and say where the pictures are; returns the exit code."""
    options, rest = take_options(argv, ("run",), ("help",))
    if options.on("help"):
        print(USAGE, end="")
        return 0
    if rest:
        raise UserError(f"demo takes no {rest[0]!r}; see ssgan demo --help")
    directory = Path(options.get("run") or "runs/demo")
    code = train_in(demo(), directory, default_cache(), advise=False)
    if code == 0:
        print(NEXT.format(run=readable(directory)), end="")
    return code
