"""One request to the server and what came of it: an answer of ours, or why there is none.

Under the link. It keeps since when the server has not answered, and reads the clock that every
answer carries. Every wait has its end; nothing here sends anything twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import httpx
import msgspec

from meltwatch.clock import Clock
from meltwatch.transport.lane import Unavailable

_ANSWER_BYTES = 8 * 1024 * 1024
_SETS_CLOCKS = {"frame.epoch_ahead", "frame.complete_to_ahead", "frame.lost_ahead"}
"""Refusals by which the server says that our clock is wrong: their time is listened to."""


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited, s: for a connection, for one request in all, for the last frames.

    `new_epoch_after_s`: an outage longer than this ends with a new epoch.
    """

    connect_s: float = 5.0
    answer_s: float = 15.0
    farewell_s: float = 3.0
    new_epoch_after_s: float = 10.0

    def client(self, url: str) -> httpx.AsyncClient:
        """Return a client that waits no longer than this."""
        timeout = httpx.Timeout(self.answer_s, connect=self.connect_s)
        return httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False)


class Heard(msgspec.Struct, frozen=True):
    """An answer's clock: asked and heard at, ms of our monotonic clock; the server's, ms UTC."""

    asked_ms: int
    heard_ms: int
    server_time: int


class Reply(NamedTuple):
    """An answer: its status and body; `failed` tells why there is none.

    `newest_epoch`: as a standing tells it. `outage_ms`: for how long the server had not answered
    before, 0 if it had. `heard`: the answer's clock, if it is one to go by.
    """

    status: int
    body: bytes
    failed: Unavailable | None = None
    newest_epoch: str | None = None
    outage_ms: int = 0
    heard: Heard | None = None


class Line:
    """The way to one server."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        clock: Clock,
        waits: Waits,
        heard: Callable[[Heard], None],
    ) -> None:
        """Use a client whose base is the server; `heard` is told every answer's clock."""
        self._client = client
        self._clock = clock
        self._waits = waits
        self._heard = heard
        self._answered_at = clock.monotonic_ms()
        self._down_since: int | None = None

    async def request(
        self, method: str, path: str, headers: dict[str, str], content: bytes
    ) -> Reply:
        """Ask once, within `answer_s`."""
        asked_ms = self._clock.monotonic_ms()
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._waits.answer_s),
                self._client.stream(method, path, headers=headers, content=content) as response,
            ):
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > _ANSWER_BYTES:
                        return self._is_down(asked_ms, "answer too long")
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            return self._is_down(asked_ms, type(error).__name__)
        status = response.status_code
        told = _told(bytes(body))
        if status >= 500 or told is None:
            return self._is_down(asked_ms, f"status {status}")
        heard_ms = self._clock.monotonic_ms()
        heard = None
        if status == 200 or told.refused in _SETS_CLOCKS:
            heard = Heard(asked_ms, heard_ms, told.server_time)
            self._heard(heard)
        since, self._down_since = self._down_since, None
        self._answered_at = heard_ms
        outage_ms = 0 if since is None else heard_ms - since
        return Reply(status, bytes(body), None, told.newest_epoch, outage_ms, heard)

    def _is_down(self, asked_ms: int, reason: str) -> Reply:
        if self._down_since is None:
            self._down_since = max(asked_ms, self._answered_at)
        return Reply(0, b"", Unavailable(reason))


class _Told(msgspec.Struct):
    """What every answer of the server holds."""

    server_time: int
    newest_epoch: str | None = None
    refused: str | None = None


def _told(body: bytes) -> _Told | None:
    try:
        return msgspec.json.decode(body, type=_Told)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
