"""Tell a small plant to the journey in a few lines, and read what came out.

Times are seconds from the start. `signals` maps a point to `[(second, value), ...]`; a value of
None is a bad sample. One frame a second, as in a story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.apps.defaults import default_risk_model
from meltwatch.journey import Effect, Journey
from meltwatch.model.condition import Condition
from meltwatch.model.ids import (
    ConditionId,
    EnterpriseId,
    EpochId,
    OccurrenceId,
    PointCode,
    SourceId,
)
from meltwatch.model.instant import to_ms
from meltwatch.model.log import ConfigRecord, Record, SamplesRecord, TickRecord
from meltwatch.model.plant import Plant, Point, Source
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row, batch_of

Signals = Mapping[str, Sequence[tuple[float, float | None]]]
Out = tuple[str, float, float | None, tuple[str, ...]]
GATEWAY = SourceId("gateway")


def plant_of(
    conditions: Mapping[str, Mapping[str, Any]],
    stale_s: Mapping[str, float | None] | None = None,
    offline_s: float = 30.0,
    source_of: Mapping[str, str] | None = None,
) -> Plant:
    """Return a plant of the conditions; every point that they name exists, `stale_s` 10.

    `source_of` names the gateway of a point; the others come from `gateway`.
    """
    brought = {name: SourceId(source) for name, source in (source_of or {}).items()}
    typed = {
        ConditionId(name): msgspec.convert({"level": 3, **told}, Condition)
        for name, told in conditions.items()
    }
    names = sorted(_points(dict(conditions)))
    stale = dict(stale_s or {})
    return Plant(
        enterprise=EnterpriseId("test-plant"),
        module="aluminium-dc",
        points={
            PointCode(name): Point(
                unit="", stale_s=stale.get(name, 10.0), source=brought.get(name, GATEWAY)
            )
            for name in names
        },
        conditions=typed,
        sources={
            source: Source(offline_s=offline_s, first_at=0)
            for source in sorted({GATEWAY, *brought.values()})
        },
    )


class Telling:
    """A journey with a scripted clock, seconds from the start."""

    def __init__(self, plant: Plant) -> None:
        """Configure the plant at second 0."""
        self.journey = Journey.begin(plant.enterprise)
        self.effects: list[Effect] = []
        self.seq: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        config = ConfigRecord(received_at=0, plant=plant, risk_model=default_risk_model())
        self.take(config)

    def take(self, record: Record) -> list[Effect]:
        """Give the journey one record and keep what follows."""
        effects = self.journey.step(record)
        self.effects += effects
        return effects

    def frame(
        self,
        rows: Sequence[tuple[str, float, float | None]],
        to: float,
        *,
        at: float | None = None,
        since: float | None = None,
        epoch: str = "1",
        backfill: bool = False,
        source: str = GATEWAY,
    ) -> None:
        """Deliver a frame that completes up to `to` seconds, at `at` (default: at once)."""
        self._deliver([_row(*row) for row in rows], to, at, since, epoch, backfill, source)

    def rows(self, rows: Sequence[tuple[str, float, float, Quality]], to: float) -> None:
        """Deliver a live frame of rows with their quality."""
        told = [
            (PointCode(point), to_ms(second), value, int(quality))
            for point, second, value, quality in rows
        ]
        self._deliver(told, to, None, None, "1", False, GATEWAY)

    def _deliver(
        self,
        rows: list[Row],
        to: float,
        at: float | None,
        since: float | None,
        epoch: str,
        backfill: bool,
        source: str,
    ) -> None:
        arrives = to_ms(to if at is None else at)
        self.pass_time(arrives)
        self.seq[epoch] = self.seq.get(epoch, 0) + 1
        end = self.ends.get(source, to_ms(-1))
        start = end if since is None else to_ms(since)
        self.take(
            SamplesRecord(
                received_at=arrives,
                source=SourceId(source),
                epoch=EpochId(epoch),
                seq=self.seq[epoch],
                complete_from=start,
                complete_to=to_ms(to),
                samples=batch_of(rows),
                backfill=backfill,
            )
        )
        if not backfill:
            self.ends[source] = to_ms(to)

    def take_correction(self, point: str, second: float, value: float, to: float) -> list[Effect]:
        """Deliver a frame up to `to` with one sample for an instant long complete."""
        before = len(self.effects)
        self.frame([(point, second, value), (point, to, 50.0)], to)
        return self.effects[before:]

    def pass_time(self, until: int) -> None:
        """Tick, as a live core would, at every instant before `until` at which something is due."""
        while True:
            offline = self.journey.offline_due()
            wakes = [*offline.values()]
            if (wake := self.journey.wake_at()) is not None:
                wakes.append(wake)
            if not wakes or min(wakes) >= until:
                return
            at = min(wakes)
            gone = tuple(source for source, due in offline.items() if due <= at)
            self.take(TickRecord(at=at, offline=gone))

    def occurrences(self) -> list[Occurrence]:
        """Return every occurrence as last published, withdrawn ones left out, by raise."""
        latest: dict[OccurrenceId, Occurrence] = {}
        for effect in self.effects:
            if isinstance(effect, AlarmEvent):
                latest[effect.occurrence.id] = effect.occurrence
        kept = [one for one in latest.values() if one.standing is not Standing.WITHDRAWN]
        return sorted(kept, key=lambda one: (one.raised, one.condition))

    def out(self) -> list[Out]:
        """Return the occurrences as (condition, raised, returned, flags), seconds."""
        return [
            (
                one.condition,
                one.raised / 1000,
                None if one.returned is None else one.returned / 1000,
                one.flags,
            )
            for one in self.occurrences()
        ]


def tell(
    conditions: Mapping[str, Mapping[str, Any]],
    signals: Signals,
    until: int,
    *,
    stale_s: Mapping[str, float | None] | None = None,
) -> list[Out]:
    """Return what comes out of signals told in frames of whole seconds up to `until`."""
    telling = Telling(plant_of(conditions, stale_s))
    for second in range(until + 1):
        telling.frame(rows_of(signals, second - 1, second), second)
    return telling.out()


def rows_of(signals: Signals, after: float, to: float) -> list[tuple[str, float, float | None]]:
    """Return the rows of `(after, to]`."""
    return [
        (point, second, value)
        for point, path in signals.items()
        for second, value in path
        if after < second <= to
    ]


def every(
    period: float, path: Sequence[tuple[float, float | None]], until: float
) -> list[tuple[float, float | None]]:
    """Return a step path sampled every `period` seconds from its first entry to `until`."""
    count = int((until - path[0][0]) / period) + 1
    seconds = [path[0][0] + place * period for place in range(count)]
    return [(second, [value for start, value in path if start <= second][-1]) for second in seconds]


def _row(point: str, second: float, value: float | None) -> Row:
    quality = Quality.BAD if value is None else Quality.GOOD
    return (PointCode(point), to_ms(second), 0.0 if value is None else value, int(quality))


def _points(told: Any) -> set[str]:
    found: set[str] = set()
    for condition in told.values():
        for key in ("point", "of"):
            value = condition.get(key, ())
            found |= {value} if isinstance(value, str) else set(value)
        for part in (condition.get("when"), *condition.get("effects", ())):
            found |= {part["point"]} if part else set()
    return found - set(told)
