"""`ssgan doctor`: checks the machine, tests training, and says what to mend."""

import json
import os
import sys
from collections.abc import Callable, Iterator

from ssgan.cli.doctor import machine
from ssgan.cli.doctor.extras import check_extras
from ssgan.cli.doctor.finding import Finding
from ssgan.cli.doctor.self_test import check_training
from ssgan.cli.options import Doctor
from ssgan.cli.progress import open_progress_bar
from ssgan.data import cifar10
from ssgan.files.download import OFFLINE, reach
from ssgan.metrics.inception import features as inception
from ssgan.runs.precision import resolve_device
from ssgan.types import UserError

_CHECKS: dict[str, Callable[[], Finding]] = {
    "versions": machine.check_versions,
    "devices": machine.check_devices,
    "processor": machine.check_processor,
    "threads": machine.check_threads,
    "compiler": machine.check_compiler,
    "memory": machine.check_memory,
    "disk": machine.check_disk,
    "cache": machine.check_cache,
    "extras": check_extras,
}
_DOWNLOADS = {"CIFAR-10": cifar10.URL, "Inception's weights": inception.URL}


def doctor(given: Doctor) -> int:
    """Print what was found, and at last what to mend; returns 0 if nothing, else 1."""
    resolve_device(given.device)  # refuses one that is not here, before anything is printed
    findings = []
    for finding in _examine(given):
        findings.append(finding)
        if not given.json:
            for number, line in enumerate(finding.lines):
                print(f"{'' if number else finding.title:12} {line}", flush=True)
    faults = [fault for finding in findings for fault in finding.faults]
    if given.json:
        values: dict[str, object] = {one.title.replace(" ", "_"): one.values for one in findings}
        print(json.dumps({**values, "to_mend": faults, "good": not faults}, indent=2))
    else:
        print(f"to mend: {'; '.join(faults)}" if faults else "all good")
    return 1 if faults else 0


def _examine(given: Doctor) -> Iterator[Finding]:
    """Every finding in turn, with a line of progress before each."""
    for title, check in _CHECKS.items():
        print(f"checking: {title}", file=sys.stderr, flush=True)
        yield check()
    if given.online:
        print("checking: downloads", file=sys.stderr, flush=True)
        yield check_downloads()
    print("checking: self test, at most a minute", file=sys.stderr, flush=True)
    with open_progress_bar("self test", unit="steps") as progress:
        finding = check_training(progress, given.device)
    yield finding


def check_downloads() -> Finding:
    """Whether the hosts of the files that ssgan can download answer."""
    lines, faults, values = [], [], dict[str, object]()
    for name, url in _DOWNLOADS.items():
        try:
            if os.environ.get(OFFLINE) == "1":
                raise UserError(f"{OFFLINE}=1 forbids downloads")
            reach(url)
        except UserError as error:
            faults.append(f"{name} cannot be downloaded: {error}")
        values[name] = not faults or name not in faults[-1]
        lines.append(faults[-1] if not values[name] else f"{name} can be downloaded")
    return Finding(title="downloads", lines=tuple(lines), values=values, faults=tuple(faults))
