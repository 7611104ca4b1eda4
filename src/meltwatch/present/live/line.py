"""The real line to the core: HTTP over the local socket, every wait with an end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import httpx
import msgspec

from meltwatch.errors import Problem
from meltwatch.present.live.core_line import (
    CoreAway,
    Found,
    Obeyed,
    Order,
    OrderRefused,
    OutOfTurn,
    Requeue,
    Requeued,
)
from meltwatch.present.live.picture import Told
from meltwatch.present.live.wire import SILENT_S, SOCKET, Unframing, is_private, socket_of

CONNECT_S = 2.0
ANSWER_S = 5.0
_BASE = "http://core"


class SocketLine:
    """A `CoreLine` to the core of a data directory; close it after use."""

    def __init__(self, data: Path) -> None:
        """Prepare the line; nothing is connected before it is used."""
        self.path = socket_of(data)
        self._own = self.path == data.resolve() / SOCKET
        transport = httpx.AsyncHTTPTransport(uds=str(self.path), trust_env=False)
        waits = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        self._client = httpx.AsyncClient(
            transport=transport, base_url=_BASE, timeout=waits, trust_env=False
        )

    async def told(self) -> AsyncGenerator[Told, None]:
        """Yield a picture of every enterprise, then their deltas, until the line is cut.

        Raises CoreAway: not there, silent for `SILENT_S`, ended, or of another version.
        """
        self._look()
        waits = httpx.Timeout(SILENT_S, connect=CONNECT_S)
        try:
            async with self._client.stream("GET", "/told", timeout=waits) as response:
                if response.status_code != httpx.codes.OK:
                    raise CoreAway(f"{self.path}: answers {response.status_code}")
                cut = Unframing()
                raw = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
                async with aclosing(raw) as parts:
                    async for data in parts:
                        for one in cut.feed(data):
                            yield one
        except (httpx.HTTPError, OSError) as error:
            raise self._away(error) from error
        raise CoreAway(f"{self.path}: ended")

    async def obey(self, order: Order) -> Obeyed | OutOfTurn:
        """Have an order logged and obeyed; raises CoreAway: try the same again, OrderRefused."""
        self._look()
        body = msgspec.msgpack.encode(order)
        try:
            response = await self._client.post("/orders", content=body)
        except (httpx.HTTPError, OSError) as error:
            raise self._away(error) from error
        try:
            match response.status_code:
                case httpx.codes.OK:
                    return msgspec.msgpack.decode(response.content, type=Obeyed)
                case httpx.codes.CONFLICT:
                    return msgspec.msgpack.decode(response.content, type=OutOfTurn)
                case httpx.codes.UNPROCESSABLE_ENTITY:
                    raise OrderRefused(msgspec.msgpack.decode(response.content, type=Problem))
                case status:
                    raise CoreAway(f"{self.path}: answers {status}")
        except msgspec.DecodeError as error:
            raise self._away(error) from error

    async def requeue(self, asked: Requeue) -> Requeued:
        """Have rows requeued; raises CoreAway: look again what was done, OrderRefused."""
        self._look()
        try:
            response = await self._client.post("/requeue", content=msgspec.msgpack.encode(asked))
            if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
                raise OrderRefused(msgspec.msgpack.decode(response.content, type=Problem))
            response.raise_for_status()
            return msgspec.msgpack.decode(response.content, type=Requeued)
        except (httpx.HTTPError, OSError, msgspec.DecodeError) as error:
            raise self._away(error) from error

    async def findings(self) -> Found:
        """Ask what is wrong with the node itself; raises CoreAway."""
        self._look()
        try:
            response = await self._client.get("/findings")
            response.raise_for_status()
            return msgspec.msgpack.decode(response.content, type=Found)
        except (httpx.HTTPError, OSError, msgspec.DecodeError) as error:
            raise self._away(error) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        """Return the line."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self.aclose()

    def _look(self) -> None:
        """Speak to nobody in a place that somebody else could have made."""
        if not (self._own or is_private(self.path.parent)):
            raise CoreAway(f"{self.path.parent}: is not there, or not ours alone")

    def _away(self, error: Exception) -> CoreAway:
        return CoreAway(f"{self.path}: {type(error).__name__} {error}")
