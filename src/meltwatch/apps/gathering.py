"""Group commit: frames that come while the disk is busy go to it together.

One task owns the cores; handlers let frames wait for their turn (`turns.py`). While one group is
being written the next one gathers, so the groups are as large as the load makes them; each
enterprise's part of a group is one transaction. Without room it says Busy: the sender waits,
nothing is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from meltwatch.apps.core import Core
from meltwatch.apps.turns import Room, Turns
from meltwatch.apps.watch import Watch
from meltwatch.clock import Clock
from meltwatch.errors import Bug
from meltwatch.ledger.errors import Unavailable
from meltwatch.ledger.port import Outcome
from meltwatch.model.ids import EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.log import EventsRecord, Happening, LayoutRecord, SamplesRecord
from meltwatch.model.plant import Plant
from meltwatch.model.reason import Params
from meltwatch.present.live.core_line import Obeyed, Order, OutOfTurn
from meltwatch.transport.errors import Busy

MOST_AT_ONCE = 64
BUSY_AFTER_MS = 200
_SAMPLE_BYTES = 22
"""What a sample takes in memory beside the body that brought it."""
MOST_TICKS_AT_ONCE = 100
LOOK_EVERY_MS = 1_000
"""How often a core is looked at though nothing comes: a wall clock may have jumped."""
TRY_AGAIN_MS = 200
CLOCK_WRONG_MS = 60_000
"""A gateway's own clock is told to people when it is farther off than this."""

_log = logging.getLogger(__name__)


class Waiting(NamedTuple):
    """A frame that waits to be written, and whoever waits for it."""

    core: Core
    record: SamplesRecord
    digest: bytes
    done: asyncio.Future[Outcome]


