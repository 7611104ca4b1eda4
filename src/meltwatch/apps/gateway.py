"""The gateway: what a source tells becomes frames, frames go into the outbox, the link sends them.

Assembly for one source and one server, at the plant. It completes nothing that its source has not
completed, and drops nothing without saying so. Asked to end, it puts what it holds into the outbox,
gives the link a moment to send it, and closes the file.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

import msgspec

from meltwatch.apps.signals import signalled
from meltwatch.clock import Clock
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import Mark
from meltwatch.model.sample import batch_of
from meltwatch.transport.columns import OverPoints, columns_of
from meltwatch.transport.errors import TooLarge
from meltwatch.transport.lane import Report
from meltwatch.transport.line import Heard
from meltwatch.transport.link import Link, Server, Trust
from meltwatch.transport.outbox import Outbox, Put
from meltwatch.transport.outbox_drop import Bound
from meltwatch.transport.outbox_file import OutboxUnavailable
from meltwatch.transport.pending import Cut, Pending, Told
from meltwatch.transport.server_clock import ServerClock

logger = logging.getLogger(__name__)

FRAME_ROWS = 20_000
"""The most rows of one frame: far within the limits of intake."""
TELL_AGAIN_MS = 60_000
"""How far apart it is told, at least, that frames were dropped."""


class Telling(Protocol):
    """A source. Closed and asked again, it begins anew, with a gap."""

    def batches(self) -> AsyncGenerator[Told, None]:
        """Yield what it reads, for ever or until a recording has ended."""
        ...


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway. `frame_s`: 0.2 to 1; a frame is made sooner when there are `frame_rows`.

    `pending_rows`: how many rows wait in memory while the outbox's disk fails; more are lost, and
    told so. `first_answer_s`: how long stamping waits for the server's clock at the start.
    `recorded`: the source tells what is played, stamped by no clock of ours.
    """

    gateway: SourceId
    outbox: Path
    server: Server
    bound: Bound = Bound()
    mark: Mark = "real"
    frame_s: float = 0.5
    frame_rows: int = 5_000
    pending_rows: int = 200_000
    first_answer_s: float = 2.0
    recorded: bool = False


class GatewayClock:
    """The gateway's clock: our monotonic one, disciplined by the server's."""

    def __init__(self, clock: Clock, stepped: Callable[[int], None]) -> None:
        """Begin with our own wall clock; `stepped` is told by how many ms it leapt."""
        self._clock = clock
        self._stepped = stepped
        self._server = ServerClock(clock.wall_ms(), clock.monotonic_ms())
        self._untaken_ms = 0
        self.stamps: Clock = _Stamps(self)
        """For the source: it steps only where the source begins anew, never within a run."""

    def wall_ms(self) -> int:
        """Return the server's time as far as we know it, ms UTC."""
        return self._server.now(self._clock.monotonic_ms())

    def monotonic_ms(self) -> int:
        """Return our monotonic clock, ms."""
        return self._clock.monotonic_ms()

    def hear(self, heard: Heard) -> None:
        """Take an answer's clock."""
        step = self._server.hear(heard.asked_ms, heard.heard_ms, heard.server_time)
        if step:
            self._untaken_ms += step
            self._stepped(step)

    def take_step(self) -> bool:
        """Let the stamps step where the clock has stepped; tell whether it has."""
        stepped, self._untaken_ms = self._untaken_ms != 0, 0
        return stepped

    @property
    def untaken_ms(self) -> int:
        """Return by how much the clock has stepped that the stamps have not."""
        return self._untaken_ms


class _Stamps:
    """The clock by which a source stamps."""

    def __init__(self, of: GatewayClock) -> None:
        """Follow a gateway's clock but for its steps."""
        self._of = of

    def wall_ms(self) -> int:
        """Return the time to stamp by, ms UTC."""
        return self._of.wall_ms() - self._of.untaken_ms

    def monotonic_ms(self) -> int:
        """Return our monotonic clock, ms."""
        return self._of.monotonic_ms()


