"""What the tests of this folder stand on: a bounded loop, a source with its listener, and a
recorder of every service request that reaches a server."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self, TypeVar

from asyncua import ua
from asyncua.server.uaprocessor import UaProcessor
from asyncua.ua.object_ids import ObjectIdNames

from meltwatch.clock import SystemClock
from meltwatch.collect.opcua import Batch, OpcUa, OpcUaSource, Player, Report
from meltwatch.model.ids import PointCode
from meltwatch.model.sample import Row

CLOCK = SystemClock()
FLOW, PRESSURE, PHASE = (PointCode(f"well/{name}") for name in ("flow", "pressure", "phase"))
T = TypeVar("T")

READING = {
    "ActivateSessionRequest",
    "CloseSecureChannelRequest",
    "CloseSessionRequest",
    "CreateMonitoredItemsRequest",
    "CreateSessionRequest",
    "CreateSubscriptionRequest",
    "PublishRequest",
    "ReadRequest",
}
"""All that a source may ask of a server; OpenSecureChannel is no service of a session."""


class Recorder:
    """Notes the name of every service request that reaches any server of this process."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._process = UaProcessor._process_message

    def __enter__(self) -> Self:
        process, requests = self._process, self.requests

        async def noted(self: UaProcessor, typeid: ua.NodeId, *rest: Any) -> Any:
            assert isinstance(typeid.Identifier, int)
            name = ObjectIdNames[typeid.Identifier]
            requests.append(name.removesuffix("_Encoding_DefaultBinary"))
            return await process(self, typeid, *rest)  # type: ignore[no-untyped-call]  # theirs

        UaProcessor._process_message = noted  # type: ignore[method-assign]  # records, passes on
        return self

    def __exit__(self, *_: object) -> None:
        UaProcessor._process_message = self._process  # type: ignore[method-assign]  # as it was


class Listener:
    """Takes a source's batches as a gateway would, and holds them to their word."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.reports: list[Report] = []
        self.behind: list[Row] = []
        self._news = asyncio.Condition()

    @property
    def rows(self) -> list[Row]:
        return [row for batch in self.batches for row in batch.rows]

    @property
    def complete_to(self) -> int:
        return self.batches[-1].complete_to if self.batches else -1

    @property
    def runs(self) -> list[Batch]:
        """Return the first batch of every run."""
        return [batch for batch in self.batches if batch.gap]

    def told(self, key: str) -> list[tuple[str, bool]]:
        """Return the reports with a key as (point, over)."""
        return [(report.point, report.over) for report in self.reports if report.key == key]

    def of(self, code: PointCode) -> list[Row]:
        return [row for row in self.rows if row[0] == code]

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something holds that batches or reports bring about."""
        async with asyncio.timeout(15), self._news:
            await self._news.wait_for(lambda: bool(true()))

    async def take(self, source: OpcUaSource) -> None:
        async with aclosing(source.batches()) as batches:
            async for batch in batches:
                self.behind += [row for row in batch.rows if row[1] <= self.complete_to]
                assert batch.complete_from <= batch.complete_to
                assert batch.gap or batch.complete_from == self.complete_to
                assert batch.complete_from >= self.complete_to
                self.batches.append(batch)
                await self.notify()

    async def notify(self) -> None:
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def listening(asked: OpcUa) -> AsyncIterator[Listener]:
    """Run a source in the background and listen to it; its failure is the test's."""
    listener = Listener()
    tasks = set[asyncio.Task[None]]()

    def tell(report: Report) -> None:
        listener.reports.append(report)
        tasks.add(asyncio.create_task(listener.notify()))

    source = OpcUaSource(asked, CLOCK, random.Random(7), tell)
    taking = asyncio.create_task(listener.take(source))
    try:
        yield listener
    finally:
        taking.cancel()
        done = await asyncio.gather(taking, *tasks, return_exceptions=True)
    for one in done:
        if isinstance(one, Exception):
            raise one


def bounded(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test's coroutine, for 30 s at most."""

    async def run() -> T:
        return await asyncio.wait_for(test(), 30)

    return asyncio.run(run())


class Stand:
    """A server and its loop, for several tests."""

    def __init__(self, points: Iterable[PointCode]) -> None:
        self.player = Player(points, CLOCK)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self.player.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self.player.__aexit__(None, None, None))
        self._runner.close()

    def run(self, test: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a test's coroutine, for 30 s at most."""

        async def run() -> T:
            return await asyncio.wait_for(test(), 30)

        return self._runner.run(run())


def free_port() -> int:
    """Return a port of loopback on which nobody listens now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def calm(play: Awaitable[T]) -> T:
    """Await a play, for 15 s at most."""
    return await asyncio.wait_for(play, 15)
