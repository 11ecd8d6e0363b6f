"""The options of `ssgan web`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ssgan.cli.options import Options
from ssgan.cli.parser import argument, option


@dataclass(frozen=True, kw_only=True)
class Web(Options):
    """Show runs in the browser: live curves, samples, latents, rotations, features.

    It serves a page to this machine alone, at an address with a secret word. It reads run
    directories and changes nothing. Ctrl-C ends it.
    """

    # the folder that holds the runs, or one run
    folder: Path | None = argument(None, "DIR")
    # port of the address
    port: int | None = option(None, at_least=0, at_most=65535, default_text="8300, or a free one")
    # address to serve at; another one than 127.0.0.1 requires --token, because other machines can
    # then reach the page, without encryption
    host: str = option("127.0.0.1", "ADDRESS")
    # secret word of the address, 16 letters or more; random draws one
    token: str | None = option(None, "WORD", default_text="drawn at every start")
    trust: tuple[str, ...] = option((), "MODULE")

    usage: ClassVar[tuple[str, ...]] = ("[DIR] [--port N]", "[DIR] --host ADDRESS --token random")
    synonyms: ClassVar[Mapping[str, str]] = {"--address": "--host", "--bind": "--host"}
