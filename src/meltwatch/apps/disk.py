"""The core's care for its disk: frames are refused in time, and the node's own writing goes on.

    intake -> Doorkeeper -> gathering -> cores

A frame that is refused for want of room is refused before it joins a group, so that no tick waits
behind it. All resumes by itself once there is room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from meltwatch.apps.findings import Findings
from meltwatch.apps.retention import Retention
from meltwatch.clock import Clock
from meltwatch.errors import Problem, Refused
from meltwatch.ledger.embedded import EmbeddedHome
from meltwatch.ledger.errors import LedgerError, Unavailable
from meltwatch.ledger.port import Outcome
from meltwatch.ledger.room import MIB, Room
from meltwatch.model.ids import EpochId, PointCode, SourceId
from meltwatch.model.log import SamplesRecord
from meltwatch.model.plant import Plant
from meltwatch.model.reason import Params
from meltwatch.present.intake import Receiver
from meltwatch.transport.errors import Busy

WRITTEN_TIMES = 4
"""A frame is written as body and as samples, each in the write-ahead log and in the file."""
AGAIN_MS = 5_000
LOOK_EVERY_S = 1.0
RETAIN_EVERY_MS, RETAIN_SHORT_MS = 60_000, 5_000


class NoRoom(Busy):
    """The disk has no room for frames: the same again in `after_ms`; the source keeps them."""

    status = 507

    def __init__(self, free_bytes: int, floor_bytes: int) -> None:
        """Keep how long to wait; tell how much is free and how much must be."""
        self.after_ms = AGAIN_MS
        Refused.__init__(self, [_told("", free_bytes, floor_bytes)])


class Doorkeeper:
    """A `Receiver` that lets frames through while the disk has room for them."""

    def __init__(self, behind: Receiver, room: Room) -> None:
        """Stand before a receiver."""
        self._behind, self._room = behind, room
        self._coming = 0

    async def take(self, record: SamplesRecord, digest: bytes) -> Outcome:
        """Let a frame be logged; raises NoRoom, and what the receiver raises."""
        size = WRITTEN_TIMES * (0 if record.evidence is None else len(record.evidence.body))
        if not self._room.takes(self._coming + size):
            raise NoRoom(self._room.free_bytes(), self._room.bounds.floor_bytes)
        self._coming += size
        try:
            return await self._behind.take(record, digest)
        finally:
            self._coming -= size

    def plant_of(self, gateway: SourceId) -> Plant | None:
        """Return the plant in force that has the gateway; None if none has."""
        return self._behind.plant_of(gateway)

    def say_hello(self, gateway: SourceId, epoch: EpochId) -> EpochId:
        """Note that a gateway speaks in an epoch; return its newest one."""
        return self._behind.say_hello(gateway, epoch)

    def newest_epoch(self, gateway: SourceId) -> EpochId | None:
        """Return the greatest epoch that the gateway has shown; None before any."""
        return self._behind.newest_epoch(gateway)

    def hear_clock(self, gateway: SourceId, ahead_ms: int) -> None:
        """Take notice of how far a gateway's own clock is ahead of ours."""
        self._behind.hear_clock(gateway, ahead_ms)

    def keep_layout(self, gateway: SourceId, layout: str, points: tuple[PointCode, ...]) -> None:
        """Log a list of points that frames will name by its id; raises Unavailable."""
        self._behind.keep_layout(gateway, layout, points)

    def stored(self, gateway: SourceId, pos: int) -> SamplesRecord | None:
        """Return the gateway's frame stored at a position; None if it is there no more."""
        return self._behind.stored(gateway, pos)

    def last_seq(self, gateway: SourceId, epoch: EpochId) -> int:
        """Return the last number stored of a gateway's epoch; 0 before any."""
        return self._behind.last_seq(gateway, epoch)


class DiskCare:
    """Looks at the disk every second and says what is so in the book of findings.

    Every minute, and more often while the disk is short, the log is relieved of what nobody needs;
    in a thread, so that nobody waits for files to be deleted but whoever writes at that moment.
    """

    def __init__(
        self,
        home: EmbeddedHome,
        room: Room,
        findings: Findings,
        retention: Retention,
        clock: Clock,
        *more: Callable[[], None],
    ) -> None:
        """Care for a home's disk; `more` is looked after in the same round."""
        self._home, self._room, self._findings = home, room, findings
        self._retention, self._clock = retention, clock
        self._more = more
        self._short = False

    async def run(self) -> None:
        """Look until cancelled."""
        retained_at: int | None = None
        while True:
            self.look()
            now = self._clock.monotonic_ms()
            every_ms = RETAIN_SHORT_MS if self._short else RETAIN_EVERY_MS
            if retained_at is None or now - retained_at >= every_ms:
                retained_at = now
                await asyncio.to_thread(self.retain)
            await asyncio.sleep(LOOK_EVERY_S)

    def retain(self) -> None:
        """Take from the log what may go; while the disk is short, as much as frames need."""
        try:
            wanted = self._room.wanted_bytes() if self._short else 0
            told = self._retention.run(self._clock.wall_ms(), wanted_bytes=wanted)
        except LedgerError as error:
            told = [Problem("ledger", "ledger.disk_failing", {"reason": str(error)})]
        self._findings.tell("retention", told)

    def look(self) -> None:
        """Look once; what cannot be asked now is asked again in the next round."""
        told: list[Problem] = []
        try:
            self._room.look()
            self._short = not self._room.takes()
            if self._short:
                told = [_told("ledger", self._room.free_bytes(), self._room.bounds.floor_bytes)]
                self._home.fold()  # so that the write-ahead logs are used again and do not grow
        except Unavailable as error:
            told.append(Problem(error.place, "ledger.disk_failing", {"reason": error.reason}))
        self._findings.tell("disk", told)
        for one in self._more:
            one()


def _told(place: str, free_bytes: int, floor_bytes: int) -> Problem:
    told: Params = {
        "free_mib": free_bytes // MIB,
        "floor_mib": -(-floor_bytes // MIB),
        "after_s": AGAIN_MS // 1000,
    }
    return Problem(place, "frame.no_room", told)
