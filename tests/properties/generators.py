"""Small random plants, signals and deliveries, and a scripted clock that tells them to a journey.

Instants lie on a coarse grid and values are few and close to the limits, so that equalities,
deadband edges and several things in one instant are common. Everything is chosen through a `Pick`,
so that the same generators serve hypothesis (which shrinks) and long runs from a plain seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import Any, Protocol, TypeVar

import msgspec
import yaml
from hypothesis import strategies as st

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.alarm.standing import Standing
from meltwatch.errors import PlantRefused
from meltwatch.evaluate.plan import plan_of
from meltwatch.journey import Effect, Journey
from meltwatch.model.condition import Condition, Interlock, Offline
from meltwatch.model.ids import (
    ConditionId,
    EnterpriseId,
    EpochId,
    OccurrenceId,
    PointCode,
    SourceId,
)
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.log import ConfigRecord, Interval, Record, SamplesRecord, TickRecord
from meltwatch.model.plant import Plant, Point, Source
from meltwatch.model.quality import Quality
from meltwatch.model.risk_model import RiskModel
from meltwatch.model.sample import Row, batch_of
from tests.properties.oracle import Happened

T = TypeVar("T")
GATEWAY = SourceId("gateway")
BAD_VALUE = 9.0


class Pick(Protocol):
    """Where choices come from."""

    def one_of(self, options: Sequence[T]) -> T:
        """Return one of the options; the first is the simplest."""

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included; the lowest is the simplest."""

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases."""

    def shuffled(self, told: Iterable[T]) -> list[T]:
        """Return the same in any order."""


class SeedPick:
    """Choices from a seed, for long runs."""

    def __init__(self, seed: int) -> None:
        """Begin."""
        self.random = random.Random(seed)

    def one_of(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return self.random.choice(options)

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return self.random.randint(low, high)

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases."""
        return self.random.random() * 100 < percent

    def shuffled(self, told: Iterable[T]) -> list[T]:
        """Return the same in any order."""
        listed = list(told)
        self.random.shuffle(listed)
        return listed


class DrawPick:
    """Choices that hypothesis makes, and shrinks."""

    def __init__(self, draw: st.DrawFn) -> None:
        """Begin."""
        self.draw = draw

    def one_of(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.whole(0, len(options) - 1)]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return self.draw(st.integers(low, high))

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases."""
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def shuffled(self, told: Iterable[T]) -> list[T]:
        """Return the same in any order."""
        return self.draw(st.permutations(list(told)))


def picked(make: Callable[[Pick], T]) -> st.SearchStrategy[T]:
    """Return the hypothesis strategy of a generator."""

    @st.composite
    def strategy(draw: st.DrawFn) -> T:
        return make(DrawPick(draw))

    return strategy()


# plants


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A plant, the samples that its instruments made, and how long the case is decided, ms."""

    plant: Plant
    rows: tuple[Row, ...]
    until: int


def case_of(pick: Pick, most_seconds: int = 40) -> Case:
    """Return a random plant with random signals of up to so many seconds."""
    plant = plant_of(pick)
    until = pick.whole(8, most_seconds) * SECOND_MS
    return Case(plant=plant, rows=tuple(rows_of(pick, plant, until)), until=until)


def plant_of(pick: Pick) -> Plant:
    """Return a random plant that the product accepts."""
    plain = [PointCode(f"p{place}") for place in range(pick.whole(2, 4))]
    gates = [PointCode(f"g{place}") for place in range(pick.whole(1, 2))]
    points = {
        name: Point(unit="", stale_s=pick.one_of([None, 2, 3, 5]), source=GATEWAY)
        for name in plain + gates
    }
    plant = Plant(
        enterprise=EnterpriseId("random"),
        module="steel",
        points=points,
        conditions={},
        sources={GATEWAY: Source(offline_s=pick.one_of([5, 10, 4.5]), first_at=0)},
        grace_s=pick.one_of([5, 1, 2]),
    )
    for place in range(pick.whole(3, 10)):
        told = condition_of(pick, plant, plain, gates)
        if told is not None:
            plant = _with(plant, ConditionId(f"c{place}"), told) or plant
    return plant


