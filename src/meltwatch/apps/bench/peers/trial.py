"""One engine under one load: steps in the plants' own time, a kill within a delay, or a flood."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from meltwatch.apps.bench.load import Ready
from meltwatch.apps.bench.measure import quantile
from meltwatch.apps.bench.peers.engines import Engine, SomeLane
from meltwatch.apps.bench.plant import Works
from meltwatch.apps.bench.sending import NS
from meltwatch.apps.bench.verdict import BenchFailed, Stage
from meltwatch.clock import SystemClock

SPARE, AHEAD_MS = 1.5, 2_000
EARLY_MS = 5
"""By less than so much an alarm is not early: clocks are read in milliseconds."""

Make = Callable[[Works, Path], Engine]


class Came(NamedTuple):
    """What came of the steps: how many alarms were wrong in which way, and how late they were.

    `late_ms` is of those that came; `seconds` and `gb`: what the engine used.
    """

    false: int
    missed: int
    early: int
    double: int
    late_ms: list[float]
    cpu_s: float
    gb: float

    def figures(self, tag: str) -> dict[str, float]:
        """Return all of it by name."""
        told: dict[str, float] = {
            f"{tag}_false": self.false,
            f"{tag}_missed": self.missed,
            f"{tag}_early": self.early,
            f"{tag}_double": self.double,
            f"{tag}_cpu_s": round(self.cpu_s, 1),
            f"{tag}_gb": round(self.gb, 2),
        }
        if self.late_ms:
            told[f"{tag}_p50_ms"] = round(quantile(self.late_ms, 0.5))
            told[f"{tag}_p99_ms"] = round(quantile(self.late_ms, 0.99))
            told[f"{tag}_max_ms"] = round(max(self.late_ms))
        return told


class Kill(NamedTuple):
    """When the process that keeps the delays is killed, and for how long it is away, seconds."""

    at_s: float
    down_s: float


class Trial:
    """One engine, made anew for each load."""

    def __init__(self, stage: Stage, make: Make) -> None:
        """Try what `make` makes."""
        self._stage, self._make = stage, make
        self._clock = SystemClock()
        self._count = 0

    def steps(
        self, works: Works, *, cycles: int, settle_s: float, kill: Kill | None = None
    ) -> Came:
        """Tell the steps in their own time and wait for what comes."""
        with self._running(works) as engine:
            lanes, begins, ready = self._ahead(works, engine, cycles)
            offset = self._clock.monotonic_ns() - self._clock.wall_ms() * 1_000_000
            last = begins[-1] + cycles * works.period_ms
            killing = threading.Thread(
                target=self._kill, args=(engine, kill, begins[0]), daemon=True
            )
            killing.start()
            before, _ = engine.used()
            engine.sending().run(
                lanes,
                ready,
                due=lambda one: one.complete_to * 1_000_000 + offset,
                until=last * 1_000_000 + offset + int(settle_s * NS),
            )
            killing.join()
            threading.Event().wait(settle_s)
            after, memory = engine.used()
            arrived = engine.arrived()
        return _judged(works, begins, cycles, arrived, (after - before, memory))

    def flood(self, works: Works, *, cycles: int, seconds: float) -> float:
        """Send as fast as it is taken; return samples a second."""
        with self._running(works) as engine:
            begin = self._clock.wall_ms() - (cycles + 1) * works.period_ms
            lanes = engine.lanes([begin] * works.gateways)
            ready = [[lane.make() for _ in range(cycles)] for lane in lanes]
            sending = engine.sending()
            began = self._clock.monotonic_ns()
            sending.run(lanes, ready, until=began + int(seconds * NS))
            took = self._clock.monotonic_ns() - began
        return sum(one.rows for one in sending.sent) * NS / took

    @contextmanager
    def _running(self, works: Works) -> Iterator[Engine]:
        self._count += 1
        place = self._stage.directory / f"engine-{self._clock.monotonic_ns()}"
        place.mkdir()
        engine = self._make(works, place)
        try:
            engine.start()
            yield engine
        finally:
            engine.stop()

    def _ahead(
        self, works: Works, engine: Engine, cycles: int
    ) -> tuple[Sequence[SomeLane], list[int], list[list[Ready]]]:
        """Make everything for a start that is still ahead when it is made."""
        began = self._clock.monotonic_ms()
        for lane in engine.lanes([self._clock.wall_ms()] * works.gateways):
            lane.make()
        wait_ms = (self._clock.monotonic_ms() - began) * cycles * SPARE + AHEAD_MS
        begin = self._clock.wall_ms() + int(wait_ms)
        step = works.period_ms / works.gateways
        begins = [begin + int(step * gateway) for gateway in range(works.gateways)]
        lanes = engine.lanes(begins)
        ready = [[lane.make() for _ in range(cycles)] for lane in lanes]
        if self._clock.wall_ms() >= begin:
            raise BenchFailed("requests are not made in time: the machine is too busy")
        return lanes, begins, ready

    def _kill(self, engine: Engine, kill: Kill | None, begin: int) -> None:
        if kill is None:
            return
        now = self._clock.wall_ms()
        threading.Event().wait(max(begin / 1000 + kill.at_s - now / 1000, 0))
        engine.kill()
        threading.Event().wait(kill.down_s)
        engine.come_back()


def _judged(
    works: Works,
    begins: Sequence[int],
    cycles: int,
    arrived: Mapping[str, Sequence[int]],
    used: tuple[float, float],
) -> Came:
    """Compare what came with what must come; frames of one cycle: a sample is its frame's end."""
    due = {
        one.condition.removesuffix(".H"): one.raised
        for gateway, begin in enumerate(begins)
        for one in works.expected(gateway, begin, cycles)
    }
    late = [min(arrived[point]) - at for point, at in due.items() if point in arrived]
    return Came(
        false=sum(len(times) for point, times in arrived.items() if point not in due),
        missed=len(due.keys() - arrived.keys()),
        early=sum(one < -EARLY_MS for one in late),
        double=sum(len(times) - 1 for point, times in arrived.items() if point in due),
        late_ms=[float(one) for one in late],
        cpu_s=used[0],
        gb=used[1],
    )