class Gathering:
    """The receiver that stands between the HTTP intake and the cores of one home."""

    def __init__(
        self, cores: Mapping[EnterpriseId, Core], clock: Clock, room: Room | None = None
    ) -> None:
        """Gather for cores; `run` must be running for `take` to come back."""
        self.cores = dict(cores)
        self.clock = clock
        self._watches = {enterprise: Watch(clock) for enterprise in cores}
        self._look_at = dict.fromkeys(cores, clock.monotonic_ms())
        self._owners: dict[SourceId, Core] = {}
        self._turns: Turns[Waiting] = Turns(room)
        self._came = asyncio.Event()
        self._in_hand: list[Waiting] = []
        self._stopping = asyncio.Event()
        self._ended = False
        self._lost: set[EnterpriseId] = set()
        self._clocks_wrong: set[SourceId] = set()

    def plant_of(self, gateway: SourceId) -> Plant | None:
        """Return the plant in force that has the gateway; None if none has."""
        core = self._owner(gateway)
        return None if core is None else core.journey.state.plant

    async def take(self, record: SamplesRecord, digest: bytes) -> Outcome:
        """Log a frame with whatever else is waiting.

        Raises Busy, and Unavailable when the store fails or the cores have ended.
        """
        if self._ended:
            raise _ended()
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        gateway = record.source
        size = _SAMPLE_BYTES * len(record.samples)
        size += len(record.evidence.body) if record.evidence is not None else 0
        if not self._turns.has_room(gateway, size):
            raise Busy(BUSY_AFTER_MS)
        core = self._core(gateway)
        live = record.epoch >= (core.stream.newest_epoch(gateway) or "")
        self._turns.put(gateway, Waiting(core, record, digest, done), size, live=live)
        self._came.set()
        return await done

    def obey(self, order: Order) -> Obeyed | OutOfTurn:
        """Have an order logged and obeyed by its enterprise's core.

        Raises OrderRefused, and Unavailable when the outcome is unknown or the cores have ended.
        """
        if self._ended:
            raise _ended()
        core = self.cores.get(order.enterprise)
        if core is None:
            anyone = next(iter(self.cores.values()))
            return anyone.pass_over(order, self.clock.wall_ms())
        return core.obey(order, self.clock.wall_ms())

    def say_hello(self, gateway: SourceId, epoch: EpochId) -> EpochId:
        """Note that a gateway speaks in an epoch; return its newest one."""
        return self._core(gateway).say_hello(gateway, epoch)

    def hear_clock(self, gateway: SourceId, ahead_ms: int) -> None:
        """Tell people, once when it begins and once when it is over, that a clock is wrong.

        `ahead_ms`: how far the gateway's own clock is ahead of ours. While the store fails it is
        told with a later one.
        """
        wrong = abs(ahead_ms) > CLOCK_WRONG_MS
        if wrong == (gateway in self._clocks_wrong):
            return
        key = "gateway_clock_wrong" if wrong else "gateway_clock_right"
        now = self.clock.wall_ms()
        params: Params = {"ahead_ms": ahead_ms}
        happening = Happening(at=now, subject=gateway, key=key, params=params)
        record = EventsRecord(received_at=now, source=gateway, events=(happening,))
        with suppress(Unavailable):
            self._core(gateway).take_own(record)
            (self._clocks_wrong.add if wrong else self._clocks_wrong.remove)(gateway)

    def keep_layout(self, gateway: SourceId, layout: str, points: tuple[PointCode, ...]) -> None:
        """Log a list of points that frames will name by its id; raises Unavailable."""
        now = self.clock.wall_ms()
        record = LayoutRecord(received_at=now, layout=layout, points=points)
        self._core(gateway).take_own(record)

    def newest_epoch(self, gateway: SourceId) -> EpochId | None:
        """Return the greatest epoch that the gateway has shown; None before any."""
        newest = self._core(gateway).stream.newest_epoch(gateway)
        return None if newest is None else EpochId(newest)

    def stored(self, gateway: SourceId, pos: int) -> SamplesRecord | None:
        """Return the gateway's frame stored at a position; None if it is there no more."""
        return self._core(gateway).stored(pos)

    def last_seq(self, gateway: SourceId, epoch: EpochId) -> int:
        """Return the last number stored of a gateway's epoch."""
        return self._core(gateway).stream.last_seq(f"{gateway}/{epoch}")

    async def run(self) -> None:
        """Write groups and tick until `stop`; then what is waiting is still written.

        A failing store is waited for. Whatever else goes wrong ends this, and whoever waits is
        told that the outcome is unknown.
        """
        try:
            while not (self._stopping.is_set() and not self._turns):
                self._in_hand = await self._gather()
                for enterprise in self._due():
                    try:
                        self._write(self.cores[enterprise])
                        self._tick(enterprise)
                    except Unavailable as error:
                        self._lose(enterprise, error)
                    else:
                        self._recover(enterprise)
        finally:
            self._ended = True
            _tell([*self._in_hand, *self._turns.take(len(self._turns))], _ended())

    def stop(self) -> None:
        """Let `run` end once nothing is waiting."""
        self._stopping.set()

    # whose it is

    def _core(self, gateway: SourceId) -> Core:
        core = self._owner(gateway)
        if core is None:
            raise Bug(f"{gateway} is no gateway of any plant here")
        return core

    def _owner(self, gateway: SourceId) -> Core | None:
        """Return the core whose plant has the gateway; a config record may take it away."""
        core = self._owners.get(gateway)
        if core is None or not _has(core, gateway):
            core = next((one for one in self.cores.values() if _has(one, gateway)), None)
            if core is not None:
                self._owners[gateway] = core
        return core

    # one round

    async def _gather(self) -> list[Waiting]:
        """Wait for the first frame, or until a core is due; then take what else is there."""
        try:
            async with asyncio.timeout(self._sleep_s()):
                await self._came.wait()
        except TimeoutError:
            return []
        group = self._turns.take(MOST_AT_ONCE)
        if not self._turns:
            self._came.clear()
        return group

    def _due(self) -> list[EnterpriseId]:
        """Return whose frames are in hand or whose time has come."""
        now = self.clock.monotonic_ms()
        told = {one.core.enterprise for one in self._in_hand}
        return [one for one, at in self._look_at.items() if at <= now or one in told]

    def _write(self, core: Core) -> None:
        mine = [one for one in self._in_hand if one.core is core]
        if not mine:
            return
        outcomes = core.take_samples([(one.record, one.digest) for one in mine])
        for one, outcome in zip(mine, outcomes, strict=True):
            if not one.done.done():
                one.done.set_result(outcome)
        self._in_hand = [one for one in self._in_hand if one.core is not core]

    def _tick(self, enterprise: EnterpriseId) -> None:
        core, watch = self.cores[enterprise], self._watches[enterprise]
        core.come_in_line()
        for _ in range(MOST_TICKS_AT_ONCE):
            ticks = watch.due_ticks(core.journey)
            if not ticks:
                break
            for tick in ticks:
                core.take_own(tick)
        core.checkpoint(self.clock.wall_ms())
        wait = watch.sleep_ms(core.journey)
        wait = LOOK_EVERY_MS if wait is None else min(wait, LOOK_EVERY_MS)
        self._look_at[enterprise] = self.clock.monotonic_ms() + wait

    def _lose(self, enterprise: EnterpriseId, error: Unavailable) -> None:
        """Tell whoever waits; say it aloud once."""
        core = self.cores[enterprise]
        _tell([one for one in self._in_hand if one.core is core], error)
        self._in_hand = [one for one in self._in_hand if one.core is not core]
        self._look_at[enterprise] = self.clock.monotonic_ms()
        if not self._lost:
            _log.error("the store fails, frames are not taken: %s", error)
        self._lost.add(enterprise)

    def _recover(self, enterprise: EnterpriseId) -> None:
        if enterprise in self._lost:
            self._lost.remove(enterprise)
            if not self._lost:
                _log.warning("the store is back, frames are taken")

    def _sleep_s(self) -> float:
        soonest = min(self._look_at.values(), default=0) - self.clock.monotonic_ms()
        least = TRY_AGAIN_MS if self._lost else 0
        return min(max(soonest, least), LOOK_EVERY_MS) / 1000


def _has(core: Core, gateway: SourceId) -> bool:
    plant = core.journey.state.plant
    return plant is not None and gateway in plant.sources


def _tell(waiting: Iterable[Waiting], error: Unavailable) -> None:
    for one in waiting:
        if not one.done.done():
            one.done.set_exception(error)


def _ended() -> Unavailable:
    return Unavailable("core", "ended; another one takes the same frame again")
