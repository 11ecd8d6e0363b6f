"""Downloads: https only, of a known sha256 and bounded size, whole or not at all.

Not by pooch, whose downloaders limit neither size, redirects nor total time. With a downloader
that does, this file is no shorter, and neither the system's certificates nor fsync are used.
"""

import hashlib
import http.client
import ipaddress
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ssgan.files.atomic import DiskFull, free_bytes, open_atomic
from ssgan.files.links import refuse_links
from ssgan.files.ownership import warn_of_other_writers
from ssgan.types import UserError

Progress = Callable[[int, int], None]  # (done, total)

OFFLINE = "SSGAN_OFFLINE"  # environment variable: 1 forbids every download
_READ_BYTES = 1 << 16
_BROKEN = (urllib.error.URLError, http.client.HTTPException, OSError)


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str,
    max_bytes: int,
    progress: Progress | None = None,
    timeout_seconds: float = 30.0,
    total_seconds: float = 3600.0,
    retries: int = 2,
) -> Path:
    """Return `path` holding the bytes with this sha256, downloading them if they are not there.

    An existing file is verified each time, 1 GB/s. `progress` gets bytes done and in total (0 when
    the server does not say). `timeout_seconds` bounds each wait, `total_seconds` the whole. After
    a broken connection there are up to `retries` further attempts. Plain http is for loopback
    addresses only; proxies come from the environment. Raises UserError when offline or when the
    bytes are wrong or `path` is a link, DiskFull when they do not fit; `path` is unchanged then.
    """
    refuse_links(path.parent.parent, path.parent, path)
    warn_of_other_writers(path.parent)
    if path.is_file() and file_sha256(path) == sha256:
        return path
    if os.environ.get(OFFLINE) == "1":
        state = "has another sha256 than" if path.exists() else "is missing; it would come from"
        raise UserError(
            f"{OFFLINE}=1 forbids downloads, and {path} {state} {url}: "
            f"put the file with sha256 {sha256} there"
        )
    _check_url(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + total_seconds
    for attempt in range(retries + 1):
        try:
            with _opener(url).open(url, timeout=timeout_seconds) as response:
                _receive(response, path, sha256, max_bytes, progress, deadline)
            return path
        except _BROKEN as error:
            final = isinstance(error, urllib.error.HTTPError) and error.code < 500
            reason = " ".join(str(getattr(error, "reason", None) or error).split())
            if isinstance(error, urllib.error.HTTPError):
                error.close()
        if final or attempt == retries or time.monotonic() > deadline:
            break
        time.sleep(attempt + 1)
    raise UserError(
        f"{url} could not be downloaded ({reason}); try again, or put the file at {path}"
    )


def reach(url: str, timeout_seconds: float = 10.0) -> None:
    """Raise UserError unless the server answers for this file; nothing is downloaded."""
    _check_url(url)
    request = urllib.request.Request(url, method="HEAD")
    try:
        with _opener(url).open(request, timeout=timeout_seconds):
            return
    except _BROKEN as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split())
        if isinstance(error, urllib.error.HTTPError):
            error.close()
    raise UserError(f"{url} could not be reached ({reason})")


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(
    response: Any,
    path: Path,
    sha256: str,
    max_bytes: int,
    progress: Progress | None,
    deadline: float,
) -> None:
    """Write the body to `path` if it has the right size and sha256."""
    url, total = response.url, response.length or 0
    if total > max_bytes:
        raise UserError(f"{url} holds {total:,} bytes, more than the {max_bytes:,} expected")
    if total > free_bytes(path.parent):
        raise DiskFull(path, total, free_bytes(path.parent))
    digest = hashlib.sha256()
    with open_atomic(path, total or None) as file:
        while piece := response.read1(_READ_BYTES):
            if file.written + len(piece) > max_bytes:
                raise UserError(f"{url} sends more than the {max_bytes:,} bytes expected")
            if time.monotonic() > deadline:
                raise TimeoutError("too slow")
            digest.update(piece)
            file.write(piece)
            if progress is not None:
                progress(file.written, total)
        if total and file.written < total:
            raise ConnectionError(f"it ended after {file.written:,} of {total:,} bytes")
        if digest.hexdigest() != sha256:
            raise UserError(
                f"{url} sent a file with sha256 {digest.hexdigest()}, not {sha256}: "
                "it was changed on the way or at its source, and is not used"
            )


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.hostname and parts.scheme == "https":
        return
    if parts.scheme == "http" and _loopback(parts.hostname):
        return
    raise UserError(f"downloads come over https only, not from {url}")


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects that stay on https, and none from outside to this machine."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,  # the response, a file in all but name
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        outside = not _loopback(urlsplit(req.full_url).hostname)
        try:
            _check_url(newurl)
            if outside and _loopback(urlsplit(newurl).hostname):
                raise UserError(f"{req.full_url} redirects to this machine ({newurl})")
        except UserError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Proxies from the environment are used, but never for this machine."""
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if _loopback(urlsplit(url).hostname):
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)
