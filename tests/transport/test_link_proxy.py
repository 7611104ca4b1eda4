"""A TCP line that breaks where a test wants it to, and a test that it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.durability.sender import HOST


class Proxy:
    """A TCP line to a port. `cuts`: after how many bytes of a client each connection breaks.

    `says`: what is said instead of the server, connection after connection; empty: nothing at all.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.up = True
        self.cuts: list[int] = []
        self.says: list[bytes] = []
        self.cut = 0
        self._to = port
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.break_all()

    def down(self) -> None:
        self.up = False
        self.break_all()

    def break_all(self) -> None:
        for one in list(self._open):
            one.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            if self.up:
                await self._answer(reader, writer)
        except OSError:
            pass  # the server is not there, or a side has gone
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.says:
            said = self.says.pop(0)
            await reader.read(100)
            writer.write(said)
            await writer.drain()
            await reader.read(-1 if not said else 1)
            return
        there, onward = await asyncio.open_connection(HOST, self._to)
        self._open.add(onward)
        after = self.cuts.pop(0) if self.cuts else None
        back = asyncio.create_task(_pipe(there, writer, None))
        try:
            if await _pipe(reader, onward, after):
                self.cut += 1
        finally:
            back.cancel()
            onward.transport.abort()
            self._open.discard(onward)


async def _pipe(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None
) -> bool:
    """Pass bytes on until the end or the `most`; tell whether it was the latter."""
    passed = 0
    with suppress(OSError):
        while part := await reader.read(1024):
            left = len(part) if most is None else most - passed
            writer.write(part[:left])
            await writer.drain()
            passed += len(part[:left])
            if left <= len(part) and most is not None:
                return True
    writer.transport.abort()
    return False


def test_a_connection_breaks_after_so_many_bytes_and_not_before() -> None:
    async def told() -> bytes:
        got = bytearray()
        ended = asyncio.Event()

        async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while part := await reader.read(1024):
                    got.extend(part)
            writer.transport.abort()
            ended.set()

        server = await asyncio.start_server(keep, HOST, 0)
        async with (
            asyncio.timeout(10),
            server,
            Proxy(server.sockets[0].getsockname()[1]).running() as proxy,
        ):
            proxy.cuts = [1500]
            _, writer = await asyncio.open_connection(HOST, proxy.port)
            writer.write(bytes(4000))
            await ended.wait()
            writer.transport.abort()
            assert proxy.cut == 1
        return bytes(got)

    assert len(asyncio.run(told())) <= 1500