def condition_of(
    pick: Pick, plant: Plant, plain: list[PointCode], gates: list[PointCode]
) -> dict[str, Any] | None:
    """Return a random condition as a plant file tells it; None: nothing to refer to."""
    kinds = "high low state difference rate stuck silent vote vote interlock interlock offline"
    kind = pick.one_of(kinds.split())
    told: dict[str, Any] = {"kind": kind, "level": 3}
    if kind != "offline" and pick.chance(35):
        told["when"] = {"point": pick.one_of(gates), "in": pick.one_of([[1], [1, 2], [0]])}
    if kind in ("high", "low", "state", "difference", "rate", "vote"):
        told["on_delay_s"] = pick.one_of([0, 1, 2, 0.5, 3])
        told["off_delay_s"] = pick.one_of([0, 1, 2, 3, 5])
    if kind in ("high", "low", "state", "rate", "stuck", "silent"):
        told["point"] = pick.one_of(plain)
    if kind in ("high", "low", "difference", "rate"):
        told["deadband"] = pick.one_of([0, 0.5, 1])
        told["limit"] = pick.one_of([1, 2])
    if kind in ("difference", "rate"):
        told["as"] = pick.one_of(["high", "low"])
        told["limit"] = pick.one_of([1, 0.5, 0, -0.5, -1])
    match kind:
        case "state":
            told["in"] = pick.one_of([[1], [2], [1, 2], [0, 3]])
        case "difference":
            told["of"] = pick.shuffled(plain)[:2]
        case "rate":
            told["window_s"] = pick.one_of([1, 2, 1.5])
        case "stuck":
            told["band"] = pick.one_of([0, 0.5])
            told["on_delay_s"] = pick.one_of([2, 3, 1])
        case "vote":
            return _of_members(pick, plant, told)
        case "interlock":
            return _of_cause(pick, plant, told, [*plain, *gates])
    return told


def _of_members(pick: Pick, plant: Plant, told: dict[str, Any]) -> dict[str, Any] | None:
    conditions = plant.conditions.items()
    usable = [name for name, one in conditions if not isinstance(one, Interlock | Offline)]
    if not usable:
        return None
    of = pick.shuffled(usable)[: pick.whole(1, 3)]
    return {**told, "of": of, "m": pick.whole(1, len(of)), "unknown_counts": pick.chance(30)}


def _of_cause(
    pick: Pick, plant: Plant, told: dict[str, Any], points: list[PointCode]
) -> dict[str, Any] | None:
    causes = [name for name, one in plant.conditions.items() if one.off_delay_ms > 0]
    if not causes:
        return None
    cause = pick.one_of(causes)
    sets = [[1], [1, 2], [0, 2], [0.5, 1, 1.5]]
    effects = [
        {"point": one, "in": pick.one_of(sets)} for one in pick.shuffled(points)[: pick.whole(1, 2)]
    ]
    return {**told, "cause": cause, "within_s": pick.one_of([0.5, 1, 2]), "effects": effects}


def _with(plant: Plant, name: ConditionId, told: dict[str, Any]) -> Plant | None:
    """Return the plant with one more condition; None: the product refuses that."""
    condition = msgspec.convert(told, Condition)
    more = msgspec.structs.replace(plant, conditions={**plant.conditions, name: condition})
    try:
        plan_of(more)
    except PlantRefused:
        return None
    return more


# signals


def rows_of(pick: Pick, plant: Plant, until: int) -> list[Row]:
    """Return random samples of every point, by instant: steps that stay a while, gaps, bad ones."""
    rows: list[Row] = []
    for point in plant.points:
        gate = point.startswith("g")
        values = [0.0, 1.0, 2.0] if gate else [0.0, 1.0, 0.5, 1.5, 2.0, 2.5, 3.0]
        period = pick.one_of([1000, 500, 2000])
        at = pick.one_of([0, 0, 500, 1000, 3000])
        value = pick.one_of(values)
        while at <= until:
            if pick.chance(35):
                value = pick.one_of(values)
            bad = pick.chance(6)
            rows.append((point, at, BAD_VALUE, int(Quality.BAD)) if bad else (point, at, value, 0))
            at += pick.one_of([2000, 3000, 5500, 6000]) if pick.chance(8) else period
    return sorted(rows, key=lambda row: row[1])


# frames


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A frame and the instant of its arrival."""

    at: int
    rows: tuple[Row, ...]
    complete_from: int
    complete_to: int
    epoch: int = 0
    backfill: bool = False
    lost: tuple[Interval, ...] = ()


def second_frames(case: Case) -> list[Frame]:
    """Return the frames of whole seconds, each arriving at once."""
    return [
        Frame(
            at=end,
            rows=tuple(row for row in case.rows if end - SECOND_MS < row[1] <= end),
            complete_from=end - SECOND_MS,
            complete_to=end,
        )
        for end in range(0, case.until + 1, SECOND_MS)
    ]


# outages of the line


class Holed(msgspec.Struct, frozen=True, kw_only=True):
    """Frames with outages, the holes `(old complete_to, new complete_from]`, what holds at last."""

    frames: tuple[Frame, ...]
    holes: tuple[Interval, ...]
    rows: tuple[Row, ...]

    def wanted(self, undisturbed: list[Happened]) -> list[Happened]:
        """Return the oracle's occurrences, those raised in a hole flagged `late`."""
        return sorted(
            one._replace(flags=tuple(sorted((*one.flags, "late"))))
            if any(after < one.raised <= upto for after, upto in self.holes)
            else one
            for one in undisturbed
        )


