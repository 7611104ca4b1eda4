"""Group commit: frames that come while the disk is busy go to it together.

One task owns the core; handlers put frames into a bounded queue and wait. While one group is being
written the next one gathers, so the groups are as large as the load makes them. A full queue says
Busy: the sender waits, nothing is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from meltwatch.apps.core import Core
from meltwatch.apps.watch import Watch
from meltwatch.clock import Clock
from meltwatch.errors import Bug
from meltwatch.ledger.errors import Unavailable
from meltwatch.ledger.port import Outcome
from meltwatch.model.ids import EpochId, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.model.plant import Plant
from meltwatch.transport.errors import Busy

MOST_WAITING = 256
MOST_AT_ONCE = 64
BUSY_AFTER_MS = 200
MOST_TICKS_AT_ONCE = 100
LONGEST_SLEEP_S = 1.0
TRY_AGAIN_S = 0.2

_log = logging.getLogger(__name__)

Waiting = tuple[SamplesRecord, bytes, "asyncio.Future[Outcome]"]


class Gathering:
    """The receiver that stands between the HTTP intake and the core."""

    def __init__(
        self, core: Core, clock: Clock, on_group: Callable[[], None] | None = None
    ) -> None:
        """Gather for a core; `run` must be running for `take` to come back."""
        self.core = core
        self.clock = clock
        self.watch = Watch(clock)
        self._on_group = on_group
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(MOST_WAITING)
        self._in_hand: list[Waiting] = []
        self._stopping = asyncio.Event()
        self._ended = False
        self._store_lost = False

    @property
    def plant(self) -> Plant:
        """The plant in force."""
        plant = self.core.journey.state.plant
        if plant is None:
            raise Bug("frames are taken before a plant is configured")
        return plant

    async def take(self, record: SamplesRecord, digest: bytes) -> Outcome:
        """Log a frame with whatever else is waiting.

        Raises Busy, and Unavailable when the store fails or the core has ended.
        """
        if self._ended:
            raise _ended()
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((record, digest, done))
        except asyncio.QueueFull:
            raise Busy(BUSY_AFTER_MS) from None
        return await done

    def say_hello(self, gateway: SourceId, epoch: EpochId) -> EpochId:
        """Note that a gateway speaks in an epoch; return its newest one."""
        return self.core.say_hello(gateway, epoch)

    def stored(self, pos: int) -> SamplesRecord | None:
        """Return the frame stored at a position; None if it is there no more."""
        return self.core.stored(pos)

    def last_seq(self, source: str) -> int:
        """Return the last number stored of a source."""
        return self.core.stream.last_seq(source)

    async def run(self) -> None:
        """Write groups and tick until `stop`; then what is waiting is still written.

        A failing store is waited for. Whatever else goes wrong ends this, and whoever waits is
        told that the outcome is unknown.
        """
        try:
            while not (self._stopping.is_set() and self._queue.empty()):
                self._in_hand = await self._gather()
                try:
                    self._write()
                    self._tick()
                except Unavailable as error:
                    self._lose(error)
                else:
                    self._recover()
        finally:
            self._ended = True
            while not self._queue.empty():
                self._in_hand.append(self._queue.get_nowait())
            self._tell_all(_ended())

    def stop(self) -> None:
        """Let `run` end once nothing is waiting."""
        self._stopping.set()

    async def _gather(self) -> list[Waiting]:
        """Wait for the first frame, or until a tick is due; then take what else is there."""
        try:
            group = [await asyncio.wait_for(self._queue.get(), self._sleep_s())]
        except TimeoutError:
            return []
        while len(group) < MOST_AT_ONCE and not self._queue.empty():
            group.append(self._queue.get_nowait())
        return group

    def _write(self) -> None:
        if not self._in_hand:
            return
        outcomes = self.core.take_samples([(record, digest) for record, digest, _ in self._in_hand])
        for (_, _, done), outcome in zip(self._in_hand, outcomes, strict=True):
            if not done.done():
                done.set_result(outcome)
        self._in_hand = []
        if self._on_group is not None:
            self._on_group()

    def _lose(self, error: Unavailable) -> None:
        """Tell whoever waits; say it aloud once."""
        self._tell_all(error)
        if not self._store_lost:
            _log.error("the store fails, frames are not taken: %s", error)
        self._store_lost = True

    def _recover(self) -> None:
        if self._store_lost:
            _log.warning("the store is back, frames are taken")
        self._store_lost = False

    def _tell_all(self, error: Unavailable) -> None:
        for _, _, done in self._in_hand:
            if not done.done():
                done.set_exception(error)
        self._in_hand = []

    def _sleep_s(self) -> float:
        if self._store_lost:
            return TRY_AGAIN_S
        wait = self.watch.sleep_ms(self.core.journey)
        return LONGEST_SLEEP_S if wait is None else min(wait / 1000, LONGEST_SLEEP_S)

    def _tick(self) -> None:
        self.core.come_in_line()
        for _ in range(MOST_TICKS_AT_ONCE):
            ticks = self.watch.due_ticks(self.core.journey)
            if not ticks:
                break
            for tick in ticks:
                self.core.take_own(tick)
        self.core.checkpoint(self.clock.wall_ms())


def _ended() -> Unavailable:
    return Unavailable("core", "ended; another one takes the same frame again")
