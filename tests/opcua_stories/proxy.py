"""A TCP proxy that really cuts the line: what is connected is reset, what is new gets nowhere."""

from __future__ import annotations

import asyncio
from typing import Self

HOST = "127.0.0.1"
AT_ONCE = 65_536


class Proxy:
    """Passes bytes to a port while it is `up`.

    Cut `mute`, it takes connections and lets nothing through, like a network that swallows
    packets; else it resets them at once, like a host that refuses. `async with` starts and stops.
    """

    def __init__(self, port: int) -> None:
        """Stand before a port of loopback."""
        self.refused = 0
        """Connections that came while the line was cut."""
        self._to = port
        self._up = True
        self._mute = False
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._meet, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up on everybody."""
        assert self._server is not None
        self._server.close()
        self._hang_up()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, *, mute: bool) -> None:
        """Cut the line: reset what is connected; see above for what comes."""
        self._up, self._mute = False, mute
        self._hang_up()

    def mend(self) -> None:
        """Let it through again; whoever hung on the cut line is reset."""
        self._up = True
        self._hang_up()

    def _hang_up(self) -> None:
        for one in self._open:
            one.transport.abort()
        self._open.clear()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._up:
            self.refused += 1
            if not self._mute:
                writer.transport.abort()
                return
            self._open.add(writer)
            await _swallow(reader)
            return
        there, thither = await asyncio.open_connection(HOST, self._to)
        if not self._up:
            writer.transport.abort()
            thither.transport.abort()
            return
        self._open |= {writer, thither}
        await asyncio.gather(_pass(reader, thither), _pass(there, writer))
        self._open -= {writer, thither}


async def _swallow(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(AT_ONCE):
            pass
    except OSError:
        return


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(AT_ONCE):
            writer.write(part)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
