"""Packages that read untrusted files, and the versions that fixed what a malicious one could do."""

import re

from ssgan.files.environment import package_version

FIRST_GOOD = {
    "torch": ("2.6.0", "a file of weights can run code"),
    "pillow": ("12.3.0", "an image can be made to write outside of its memory"),
    "pyarrow": ("14.0.1", "a Parquet file can run code"),
}


def outdated() -> list[str]:
    """A sentence for each installed package that is older than its first good version."""
    installed = {package: package_version(package) for package in FIRST_GOOD}
    return [
        f"{package} {version} has a known fault ({fault}); {good} and later have not: update it"
        for package, (good, fault) in FIRST_GOOD.items()
        if (version := installed[package]) != "unknown" and numbers(version) < numbers(good)
    ]


def numbers(version: str) -> tuple[int, ...]:
    """`12.3.0` as (12, 3, 0), without what follows: two versions compare as these do."""
    found = re.match(r"\d+(\.\d+)*", version)
    whole = [int(part) for part in found[0].split(".")] if found else []
    return (*whole, 0, 0, 0)[:3]
