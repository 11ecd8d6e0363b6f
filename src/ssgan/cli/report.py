"""`ssgan report RUN...`: writes one HTML file about runs; a run writes its own at its end."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ssgan.cli.config_args import import_trusted
from ssgan.cli.options import Report
from ssgan.config.text import spell_duration
from ssgan.files.errors import translate_file_errors
from ssgan.files.names import printable, readable
from ssgan.files.run_directory import RunDirectory
from ssgan.report.comparison import open_run
from ssgan.report.report import build_report, refuse_other_page, save_report


def main(given: Report) -> int:
    """Write the report; returns the exit code."""
    trusted = import_trusted(given.trust)
    runs = [open_run(path, trusted) for path in given.runs]
    layout = runs[0].layout
    target = given.out or (layout.report if len(runs) == 1 else Path("report.html"))
    root = layout.root if target == layout.report else None
    refuse_other_page(target, root)
    page = build_report(
        runs, networks=not given.quick, device=given.device, cache=given.cache, trusted=trusted
    )
    save_report(target, page, root)
    print(f"report: {readable(target)} ({target.stat().st_size / 1e6:.2g} MB)")
    return 0


def leave_report(
    directory: Path, *, quick: bool = False, cache: Path | None = None, trusted: Sequence[str] = ()
) -> None:
    """Write report.html of a run that has ended, and print so; a failure is one line, no error."""
    started = time.monotonic()
    layout = RunDirectory(directory)
    try:
        with translate_file_errors(directory):
            run = open_run(directory, trusted)
            page = build_report([run], networks=not quick, cache=cache, trusted=trusted)
            save_report(layout.report, page, layout.root)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        print(printable(f"no report was written: {reason}"), file=sys.stderr)
        return
    seconds = time.monotonic() - started
    print(f"report: {readable(layout.report)}, written in {spell_duration(seconds)}")
