"""Who may speak to the page, and how much they may say: the gate in front of every request.

The address holds a secret token. A request without it, with the name of another host, or from a
page of another site is refused with 403, before anything else is read. No response allows another
site to read it. Bodies are bounded in bytes and in seconds, and at most one upload is in memory.
"""

import asyncio
import hmac
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from ssgan.types import UserError

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOAD_PATH = "/api/pictures"
MOST_UPLOAD_BYTES, MOST_BODY_BYTES = 8 * 2**20, 2**16
MOST_HEADERS = 100
BODY_SECONDS = 20.0  # for a whole body
RANDOM = "random"  # the word for a token that is drawn
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ANY_ADDRESS = ("0.0.0.0", "::")
_BODY_TYPES = (b"application/json", b"application/octet-stream")  # no form of a page sends these
_SAME_SITE = (b"same-origin", b"none")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)


@dataclass(frozen=True)
class Access:
    """Where the page is served, and the secret in its address."""

    host: str  # an address or a name of this machine
    token: str

    @property
    def is_loopback(self) -> bool:
        """Whether other machines cannot reach the page."""
        return is_loopback(self.host)

    def allows_host(self, name: str) -> bool:
        """Whether a request may name this host: ours, or an address where we serve on all.

        A site of somebody else that resolves to this machine has a name of its own.
        """
        if name in _LOOPBACK or name in (self.host, f"[{self.host}]"):
            return True
        if self.host not in _ANY_ADDRESS:
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def is_loopback(host: str) -> bool:
    """Whether an address or name stands for this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def choose_access(host: str, token: str | None) -> Access:
    """The access to a page; a token is drawn unless one is given.

    Raises UserError for another host than this machine without a token, and for a weak token.
    """
    if token is None and not is_loopback(host):
        raise UserError(
            f"--host {host} serves the page to other machines: give --token {RANDOM} too, or a "
            "token of your own"
        )
    if token in (None, RANDOM):
        return Access(host, secrets.token_urlsafe(24))
    if not _TOKEN.fullmatch(str(token)):
        raise UserError(
            "--token must have 16 to 128 letters, digits, - and _, or be the word "
            f"{RANDOM}, which draws one"
        )
    return Access(host, str(token))


class Refusal(Exception):  # noqa: N818 - names the answer
    """A request that is not served: the status and one line."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Gate:
    """The application behind the checks; the token is removed from the path."""

    def __init__(self, app: AsgiApp, access: Access) -> None:
        self._app, self._access = app, access
        self._uploading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = _with_headers(send)
        try:
            headers = _read_headers(scope)
            self._check_sender(scope, headers)
            path = self._open_path(scope)
            is_upload = path == UPLOAD_PATH and scope["method"] == "POST"
            if is_upload and self._uploading.locked():
                raise Refusal(429, "another upload is being read: try again")
            if is_upload:
                async with self._uploading:
                    await self._serve({**scope, "path": path}, receive, answer, headers)
            else:
                await self._serve({**scope, "path": path}, receive, answer, headers)
        except Refusal as refusal:
            await _refuse(refusal, answer)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes]
    ) -> None:
        most = 0
        if scope["method"] == "POST":
            most = MOST_UPLOAD_BYTES if scope["path"] == UPLOAD_PATH else MOST_BODY_BYTES
        body = await _read_body(headers, receive, most)
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)

    def _check_sender(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Raise Refusal for another host's name, and for what a page of another site sends."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._access.allows_host(re.sub(r":[0-9]{1,5}$", "", host)):
            raise Refusal(403, "this page is not served under that name")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").lower() != f"http://{host}":
            raise Refusal(403, "a page of another site sent this")
        if headers.get(b"sec-fetch-site", b"none") not in _SAME_SITE:
            raise Refusal(403, "a page of another site sent this")
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD", "POST"):
            raise Refusal(405, "only GET and POST are served")
        if scope["method"] == "POST":
            if origin is None:
                raise Refusal(403, "a request that changes something must name its origin")
            kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind not in _BODY_TYPES:
                raise Refusal(403, "forms are not served")

    def _open_path(self, scope: Scope) -> str:
        """The path after the token; raises Refusal without the token."""
        raw = scope.get("raw_path") or b""
        first, slash, _ = raw.lstrip(b"/").partition(b"/")
        given = unquote_to_bytes(first)
        if not (slash and hmac.compare_digest(given, self._access.token.encode())):
            raise Refusal(403, "open the address that ssgan web printed")
        path: str = scope["path"]
        return path[len(self._access.token) + 1 :]


def _read_headers(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers of a request.

    Raises Refusal for too many, and where one that we check is there twice.
    """
    if len(scope["headers"]) > MOST_HEADERS:
        raise Refusal(431, f"a request here has at most {MOST_HEADERS} headers")
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in found and name in (b"host", b"origin", b"content-type", b"content-length"):
            raise Refusal(403, f"two headers {name.decode()}")
        found[name] = value
    return found


async def _read_body(headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes:
    """The whole body, at most so many bytes; raises Refusal for more, and for one that is slow."""
    stated = headers.get(b"content-length", b"0")
    if not stated.isdigit() or int(stated[:20]) > most:
        raise Refusal(413, f"a body here has at most {most} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "the connection ended within the body")
                body += message.get("body", b"")
                if len(body) > most:
                    raise Refusal(413, f"a body here has at most {most} bytes")
                if not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise Refusal(408, "the body took too long") from None


def _with_headers(send: Send) -> Send:
    """`send` that adds our headers to every response."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message.get("headers", ())}
            more = [pair for pair in _HEADERS if pair[0] not in names]
            if b"cache-control" not in names:
                more.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return answer


async def _refuse(refusal: Refusal, send: Send) -> None:
    body = f"{refusal.words}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