def outages_of(pick: Pick, last: int) -> list[tuple[int, int]]:
    """Return outages [from, to) in whole seconds; after each the line is up for a second or more.

    Frames made at from <= t < to do not come through; the line is back at `to`, at most `last`.
    """
    found: list[tuple[int, int]] = []
    second = pick.whole(1, max(1, last // 2))
    while second < last and len(found) < 3:
        back = min(last, second + pick.one_of([1, 2, 3, 4, 5, 6, 8, 12, 20]))
        found.append((second, back))
        second = back + pick.whole(1, 15)
        if pick.chance(35):
            break
    return found


def holed_frames(pick: Pick, case: Case) -> Holed:
    """Return the frames of whole seconds with outages of the line.

    When the line is back a new epoch's live frame comes first; then frames of the old epochs, each
    epoch's in its order, between later live frames and at any pace. At the end all have come.
    """
    outages = outages_of(pick, case.until // SECOND_MS)
    waiting: dict[int, list[Frame]] = {}
    frames: list[Frame] = []
    epoch = 0
    for frame in second_frames(case):
        second = frame.at // SECOND_MS
        if any(start <= second < end for start, end in outages):
            waiting.setdefault(epoch, []).append(frame)
            continue
        if any(second == end for _, end in outages):
            epoch += 1
        frames.append(msgspec.structs.replace(frame, epoch=epoch))
        last = frame.at == case.until
        most = 10**6 if last else pick.one_of([0, 1, 2, 3, 5, 100])
        while most > 0 and waiting:
            most -= 1
            old = pick.one_of(sorted(waiting))
            late = waiting[old].pop(0)
            if not waiting[old]:
                del waiting[old]
            frames.append(msgspec.structs.replace(late, at=frame.at, epoch=old, backfill=True))
    holes = tuple(((start - 1) * SECOND_MS, (end - 1) * SECOND_MS) for start, end in outages)
    return Holed(frames=tuple(frames), holes=holes, rows=case.rows)


def stalled_frames(pick: Pick, case: Case) -> Holed:
    """Return the frames of whole seconds with stalls: no new epoch, the same run goes on late."""
    stalls = outages_of(pick, case.until // SECOND_MS)
    waiting: list[Frame] = []
    frames: list[Frame] = []
    for frame in second_frames(case):
        second = frame.at // SECOND_MS
        if any(start <= second < end for start, end in stalls):
            waiting.append(frame)
            continue
        frames += [msgspec.structs.replace(one, at=frame.at) for one in waiting]
        frames.append(frame)
        waiting = []
    return Holed(frames=tuple(frames), holes=(), rows=case.rows)


def lossy_frames(pick: Pick, case: Case) -> Holed:
    """Return frames with outages, of which the source has lost some samples and says so.

    The last frame of all tells each lost interval, part of a hole; its samples never come.
    """
    holed = holed_frames(pick, case)
    lost: list[Interval] = []
    for start, end in holed.holes:
        if pick.chance(70):
            first = pick.whole(start // SECOND_MS, end // SECOND_MS - 1) * SECOND_MS
            last = pick.whole(first // SECOND_MS + 1, end // SECOND_MS) * SECOND_MS
            lost.append((first, last))

    def is_lost(at: int) -> bool:
        return any(after < at <= upto for after, upto in lost)

    frames = [one for one in holed.frames if not (one.backfill and is_lost(one.complete_to))]
    places = [place for place, one in enumerate(frames) if not one.backfill]
    for interval in lost:
        after = [place for place in places if frames[place].complete_from >= interval[1]]
        place = pick.one_of(after)
        frames[place] = msgspec.structs.replace(frames[place], lost=(*frames[place].lost, interval))
    rows = tuple(row for row in case.rows if not is_lost(row[1]))
    return Holed(frames=tuple(frames), holes=holed.holes, rows=rows)


def corrected_frames(pick: Pick, case: Case, *, holes: bool) -> Holed:
    """Return frames of which some bring, beside their own, rows for instants long complete.

    Such a row has another value for an instant already told (or to be told by an older epoch), or
    is for an instant that had none. The later sent (epoch, frame, row) rules.
    """
    base = holed_frames(pick, case) if holes else None
    frames = list(base.frames if base else second_frames(case))
    for place in sorted({pick.whole(1, len(frames) - 1) for _ in range(pick.whole(1, 4))}):
        frame = frames[place]
        more: list[Row] = []
        for _ in range(pick.one_of([1, 2, 3])):
            point = pick.one_of(sorted(case.plant.points))
            told = [row for row in case.rows if row[0] == point and row[1] <= frame.complete_from]
            if told and pick.chance(80):
                at = pick.one_of(told)[1]
            else:
                at = pick.whole(0, frame.complete_from // 500) * 500
            values = [0.0, 1.0, 2.0] if point.startswith("g") else [0.0, 3.0, 1.0, 2.0, 1.5, 0.5]
            here = {row[2] for row in told if row[1] == at}
            value = pick.one_of([value for value in values if value not in here])
            if pick.chance(10):  # no value that a good sample has: equal ones would be one sample
                more.append((point, at, BAD_VALUE, int(Quality.BAD)))
            else:
                more.append((point, at, value, int(Quality.GOOD)))
        frames[place] = msgspec.structs.replace(frame, rows=(*frame.rows, *more))
    return Holed(
        frames=tuple(frames), holes=base.holes if base else (), rows=tuple(ruling_rows(frames))
    )


def ruling_rows(frames: Sequence[Frame]) -> list[Row]:
    """Return one row for each (point, at): of unequal ones the latest sent."""
    sent = sorted(
        ((frame.epoch, place, number), row)
        for place, frame in enumerate(frames)
        for number, row in enumerate(frame.rows)
    )
    ruling: dict[tuple[PointCode, int], Row] = {}
    for _, row in sent:
        standing = ruling.get((row[0], row[1]))
        if standing is None or standing[2] != row[2]:
            ruling[row[0], row[1]] = row
    return sorted(ruling.values(), key=lambda row: row[1])


# telling a journey


class Telling:
    """A journey with a scripted clock: ticks come exactly when something asks for them."""

    def __init__(self, plant: Plant) -> None:
        """Configure the plant at instant 0."""
        self.journey = Journey.begin(plant.enterprise)
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.seq: dict[int, int] = {}
        self.take(ConfigRecord(received_at=0, plant=plant, risk_model=RISK_MODEL))

    def take(self, record: Record) -> None:
        """Give the journey one record."""
        self.records.append(record)
        self.effects += self.journey.step(record)

    def tell(self, frames: Iterable[Frame], until: int) -> Telling:
        """Give the journey frames in their order, and let the clock pass up to `until`."""
        for frame in frames:
            self.pass_time(frame.at)
            self.seq[frame.epoch] = self.seq.get(frame.epoch, 0) + 1
            self.take(
                SamplesRecord(
                    received_at=frame.at,
                    source=GATEWAY,
                    epoch=EpochId(f"{frame.epoch:04d}"),
                    seq=self.seq[frame.epoch],
                    complete_from=frame.complete_from,
                    complete_to=frame.complete_to,
                    samples=batch_of(frame.rows),
                    backfill=frame.backfill,
                    lost=frame.lost,
                )
            )
        self.pass_time(until + 1)
        return self

    def pass_time(self, until: int) -> None:
        """Tick, as a live core would, at every instant before `until` at which something is due."""
        while True:
            due = self.journey.offline_due()
            wake = self.journey.wake_at()
            wakes = [*due.values(), *([] if wake is None else [wake])]
            if not wakes or min(wakes) >= until:
                return
            at = min(wakes)
            gone = tuple(source for source, when in due.items() if when <= at)
            self.take(TickRecord(at=at, offline=gone))

    def occurrences(self) -> list[Occurrence]:
        """Return every occurrence as last published, withdrawn ones left out."""
        latest: dict[OccurrenceId, Occurrence] = {}
        for effect in self.effects:
            if isinstance(effect, AlarmEvent):
                latest[effect.occurrence.id] = effect.occurrence
        return [one for one in latest.values() if one.standing is not Standing.WITHDRAWN]

    def happened(self) -> list[Happened]:
        """Return the occurrences of every kind but `offline`, as the oracle tells them."""
        plant = self.journey.state.plant
        assert plant is not None
        return sorted(
            Happened(one.raised, one.condition, one.returned, one.flags)
            for one in self.occurrences()
            if not isinstance(plant.conditions[one.condition], Offline)
        )


def _risk_model() -> RiskModel:
    file = files("meltwatch.risk") / "models" / "project-default.1.yaml"
    return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), RiskModel)


RISK_MODEL = _risk_model()


def told_apart(found: list[Happened], wanted: list[Happened]) -> str:
    """Return the difference as lines that a person can read; empty if there is none."""
    lines = [f"missing    {one}" for one in wanted if one not in found]
    lines += [f"unexpected {one}" for one in found if one not in wanted]
    if not lines and sorted(found) != sorted(wanted):
        lines = ["told more than once"]
    return "\n".join(lines)
