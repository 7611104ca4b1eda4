"""An OPC UA source: one server's nodes as batches of rows, line after line, for ever.

At the plant, at the first end of the journey. It only reads: what reaches the server is written
down in `docs/opcua.md`, and a test records it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import NamedTuple

from asyncua import ua

from meltwatch.clock import Clock
from meltwatch.collect.opcua.line import Line
from meltwatch.collect.opcua.port import Batch, Edges, OpcUa, Tell, check, log
from meltwatch.collect.opcua.reading import ms_of
from meltwatch.collect.opcua.run import Message, Run
from meltwatch.errors import MeltwatchError
from meltwatch.model.ids import PointCode
from meltwatch.model.instant import SECOND_MS

_CLOCK = 0
"""The clock node's handle; points follow."""

_AHEAD = 16
"""Messages that may wait for whoever takes the batches; beyond that the server queues."""


class LineLost(MeltwatchError):
    """The server is not reached, silent or not understood: back off, connect again."""


class _Beat(NamedTuple):
    values: list[ua.DataValue]
    asked_at: int


class _Heard(NamedTuple):
    result: ua.PublishResult
    now: int


_Event = _Heard | _Beat | Exception


class OpcUaSource:
    """Reads one server. Take `batches()` once, with `contextlib.aclosing`."""

    def __init__(self, asked: OpcUa, clock: Clock, chance: random.Random, tell: Tell = log) -> None:
        """Check the configuration (raises Refused); `chance` spreads the back-off."""
        check(asked)
        self._asked = asked
        self._clock = clock
        self._chance = chance
        self._edges = Edges(tell)
        self._nodes = {
            handle: (code, ua.NodeId.from_string(told))
            for handle, (code, told) in enumerate(asked.mapping.items(), _CLOCK + 1)
        }

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Yield batches until it is closed; a lost line is reported, and taken up as a new run."""
        after: int | None = None
        vain = 0
        while True:
            try:
                async with aclosing(self._run(after)) as run:
                    async for batch in run:
                        vain, after = 0, batch.complete_to
                        self._edges.is_over("line")
                        yield batch
            except Exception as error:  # noqa: BLE001  # whatever a foreign stack raises: line lost
                self._edges.begins("line", why=f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._wait_s(vain))
            vain += 1

    def _wait_s(self, vain: int) -> float:
        longest: float = min(self._asked.backoff_s * 2 ** min(vain, 30), self._asked.backoff_most_s)
        return longest * (0.5 + self._chance.random() / 2)

    async def _run(self, after: int | None) -> AsyncGenerator[Batch, None]:
        """Yield the batches of one line; raises when it is lost."""
        events: asyncio.Queue[_Event] = asyncio.Queue(_AHEAD)

        async def hear(result: ua.PublishResult) -> None:
            await events.put(_Heard(result, self._clock.wall_ms()))

        line = Line(self._asked.endpoint, self._asked.request_s, events.put)
        beating: asyncio.Task[None] | None = None
        try:
            keepalive_s = await line.open(self._asked.publishing_ms, hear)
            silence_s = max(self._asked.silence_s, 2 * keepalive_s)
            missing = await self._watch(line, list(self._nodes))
            await self._watch_clock(line)
            run = Run(self._asked, self._clock.wall_ms(), after, self._edges)
            beating = asyncio.create_task(self._beat(line, events, missing))
            async with aclosing(self._until_silent(events, silence_s)) as heard:
                async for event in heard:
                    batch = self._take(run, event)
                    if batch is not None:
                        yield batch
        finally:
            if beating is not None:
                beating.cancel()
                with suppress(asyncio.CancelledError):
                    await beating
            await line.close()

    async def _watch(self, line: Line, handles: list[int]) -> list[int]:
        """Subscribe to points; report and return those that the server refuses."""
        said = await line.watch(
            [(handle, self._nodes[handle][1]) for handle in handles], self._asked.queue
        )
        missing = []
        for handle, status in zip(handles, said, strict=True):
            code = self._nodes[handle][0]
            if status.is_good():
                self._edges.is_over("node", code)
            else:
                missing.append(handle)
                told = self._asked.mapping[code]
                self._edges.begins("node", code, node=told, status=status.name)
        return missing

    async def _watch_clock(self, line: Line) -> None:
        """Subscribe to the clock node, last: what it holds then is behind all items' beginning."""
        if self._asked.clock_node is None:
            return
        node = ua.NodeId.from_string(self._asked.clock_node)
        (status,) = await line.watch([(_CLOCK, node)], self._asked.queue)
        if not status.is_good():
            self._edges.begins("clock_node", node=self._asked.clock_node, status=status.name)
            raise LineLost("clock node refused")
        self._edges.is_over("clock_node")

    async def _beat(self, line: Line, events: asyncio.Queue[_Event], missing: list[int]) -> None:
        """Read all items every heartbeat, and ask again for nodes that were refused."""
        nodes = [node for _, node in self._nodes.values()]
        try:
            while True:
                await asyncio.sleep(self._asked.heartbeat_s)
                asked_at = self._clock.wall_ms()
                await events.put(_Beat(await line.read(nodes), asked_at))
                if missing:
                    missing = await self._watch(line, missing)
        except Exception as error:  # noqa: BLE001  # whatever a foreign stack raises: line lost
            await events.put(error)

    async def _until_silent(
        self, events: asyncio.Queue[_Event], silence_s: float
    ) -> AsyncGenerator[_Event, None]:
        """Yield what comes; raises when the line is lost, or no message came for `silence_s`.

        Only time spent waiting counts: whoever is slow to take batches does not lose the line.
        """
        silence_ms = round(silence_s * SECOND_MS)
        left_ms = silence_ms
        while True:
            before = self._clock.monotonic_ms()
            try:
                async with asyncio.timeout(max(left_ms, 0) / SECOND_MS):
                    event = await events.get()
            except TimeoutError as error:
                raise LineLost(f"silent for {silence_ms} ms") from error
            left_ms -= self._clock.monotonic_ms() - before
            if isinstance(event, Exception):
                raise LineLost(f"{type(event).__name__}: {event}") from event
            if isinstance(event, _Heard):
                left_ms = silence_ms
            yield event

    def _take(self, run: Run, event: _Event) -> Batch | None:
        if isinstance(event, _Beat):
            codes = (code for code, _ in self._nodes.values())
            return run.beat(zip(codes, event.values, strict=True), event.asked_at)
        assert isinstance(event, _Heard)
        told = event.result.NotificationMessage
        values: list[tuple[PointCode | None, ua.DataValue]] = []
        for part in told.NotificationData or ():
            if isinstance(part, ua.StatusChangeNotification):
                raise LineLost(f"subscription ended: {part.Status.name}")
            if isinstance(part, ua.DataChangeNotification):
                values += (self._told(one) for one in part.MonitoredItems)
        more = bool(event.result.MoreNotifications)
        return run.heard(Message(values, ms_of(told.PublishTime), event.now, more))

    def _told(self, one: ua.MonitoredItemNotification) -> tuple[PointCode | None, ua.DataValue]:
        handle = int(one.ClientHandle)
        return None if handle == _CLOCK else self._nodes[handle][0], one.Value
