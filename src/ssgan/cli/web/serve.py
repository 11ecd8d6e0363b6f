"""`ssgan web [DIR]`: serves the page of runs until it is interrupted."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import torch

from ssgan.cli.config_args import import_trusted
from ssgan.cli.web.options import Web
from ssgan.files.download import OFFLINE
from ssgan.files.names import readable
from ssgan.types import UserError
from ssgan.web.app import build_app, build_site
from ssgan.web.security import choose_access
from ssgan.web.server import (
    build_server,
    format_address,
    lower_priority,
    open_socket,
    require_web,
)

_BELOW_OTHERS, _FURTHER_BELOW = 5, 7  # steps of priority: of the page, and of its long work


def main(given: Web) -> int:
    """Serve until Ctrl-C; returns the exit code."""
    require_web()
    root = given.folder or Path("runs")
    if given.folder is not None and not root.is_dir():
        raise UserError(f"{readable(root)} is no folder: give the folder that holds your runs")
    access = choose_access(given.host, given.token)
    trusted = import_trusted(given.trust)
    os.environ |= {OFFLINE: "1", "HF_HUB_OFFLINE": "1"}  # no request on a page's behalf
    torch.set_num_threads(1)
    listening = open_socket(access.host, given.port)
    lower_priority(_BELOW_OTHERS)
    site = build_site(root, trusted, lambda: lower_priority(_FURTHER_BELOW))
    server = build_server(build_app(site), access, site.live.close)
    port = listening.getsockname()[1]
    print(f"{readable(root)}: open {format_address(access, port)}")
    print("whoever has this address sees the runs; Ctrl-C ends the page", flush=True)
    if not access.is_loopback:
        print(
            f"warning: served to other machines at {access.host}, without encryption",
            file=sys.stderr,
        )
    with listening, suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    site.stop()
    return 0
