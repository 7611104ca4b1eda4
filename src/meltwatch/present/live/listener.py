"""One who listens to feeds: a bounded queue, and an end rather than a gap when it is full."""

from __future__ import annotations

import asyncio

from meltwatch.present.live.picture import Told

MOST_OF_ONE = 50
"""How many of one enterprise's pictures and deltas may wait: at five a second, ten seconds."""


class Listener:
    """Takes pictures and deltas of any number of enterprises, in the order in which they come."""

    def __init__(self, enterprises: int = 1) -> None:
        """Begin with nothing waiting; it will listen to so many enterprises."""
        self.most = MOST_OF_ONE * enterprises
        self.ended = False
        self._waiting: list[Told] = []
        self._some = asyncio.Event()

    def put(self, told: Told) -> None:
        """Let something wait; one that is too slow is ended, and what waited is dropped."""
        if self.ended:
            return
        if len(self._waiting) >= self.most:
            self.end()
            return
        self._waiting.append(told)
        self._some.set()

    def end(self) -> None:
        """Take nothing more."""
        self.ended = True
        self._waiting = []
        self._some.set()

    async def take(self) -> list[Told]:
        """Return all that waits, once something does; [] when it has ended."""
        await self._some.wait()
        told, self._waiting = self._waiting, []
        if not self.ended:
            self._some.clear()
        return told
