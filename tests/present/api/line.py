"""A core that is scripted: the other end of `CoreLine`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from meltwatch.audit.chain import Head
from meltwatch.present.live.core_line import CoreAway, Found, Obeyed, Order, OutOfTurn
from meltwatch.present.live.picture import Picture, Told

HEAD = Head("core", 1)


def obeyed(order: Order) -> Obeyed | OutOfTurn:
    return Obeyed(seq=order.seq, head=HEAD)


class ScriptedLine:
    """Tells its pictures to whoever asks, then whatever the test tells; obeys as the test says."""

    def __init__(self, *pictures: Picture) -> None:
        self.pictures = list(pictures)
        self.orders: list[Order] = []
        self.answers: Callable[[Order], Obeyed | OutOfTurn] = obeyed
        self.away = False
        self.found = Found()
        self.asked = 0
        self._told: asyncio.Queue[Told | None] = asyncio.Queue()

    def tell(self, told: Told) -> None:
        self._told.put_nowait(told)

    def cut(self) -> None:
        """Cut the line and stay away."""
        self.away = True
        self._told.put_nowait(None)

    async def told(self) -> AsyncGenerator[Told, None]:
        self.asked += 1
        if self.away:
            raise CoreAway("scripted")
        for one in self.pictures:
            yield one
        while (told := await self._told.get()) is not None:
            yield told
        raise CoreAway("cut")

    async def obey(self, order: Order) -> Obeyed | OutOfTurn:
        if self.away:
            raise CoreAway("scripted")
        self.orders.append(order)
        return self.answers(order)

    async def findings(self) -> Found:
        if self.away:
            raise CoreAway("scripted")
        return self.found


class Still:
    """A clock that stands until a test moves it."""

    def __init__(self, now: int) -> None:
        self.now = now

    def wall_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now