class Gateway:
    """One gateway: `run` it once."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        chance: random.Random,
        report: Callable[[Report], None] | None = None,
        life: str = "",
    ) -> None:
        """Open the outbox; raises OutboxError.

        `chance`: jitter and epochs; `report`: as `Link`. `life`: as `clock.life`.
        """
        self.settings = settings
        self.clock = GatewayClock(clock, self._stepped)
        self._report = report or log
        self.outbox = Outbox(
            settings.outbox, settings.gateway, settings.server.signer, settings.bound
        )
        self.link = Link(
            self.outbox,
            settings.server,
            clock=self.clock,
            chance=chance,
            report=self._report,
            heard=self._hear,
            trust=Trust(own=clock, life=life, recorded=settings.recorded),
        )
        self._pending = Pending(settings.pending_rows)
        self._points: tuple[PointCode, ...] = ()
        """The list that columns are told over: it grows with what is read, in one order."""
        self._storing = asyncio.Lock()
        self._many = asyncio.Event()
        self._heard = asyncio.Event()
        self._again = asyncio.Event()
        self._disk_fails = False
        self._dropped = 0
        self._dropped_of = ""
        self._dropped_told_at: int | None = None

    async def run(self, source: Callable[[Clock], Telling], stop: asyncio.Event) -> None:
        """Run a source, which is given the gateway's clock, until it ends or `stop` is set.

        Raises OutboxError if no epoch can be opened at the start or the outbox is damaged.
        """
        link_stop = asyncio.Event()
        try:
            await self.link.open_epoch()
            linking = asyncio.create_task(self.link.run(link_stop))
            working = [
                asyncio.create_task(self._collect(source)),
                asyncio.create_task(self._frame()),
                asyncio.create_task(stop.wait()),
            ]
            try:
                await asyncio.wait({linking, *working}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in working:
                    task.cancel()
                ended = await asyncio.gather(*working, return_exceptions=True)
                await self._store()
                self._tell_dropped(0)
                link_stop.set()
                await linking
        finally:
            self.outbox.close()
        for one in ended:
            if isinstance(one, Exception):
                raise one

    async def _collect(self, source: Callable[[Clock], Telling]) -> None:
        """Take the source's batches; begin it anew, in a new epoch, when the clock has stepped."""
        telling = source(self.clock.stamps)
        await _within(self.settings.first_answer_s, self._heard)
        again = True
        while again:
            again = False
            self._again.clear()
            if self.clock.take_step():
                await self._open_epoch()
                self._pending.begin()
            async with aclosing(telling.batches()) as batches:
                async for told in batches:
                    again = self._again.is_set()
                    if not again or self._pending.joins(told):
                        await self._take(told)
                        again = self._again.is_set()
                    if again:
                        break

    async def _take(self, told: Told) -> None:
        if not self._pending.joins(told):
            await self._open_epoch()
            self._pending.begin()
        lost = self._pending.take(told)
        if lost:
            self._tell("gateway.rows_lost", rows=lost)
        if len(self._pending.rows) >= self.settings.frame_rows:
            self._many.set()

    async def _open_epoch(self) -> None:
        """Open an epoch behind a gap, once all before it is stored; wait while the disk fails."""
        while True:
            await self._store()
            if self._pending.is_empty:
                try:
                    await self.link.open_epoch()
                except OutboxUnavailable as error:
                    self._disk(error)
                else:
                    return
            await asyncio.sleep(self.settings.frame_s)

    async def _frame(self) -> None:
        while True:
            await _within(self.settings.frame_s, self._many)
            self._many.clear()
            await self._store()

    async def _store(self) -> None:
        """Put what is pending into the outbox; what its disk refuses stays pending.

        A put that has begun is brought to its end, whoever waits for it.
        """
        await asyncio.shield(asyncio.create_task(self._store_all()))

    async def _store_all(self) -> None:
        async with self._storing:
            most = FRAME_ROWS
            while not self._pending.is_empty:
                cut = self._pending.cut(most)
                try:
                    put = await asyncio.to_thread(self._put, cut, self.clock.wall_ms())
                except TooLarge:
                    self._pending.put_back(cut)
                    most = max(len(cut.rows) // 2, 1)
                except OutboxUnavailable as error:
                    self._pending.put_back(cut)
                    self._disk(error)
                    return
                else:
                    self._disk(None)
                    self._put_away(put)

    def _put(self, cut: Cut, now: int) -> Put:
        samples = batch_of(cut.rows)
        if not set(samples.layout) <= set(self._points):
            self._points = tuple(sorted({*self._points, *samples.layout}))
        return self.outbox.put(
            OverPoints(self._points, columns_of(samples, self._points, cut.originals)),
            cut.complete_from,
            cut.complete_to,
            now=now,
            mark=self.settings.mark,
            lost=cut.lost,
        )

    def _put_away(self, put: Put) -> None:
        for dropped in put.dropped:
            self._dropped += dropped.frames
            self._dropped_of = dropped.epoch
        self._tell_dropped(TELL_AGAIN_MS)
        self.link.stored(put.epoch, put.seq)

    def _tell_dropped(self, apart_ms: int) -> None:
        """Tell how many frames were dropped, the first at once and then not too often.

        An outbox that is full drops one with every put, and may stay full for days.
        """
        now, told_at = self.clock.monotonic_ms(), self._dropped_told_at
        if self._dropped and (told_at is None or now - told_at >= apart_ms):
            self._tell("outbox.dropped", frames=self._dropped, epoch=self._dropped_of)
            self._dropped, self._dropped_told_at = 0, now

    def _hear(self, heard: Heard) -> None:
        self.clock.hear(heard)
        self._heard.set()

    def _stepped(self, ms: int) -> None:
        """Tell of a step; it begins the source anew: one epoch is stamped by one clock."""
        self._tell("gateway.clock_stepped", ms=ms)
        if not self.settings.recorded:
            self._again.set()

    def _disk(self, error: OutboxUnavailable | None) -> None:
        if error is not None and not self._disk_fails:
            self._tell("outbox.unavailable", reason=error.reason)
        elif error is None and self._disk_fails:
            self._tell("outbox.recovered")
        self._disk_fails = error is not None

    def _tell(self, key: str, **params: str | int | float) -> None:
        lanes = self.link.session.lanes
        self._report(Report(lanes[0].epoch if lanes else EpochId(""), key, params))


def log(report: Report) -> None:
    """Write a report to the log: what a gateway does when nobody else is told."""
    over = report.key.endswith(".recovered")
    logger.log(
        logging.INFO if over else logging.WARNING,
        "gateway %s %s %s",
        report.key,
        report.epoch,
        report.params,
    )


def run(
    settings: Settings,
    source: Callable[[Clock], Telling],
    clock: Clock,
    chance: random.Random,
    report: Callable[[Report], None] | None = None,
    life: str = "",
) -> None:
    """Run a gateway until SIGINT or SIGTERM, or its source ends.

    `report` and `life` as `Gateway`. Raises OutboxError, bare or in an ExceptionGroup.
    """

    async def until_signalled() -> None:
        stop = asyncio.Event()
        with signalled(stop):
            await Gateway(settings, clock, chance, report, life).run(source, stop)

    asyncio.run(until_signalled())


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but no longer."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
