"""A real OPC UA server that plays rows: the instrument of demonstrations and tests.

It plays seconds of rows, from a story, a simulator or a file, in their own time made faster by
`speed`: each sample is written with its source time and status, and when all rows of an instant
are, the clock node gets that instant. It listens on loopback and nobody may write to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Self

import msgspec
from asyncua import ua
from asyncua.common.callback import CallbackType, ServerItemCallback
from asyncua.server.server import Server
from asyncua.ua.status_codes import StatusCodes

from meltwatch.clock import Clock
from meltwatch.collect.opcua.reading import time_of
from meltwatch.collect.story import Deliver, Story, deliveries_of
from meltwatch.model.ids import PointCode
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row

Second = tuple[int, list[Row]]
"""The end of a second, ms UTC, and the rows that it completes."""

_NAMESPACE = 2
_CLOCK = "clock"
_NOTHING_YET = ua.StatusCode(ua.UInt32(StatusCodes.BadWaitingForInitialData))


def node_of(name: str) -> str:
    """Return the node id, as text, of a point's code or of the clock node `clock`."""
    return f"ns={_NAMESPACE};s={name}"


def rows_by_second(story: Story) -> Iterator[Second]:
    """Yield every second of a story with its rows, faults of delivery left out."""
    told = msgspec.structs.replace(story.told, lines_down=())
    for one in deliveries_of(msgspec.structs.replace(story, told=told), Deliver()):
        yield one.frame.complete_to, list(one.frame.samples.rows())


class Player:
    """A server with one node for each point and a clock node; `async with` starts and stops it."""

    def __init__(self, points: Iterable[PointCode], clock: Clock, port: int = 0) -> None:
        """Make one on loopback; port 0 takes a free one."""
        self.mapping = {code: node_of(code) for code in points}
        self.clock_node = node_of(_CLOCK)
        self.server = Server()
        self.behind_ms = 0.0
        """How far play was behind its time at most."""
        self.watched = asyncio.Event()
        """Set when somebody has subscribed to the clock node, the last that a source does."""
        self._clock = clock
        self._port = port
        self._nodes = {
            code: ua.NodeId(code, _NAMESPACE)  # type: ignore[arg-type]  # asyncua takes plain text
            for code in (*self.mapping, _CLOCK)
        }

    @property
    def endpoint(self) -> str:
        """Return where it listens."""
        return f"opc.tcp://127.0.0.1:{self._port}/meltwatch"

    async def __aenter__(self) -> Self:
        """Start to listen; no node has a value yet."""
        await self.server.init()
        self.server.disable_clock()
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        self.server.set_endpoint(self.endpoint)
        await self.server.register_namespace("urn:meltwatch:player")
        for code, node in self._nodes.items():
            kind = ua.VariantType.DateTime if code == _CLOCK else ua.VariantType.Double
            empty = time_of(0) if code == _CLOCK else 0.0
            await self.server.nodes.objects.add_variable(node, code, empty, kind)
            nothing = ua.DataValue(StatusCode=_NOTHING_YET)
            await self.server.write_attribute_value(node, nothing)
        self.server.subscribe_server_callback(
            CallbackType.ItemSubscriptionCreated, self._on_subscription
        )
        await self.server.start()
        assert self.server.bserver is not None
        self._port = self.server.bserver.port
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and hang up on whoever is connected."""
        await self.server.stop()

    def _on_subscription(self, event: ServerItemCallback, _: object) -> None:
        clock = self._nodes[PointCode(_CLOCK)]
        if any(one.ItemToMonitor.NodeId == clock for one in event.request_params.ItemsToCreate):
            self.watched.set()

    async def play(self, seconds: Iterable[Second], speed: float) -> None:
        """Play the seconds, the first at once, `speed` times as fast as they tell.

        Play that is behind goes on as fast as it can and lets others run in between.
        """
        began = self._clock.monotonic_ms()
        first: int | None = None
        for end, rows in seconds:
            first = end if first is None else first
            early_ms = began + (end - first) / speed - self._clock.monotonic_ms()
            self.behind_ms = max(self.behind_ms, -early_ms)
            await asyncio.sleep(max(early_ms, 0) / SECOND_MS)
            for at, instant in groupby(sorted(rows, key=itemgetter(1)), key=itemgetter(1)):
                for row in instant:
                    await self.write(row)
                await self.tick(at)
            await self.tick(end)

    async def write(self, row: Row) -> None:
        """Give a node its sample; one that is bad carries no value, as the protocol has it."""
        code, at, value, quality = row
        told = ua.DataValue(
            ua.Variant(value, ua.VariantType.Double),
            StatusCode=_status_of(quality),
            SourceTimestamp=time_of(at),
        )
        await self.server.write_attribute_value(self._nodes[code], told)

    async def tick(self, at: int) -> None:
        """Give the clock node an instant: every row up to it has been written."""
        time = time_of(at)
        told = ua.DataValue(ua.Variant(time, ua.VariantType.DateTime), SourceTimestamp=time)
        await self.server.write_attribute_value(self._nodes[PointCode(_CLOCK)], told)


def _status_of(quality: int) -> ua.StatusCode:
    if quality & Quality.BAD:
        return ua.StatusCode(ua.UInt32(StatusCodes.Bad))
    if quality & Quality.UNCERTAIN:
        return ua.StatusCode(ua.UInt32(StatusCodes.Uncertain))
    return ua.StatusCode()
