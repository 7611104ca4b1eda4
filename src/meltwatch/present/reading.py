"""Reading the body of a request: within its size, its time, and the room that there is for all.

What is being read counts as it comes, so that whoever promises much and sends little holds little;
what has been read counts until it is answered. Nothing is read that has no room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from meltwatch.transport.errors import Busy, Slow, TooLarge, Unreadable, problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

BUSY_AFTER_MS = 500
ROOM_BYTES = 128 * 1024 * 1024
OF_ONE = 4
"""A single sender gets so many-th of the room at most."""
BODY_S = 20.0
"""A body that is not whole after so long is ended; a gateway waits 15 s for an answer."""


class Room:
    """How many bytes of bodies are held, in all and of each sender."""

    def __init__(self, most: int = ROOM_BYTES) -> None:
        """Begin empty."""
        self.most = most
        self.held = 0
        self._of: dict[str, int] = {}

    def fits(self, sender: str, size: int) -> bool:
        """Tell whether a sender may hold so many bytes more."""
        own = self._of.get(sender, 0) + size
        return self.held + size <= self.most and own <= self.most // OF_ONE

    def hold(self, sender: str, size: int) -> None:
        """Count bytes as held; raises Busy, and counts nothing, when there is no room."""
        if not self.fits(sender, size):
            raise Busy(BUSY_AFTER_MS)
        self.held += size
        self._of[sender] = self._of.get(sender, 0) + size

    def free(self, sender: str, size: int) -> None:
        """Count bytes as gone."""
        self.held -= size
        left = self._of.get(sender, 0) - size
        if left > 0:
            self._of[sender] = left
        else:
            self._of.pop(sender, None)


class Held:
    """What one request holds of the room, until it is answered."""

    def __init__(self, room: Room, sender: str) -> None:
        """Hold nothing yet. `sender`: who it says it is; not proven before it is read."""
        self._room, self._sender, self._size = room, sender, 0

    def more(self, size: int) -> None:
        """Hold so many bytes more; raises Busy."""
        self._room.hold(self._sender, size)
        self._size += size

    def fits(self, size: int) -> bool:
        """Tell whether so many bytes would have room."""
        return self._room.fits(self._sender, size)

    def let_go(self) -> None:
        """Hold nothing any more."""
        self._room.free(self._sender, self._size)
        self._size = 0


async def read_body(
    receive: Receive, told: int | None, limit: int, held: Held, within_s: float = BODY_S
) -> bytes:
    """Return the body. `told`: its length as the head tells it; `limit`: the most bytes.

    Raises TooLarge, Busy, Slow, and Unreadable when the sender has gone. What is refused is read on
    to its end and dropped, within the same time: a sender that is cut off does not hear why.
    """
    refused: TooLarge | Busy | None = None
    if told is not None:
        refused = _too_large(told, limit) if told > limit else None
        if refused is None and not held.fits(told):
            refused = Busy(BUSY_AFTER_MS)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Unreadable(problem("", "frame.json_broken", {"position": size}))
                part: bytes = message.get("body", b"")
                size += len(part)
                if refused is None and size > limit:
                    refused = _too_large(size, limit)
                if refused is None:
                    refused = _kept(parts, part, held)
                if refused is not None:
                    parts.clear()
                    held.let_go()
                    if size > 2 * limit:
                        raise refused
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Slow(within_s, size) from None
    if refused is not None:
        raise refused
    return b"".join(parts)


def _kept(parts: list[bytes], part: bytes, held: Held) -> Busy | None:
    try:
        held.more(len(part))
    except Busy as busy:
        return busy
    parts.append(part)
    return None


def _too_large(size: int, limit: int) -> TooLarge:
    return TooLarge(problem("", "frame.body_too_large", {"bytes": size, "limit": limit}))
