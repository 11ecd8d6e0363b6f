"""Server-sent events: the rows of all runs once, then what changes, to every open page.

The folder is read only while a page is open, by one task for all of them.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

_POLL_SECONDS = 2.0
_PAUSE = 20.0  # times as long as a reading took, so that it costs a twentieth of a core
_LONGEST_PAUSE = 8.0  # seconds
_LOG = logging.getLogger("ssgan")
_BEAT_SECONDS = 15.0  # between comments that show a lost connection
_RETRY = b"retry: 3000\n\n"
_BEAT = b": still here\n\n"

Rows = Sequence[Mapping[str, Any]]


class LiveRuns:
    """The newest rows, and the pages that wait for others."""

    def __init__(self, read: Callable[[], Awaitable[Rows]], poll_seconds: float = _POLL_SECONDS):
        self._read, self._poll_seconds = read, poll_seconds
        self._rows: dict[str, Mapping[str, Any]] | None = None  # by id; None: not read yet
        self._news = asyncio.Condition()
        self._pages = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        """Events for one page until it is closed, or the server ends."""
        self._pages += 1
        if self._task is None:
            self._task = asyncio.create_task(self._poll())
        try:
            yield _RETRY
            shown: dict[str, Mapping[str, Any]] | None = None
            while True:
                newest = await self._wait_for_other_than(shown)
                if self._closed:
                    return
                if newest is None:
                    yield _BEAT
                    continue
                yield format_event("runs", compare_rows(shown, newest))
                shown = newest
        finally:
            self._pages -= 1
            if not self._pages and self._task is not None:
                self._task.cancel()
                self._task, self._rows = None, None

    async def close(self) -> None:
        """End all streams."""
        async with self._news:
            self._closed = True
            self._news.notify_all()

    async def _wait_for_other_than(
        self, shown: Mapping[str, Mapping[str, Any]] | None
    ) -> dict[str, Mapping[str, Any]] | None:
        """The newest rows as soon as they differ; None when that takes long."""
        try:
            async with asyncio.timeout(_BEAT_SECONDS), self._news:
                await self._news.wait_for(
                    lambda: self._closed or (self._rows is not None and self._rows != shown)
                )
        except TimeoutError:
            return None
        return self._rows

    async def _poll(self) -> None:
        while True:
            began = time.monotonic()
            try:
                rows = {str(row["id"]): row for row in await self._read()}
            except Exception:  # the folder may be back in a moment
                _LOG.exception("the runs could not be read")
                rows = self._rows or {}
            if rows != self._rows:
                self._rows = rows
                async with self._news:
                    self._news.notify_all()
            took = time.monotonic() - began
            await asyncio.sleep(max(self._poll_seconds, min(_LONGEST_PAUSE, _PAUSE * took)))


def compare_rows(
    shown: Mapping[str, Mapping[str, Any]] | None, newest: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What a page that shows some rows must change: rows by id, and the ids that are gone."""
    before = shown or {}
    changed = [row for run_id, row in newest.items() if before.get(run_id) != row]
    gone = [run_id for run_id in before if run_id not in newest]
    return {"whole": shown is None, "changed": changed, "gone": gone}


def format_event(name: str, content: object) -> bytes:
    """An event in the format of the standard; JSON has no line breaks."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n".encode()
