"""A gateway of a soak: the real one, with an instrument that tells what the plant's rule says.

`python -m meltwatch.apps.bench.soak.instrument FILE`. What it tells stands in its notes before the
gateway has it: one line a cycle. It never tells a cycle again, so that after a step of the clock
back it waits. A file `quiet` beside the notes ends the telling, so that outboxes can drain.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import NamedTuple

import msgspec

from meltwatch.apps.bench.plant import Works
from meltwatch.apps.gateway import Settings, run
from meltwatch.apps.pipe import mind_the_pipe
from meltwatch.clock import Clock, SystemClock
from meltwatch.model.ids import PointCode, SourceId
from meltwatch.model.log import Interval
from meltwatch.model.sample import Row
from meltwatch.transport.lane import Pace
from meltwatch.transport.link import Server as Target
from meltwatch.transport.outbox import Signer
from meltwatch.transport.signature import SharedSecret

LOOK_S = 0.05
QUIET = "quiet"
FRAME_S = 0.2
MOST_MS = 2_000
"""The longest back-off: a soak is short and its server comes back soon."""


class Told(NamedTuple):
    """A batch as the gateway takes it."""

    rows: list[Row]
    complete_from: int
    complete_to: int
    gap: bool
    lost: tuple[Interval, ...] = ()


class InstrumentFile(msgspec.Struct, frozen=True, kw_only=True):
    """What an instrument is told: which gateway of which plants, and where its files are."""

    works: Works
    gateway: int
    server: str
    outbox: str
    notes: str


class Instrument:
    """Tells every point of its gateway once a cycle, as soon as the cycle is over."""

    def __init__(self, file: InstrumentFile, clock: Clock) -> None:
        """Tell by the gateway's clock; what was told in a former life is not told again."""
        self._file, self._clock = file, clock
        self._notes = Path(file.notes)
        self._codes = [PointCode(code) for code in file.works.codes(file.gateway)]
        lines = self._notes.read_bytes().splitlines() if self._notes.exists() else []
        self._last = max((int(line) for line in lines if line.isdigit()), default=0)
        self._gap = True

    async def batches(self) -> AsyncGenerator[Told, None]:
        """Yield what the cycles tell, for ever."""
        period = self._file.works.period_ms
        cycle = max(self._clock.wall_ms() // period, self._last + 1)
        self._gap = True
        while True:
            now = self._clock.wall_ms() // period
            if now <= cycle or (self._notes.parent / QUIET).exists():
                await asyncio.sleep(LOOK_S)
                continue
            if now > cycle + MOST_CYCLES_BEHIND:  # the clock has leapt, or we were stopped
                cycle, self._gap = now - 1, True
            yield self._told(cycle)
            cycle += 1

    def _told(self, cycle: int) -> Told:
        works, at = self._file.works, (cycle + 1) * self._file.works.period_ms
        values = works.tenths(self._file.gateway, cycle) / 10
        rows = [
            (code, at, value, 0) for code, value in zip(self._codes, values.tolist(), strict=True)
        ]
        with self._notes.open("ab") as notes:
            notes.write(b"%d\n" % cycle)
        self._last, gap, self._gap = cycle, self._gap, False
        return Told(rows, at - works.period_ms, at, gap)


MOST_CYCLES_BEHIND = 5


def main(path: Path) -> None:
    """Run the gateway until SIGTERM."""
    file = msgspec.json.decode(path.read_bytes(), type=InstrumentFile)
    name = SourceId(file.works.gateway(file.gateway))
    key = SharedSecret(gateway=name, secret=file.works.secret(file.gateway).encode())
    settings = Settings(
        gateway=name,
        outbox=Path(file.outbox),
        server=Target(
            url=file.server,
            signer=Signer(file.works.key(file.gateway), key),
            pace=Pace(first_ms=100, most_ms=MOST_MS),
        ),
        frame_s=FRAME_S,
    )
    run(settings, lambda clock: Instrument(file, clock), SystemClock(), random.SystemRandom())


if __name__ == "__main__":
    threading.Thread(target=mind_the_pipe, daemon=True).start()
    main(Path(sys.argv[1]))
