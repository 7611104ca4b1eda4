"""Group commit: frames that come while the disk is busy go to it together.

One task owns the core; handlers put frames into a bounded queue and wait. While one group is being
written the next one gathers, so the groups are as large as the load makes them. A full queue says
Busy: the sender waits, nothing is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from meltwatch.apps.core import Core
from meltwatch.apps.watch import Watch
from meltwatch.clock import Clock
from meltwatch.errors import Bug
from meltwatch.ledger.errors import LedgerError
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
        self._stopping = asyncio.Event()

    @property
    def plant(self) -> Plant:
        """The plant in force."""
        plant = self.core.journey.state.plant
        if plant is None:
            raise Bug("frames are taken before a plant is configured")
        return plant

    async def take(self, record: SamplesRecord, digest: bytes) -> Outcome:
        """Log a frame with whatever else is waiting."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((record, digest, done))
        except asyncio.QueueFull:
            raise Busy(BUSY_AFTER_MS) from None
        return await done

    def say_hello(self, gateway: SourceId, epoch: EpochId) -> EpochId:
        """Note that a gateway speaks in an epoch; return its newest one."""
        return self.core.say_hello(gateway, epoch)

    def last_seq(self, source: str) -> int:
        """Return the last number stored of a source."""
        return self.core.stream.last_seq(source)

    async def run(self) -> None:
        """Write groups and tick until `stop`; then what is waiting is still written."""
        while not (self._stopping.is_set() and self._queue.empty()):
            group = await self._gather()
            if group:
                self._write(group)
            self._tick()

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

    def _write(self, group: list[Waiting]) -> None:
        try:
            outcomes = self.core.take_samples([(record, digest) for record, digest, _ in group])
        except LedgerError as error:
            for _, _, done in group:
                _finish(done, error)
            return
        for (_, _, done), outcome in zip(group, outcomes, strict=True):
            _finish(done, outcome)
        if self._on_group is not None:
            self._on_group()

    def _sleep_s(self) -> float:
        wait = self.watch.sleep_ms(self.core.journey)
        return LONGEST_SLEEP_S if wait is None else min(wait / 1000, LONGEST_SLEEP_S)

    def _tick(self) -> None:
        for _ in range(MOST_TICKS_AT_ONCE):
            ticks = self.watch.due_ticks(self.core.journey)
            if not ticks:
                break
            for tick in ticks:
                self.core.take_own(tick)
        self.core.checkpoint(self.clock.wall_ms())


def _finish(done: asyncio.Future[Outcome], result: Outcome | LedgerError) -> None:
    if done.done():
        return
    if isinstance(result, LedgerError):
        done.set_exception(result)
    else:
        done.set_result(result)
