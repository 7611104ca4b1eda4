"""One story told by instruments: a real OPC UA server, source, gateway, link and core.

All live in one process by the story's clock, 60 times as fast as the machine's. The plant's clock
domain is `live`, so grace and `offline` mean what they say in the story's seconds; the source's is
`recorded`, since the server's own clock is the machine's. The line is cut by a proxy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from meltwatch.apps.story import occurrences_in
from meltwatch.collect.opcua import OpcUa, Player, rows_by_second
from meltwatch.collect.opcua.port import Report as SourceReport
from meltwatch.collect.story import GATEWAY, Expected, Story, story_of
from meltwatch.model.instant import to_ms
from meltwatch.transport.lane import Report
from tests.opcua_stories.pace import Pace, StoryClock
from tests.opcua_stories.proxy import Proxy
from tests.opcua_stories.stage import gateway_on, has_sent_all, log_of, running, serving, until

SPEED = 60.0
WITHIN_S = 120.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came out, and how it went.

    `rows_missing` and `rows_more`: of the story's rows against those stored. `refused`:
    connections that met the cut line. `behind_ms`, `stalled_ms`: of the player, of the process.
    """

    occurrences: list[Expected]
    rows_missing: int
    rows_more: int
    epochs: int
    refused: int
    behind_ms: float
    stalled_ms: int
    reports: list[str]


def tell(path: Path, directory: Path) -> Told:
    """Tell a story once, the ledger and the outbox in a directory of its own."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
    directory.mkdir()
    return asyncio.run(asyncio.wait_for(_tell(story_of(path), directory), WITHIN_S))


async def _tell(story: Story, directory: Path) -> Told:
    ledger = directory / "ledger"
    pace = Pace()
    clock = StoryClock(pace, story.start, story.until, SPEED)
    seconds = list(rows_by_second(story))
    reports: list[str] = []
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(ledger, story.plant, GATEWAY, clock))
        proxy = await stack.enter_async_context(Proxy(port))
        player = await stack.enter_async_context(Player(story.plant.points, pace))
        outbox = directory / "outbox.sqlite"
        gateway = gateway_on(outbox, proxy.port, GATEWAY, clock, _noting(reports))
        asked = OpcUa(
            endpoint=player.endpoint,
            mapping=dict(player.mapping),
            domain="recorded",
            clock_node=player.clock_node,
            publishing_ms=20,
            heartbeat_s=0.5,
        )
        await stack.enter_async_context(running(gateway, asked, _noting_source(reports)))
        await until(player.watched.is_set)
        winding = asyncio.create_task(pace.go())
        cutting = asyncio.create_task(_cut(proxy, clock, story))
        try:
            await player.play(seconds, SPEED)
            await until(lambda: clock.wall_ms() == story.until)
            await until(lambda: has_sent_all(gateway, story.until))
            await cutting
        finally:
            for task in (cutting, winding):
                task.cancel()
            await asyncio.gather(cutting, winding, return_exceptions=True)
    frames = log_of(ledger, story.plant.enterprise)
    stored = sorted(row for one in frames for row in one.samples.rows())
    played = sorted(row for _, rows in seconds for row in rows)
    return Told(
        occurrences=occurrences_in(ledger, story),
        rows_missing=len(set(played) - set(stored)),
        rows_more=len(stored) - len(played),
        epochs=len({one.epoch for one in frames}),
        refused=proxy.refused,
        behind_ms=player.behind_ms,
        stalled_ms=pace.stalled_ms,
        reports=reports,
    )


async def _cut(proxy: Proxy, clock: StoryClock, story: Story) -> None:
    """Cut the line when the story says so: mute for the first half, then refusing."""
    for begin, end in sorted(story.told.lines_down):
        await _at(clock, story, begin)
        proxy.cut(mute=True)
        await _at(clock, story, (begin + end) / 2)
        proxy.cut(mute=False)
        await _at(clock, story, end)
        proxy.mend()


async def _at(clock: StoryClock, story: Story, second: float) -> None:
    at = story.start + to_ms(second)
    await until(lambda: clock.wall_ms() >= at, WITHIN_S)


def _noting(reports: list[str]) -> Callable[[Report], None]:
    return lambda one: reports.append(f"{one.key} {one.params}")


def _noting_source(reports: list[str]) -> Callable[[SourceReport], None]:
    return lambda one: reports.append(f"opcua.{one.key} {one.point} {one.over} {one.params}")
