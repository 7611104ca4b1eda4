"""Random plants of every kind and what may be told to an engine, in any order the journey could.

Instants lie on a coarse grid and values are few and close to the limits, so that equal instants
of point and gate, deadband edges and delays that end at an instant are common.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from meltwatch.errors import PlantRefused
from meltwatch.evaluate.plan import plan_of
from meltwatch.model.condition import Condition, Interlock, Offline
from meltwatch.model.ids import ConditionId, EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.plant import Plant, Point, Source
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row
from tests.properties.generators import Pick

EAST, WEST = SourceId("east"), SourceId("west")
GRID_MS = 500
VALUES = [0.0, 1.0, 0.5, 1.5, 2.0, 2.5, 3.0]
ODD_VALUES = [math.nextafter(1, 0), math.nextafter(0.5, 0), -0.0, math.nan, math.inf, -math.inf]
CALM_KINDS = ("high", "low", "state", "silent")
KINDS = (*CALM_KINDS, "difference", "rate", "stuck", "rate", "stuck", "difference")
READERS = ("vote", "interlock", "vote", "offline")


class Feed(msgspec.Struct, frozen=True):
    """A batch arrives."""

    rows: tuple[Row, ...]
    epoch: EpochId
    seq: int


class Advance(msgspec.Struct, frozen=True):
    """Sources are complete up to these frontiers."""

    frontiers: dict[SourceId, int]


class Mark(msgspec.Struct, frozen=True):
    """From an instant on a source is `blind`, `unknown`, or taken `afresh`."""

    source: SourceId
    at: int
    how: str


class LookAhead(msgspec.Struct, frozen=True):
    """A copy looks how it goes on if a source says no more; the engine itself stays."""

    source: SourceId
    after: int
    horizon: int


class Rest(msgspec.Struct, frozen=True):
    """The engine goes on as `copy`, from its `stored` state, or through the `twin`'s state."""

    how: str


class Turned(msgspec.Struct, frozen=True):
    """A source goes offline or comes back, by the receiver's clock."""

    name: ConditionId
    at: int
    offline: bool


class Adopt(msgspec.Struct, frozen=True):
    """Another plant comes in force."""

    plant: Plant


Act = Feed | Advance | Mark | LookAhead | Rest | Turned | Adopt


class Told(msgspec.Struct, frozen=True):
    """A plant and what is told, in order."""

    plant: Plant
    acts: tuple[Act, ...]


def told_of(pick: Pick) -> Told:
    """Return a random plant and what is told to it."""
    teller = Teller(pick, plant_of_every_kind(pick))
    return Told(
        teller.plant, tuple(act for seq in range(pick.whole(1, 14)) for act in teller.next(seq))
    )


def calm_of(pick: Pick) -> Told:
    """Return a plant of limits, rates and stucks in a long calm, with a jump now and then.

    Frames hold one or a few values of each point, so that what is surely calm goes that way.
    """
    points = {PointCode(f"p{place}"): Point(unit="", stale_s=9, source=EAST) for place in (0, 1)}
    plant = Plant(
        enterprise=EnterpriseId("calm"),
        module="steel",
        points=points,
        conditions={},
        sources={EAST: Source(first_at=0)},
    )
    for place in range(pick.whole(2, 6)):
        told = condition_of(pick, plant, ("rate", "stuck", "rate", "stuck", "high", "difference"))
        if told["kind"] in ("rate", "difference"):
            told["limit"] = pick.one_of([1, 2, -1, 0.5])
        plant = _with(plant, f"c{place}", told)
    acts: list[Act] = []
    base, end = 1.0, 0
    for seq in range(pick.whole(4, 25)):
        base = pick.one_of([base] * 8 + [1.0, 3.0, -2.0, 50.0])
        every = pick.one_of([1000, 1000, 500, 3000])
        times = range(end + every, end + every * pick.one_of([1, 1, 1, 2, 5]) + 1, every)
        rows = tuple(
            (code, at, base + pick.one_of([0.0, 0.1, -0.1, 0.3, -0.4]), 0)
            for at in times
            for code in points
            if not pick.chance(4)
        )
        end = times[-1] + pick.one_of([0, 0, 0, 700])
        acts += [Feed(rows, EpochId("1"), seq), Advance({EAST: end})]
        if pick.chance(10):
            acts.append(Rest(pick.one_of(["copy", "stored", "twin"])))
        if pick.chance(4):
            acts.append(Mark(EAST, end + 1, pick.one_of(["afresh", "unknown", "blind"])))
    return Told(plant, tuple(acts))


class Teller:
    """Tells what comes next; how far sources are complete goes along."""

    def __init__(self, pick: Pick, plant: Plant) -> None:
        self.pick, self.plant, self.now = pick, plant, plant
        self.reached: dict[SourceId, int] = {}
        self.moved: set[SourceId] = set()

    def next(self, seq: int) -> list[Act]:
        pick, reached = self.pick, self.reached
        source = pick.one_of(sorted(self.now.sources))
        kinds = "feed feed advance advance advance mark look rest turned adopt"
        kind = pick.one_of(kinds.split())
        if kind == "look" and source not in reached:
            kind = "feed"
        match kind:
            case "feed":
                rows = rows_of(pick, self.now, source, reached.get(source, 0))
                return [Feed(rows, EpochId(pick.one_of(["1", "2", "0"])), seq)]
            case "advance":
                return [self._advance()]
            case "mark":
                return self._mark(source)
            case "look":
                return [LookAhead(source, reached[source], reached[source] + stride_of(pick))]
            case "turned":
                return self._turn()
            case "adopt":
                self.now = variant_of(pick, self.now)
                self.moved.clear()
                # A point may change its source: no sample of it waits then (as in the journey).
                self.reached = {one: reached.get(one, 0) + 8000 for one in self.now.sources}
                return [Advance(self.reached.copy()), Adopt(self.now)]
            case _:
                return [Rest(pick.one_of(["copy", "stored", "twin"]))]

    def _advance(self) -> Advance:
        """Return an advance of none, one or all sources, sometimes to no news."""
        those = [source for source in sorted(self.now.sources) if self.pick.chance(75)]
        ends = {one: self.reached.get(one, 0) + stride_of(self.pick) for one in those}
        for source, frontier in ends.items():
            if source not in self.reached or frontier > self.reached[source]:
                self.reached[source] = frontier
                self.moved.add(source)
        return Advance(ends)

    def _mark(self, source: SourceId) -> list[Act]:
        """Return a mark just beyond the frontier, which has moved since the last new plan."""
        how = self.pick.one_of(["blind", "unknown", "afresh"])
        first: list[Act] = []
        if source not in self.moved:
            self.reached[source] = self.reached.get(source, 0) + 500
            self.moved.add(source)
            first = [Advance({source: self.reached[source]})]
        return [*first, Mark(source, self.reached[source] + 1, how)]

    def _turn(self) -> list[Act]:
        names = [n for n, one in self.now.conditions.items() if isinstance(one, Offline)]
        at = max(self.reached.values(), default=0) + stride_of(self.pick)
        return [Turned(name, at, self.pick.chance(50)) for name in names]


def stride_of(pick: Pick) -> int:
    """Return how far a frontier goes, ms; on the grid or just beside it."""
    return pick.one_of([500, 1000, 3000, 0, 8000, 20_000, -500]) + pick.one_of([0, 0, -1, 1])


def rows_of(pick: Pick, plant: Plant, source: SourceId, reached: int) -> tuple[Row, ...]:
    """Return random rows of a source: disorder, repeats, bad ones, some decided already."""
    codes = [code for code, one in plant.points.items() if one.source == source]
    return tuple(
        row_of(pick, pick.one_of([*codes, *codes, PointCode("stranger")]), reached)
        for _ in range(pick.whole(0, 12))
    )


def row_of(pick: Pick, code: PointCode, reached: int) -> Row:
    """Return one row near the frontier."""
    near = (reached // GRID_MS + pick.whole(-1, 14)) * GRID_MS
    at = near + pick.one_of([0, 0, 0, 0, -1, 1])
    if pick.chance(12):
        value = pick.one_of([9.0, *VALUES])  # equal values of one instant are one sample
        return code, at, value, int(Quality.BAD | pick.one_of([Quality.GOOD, Quality.CLOCK]))
    value = pick.one_of(ODD_VALUES if pick.chance(8) else VALUES)
    return code, at, value, pick.one_of([0, 0, int(Quality.UNCERTAIN)])


# plants


def plant_of_every_kind(pick: Pick) -> Plant:
    """Return a random plant of one or two sources."""
    sources = pick.one_of([(EAST,), (EAST, WEST)])
    points = {
        PointCode(f"p{place}"): Point(
            unit="", stale_s=pick.one_of([None, 2, 3, 0.5, 5]), source=pick.one_of(sources)
        )
        for place in range(pick.whole(1, 4))
    }
    first_at = {source: pick.one_of([None, 0, 700]) for source in sources}
    plant = Plant(
        enterprise=EnterpriseId("random"),
        module="steel",
        points=points,
        conditions={},
        sources={source: Source(first_at=first_at[source]) for source in sources},
    )
    for place in range(pick.whole(1, 6)):
        plant = _with(plant, f"c{place}", condition_of(pick, plant, KINDS))
    for place in range(pick.whole(0, 4)):
        plant = _with(plant, f"v{place}", condition_of(pick, plant, READERS))
    return plant


def variant_of(pick: Pick, plant: Plant) -> Plant:
    """Return the plant with conditions gone, come and changed, or points told otherwise."""
    replace = msgspec.structs.replace
    changed = plant
    for name in plant.conditions:
        if pick.chance(20):
            left = {k: v for k, v in changed.conditions.items() if k != name}
            changed = _accepted(changed, replace(changed, conditions=left))
    for name in [*plant.conditions, ConditionId("n0"), ConditionId("n1")]:
        if pick.chance(25):
            kinds = READERS if name.startswith("v") else KINDS
            changed = _with(changed, name, condition_of(pick, changed, kinds))
    if pick.chance(30):
        code = pick.one_of(sorted(changed.points))
        point = replace(changed.points[code], stale_s=pick.one_of([None, 2, 0.5]))
        point = replace(point, source=pick.one_of(sorted(changed.sources)))
        changed = _accepted(changed, replace(changed, points={**changed.points, code: point}))
    if pick.chance(20):
        code = PointCode(f"p{len(changed.points)}")
        point = Point(unit="", stale_s=2, source=pick.one_of(sorted(changed.sources)))
        changed = _accepted(changed, replace(changed, points={**changed.points, code: point}))
    return changed


def condition_of(pick: Pick, plant: Plant, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return a random condition as a plant file tells it; its gate may be its own point."""
    points = list(plant.points)
    told: dict[str, Any] = {"kind": pick.one_of(kinds), "level": 3}
    kind = told["kind"]
    if kind == "offline":
        return {**told, "source": pick.one_of(sorted(plant.sources))}
    if pick.chance(35):
        gates = [[1], [0, 1], [2, 0.5, 1], [7]]  # 7 never comes
        told["when"] = {"point": pick.one_of(points), "in": pick.one_of(gates)}
    if kind not in ("silent", "stuck", "interlock"):
        told["on_delay_s"] = pick.one_of([0, 1, 2, 0.5, 3, 0.001])
        told["off_delay_s"] = pick.one_of([0, 1, 2, 0.5, 3, 5, 0.001])
    match kind:
        case "vote":
            members = [n for n, one in plant.conditions.items() if not isinstance(one, Interlock)]
            of = pick.shuffled(members)[: pick.whole(1, 3)]
            return {**told, "of": of, "m": pick.whole(1, 2), "unknown_counts": pick.chance(30)}
        case "interlock":
            causes = [n for n, one in plant.conditions.items() if one.off_delay_ms > 1]
            cause = pick.one_of(causes or ["nobody"])
            sets = [[1], [1, 2], [0, 2], [0.5, 1, 1.5]]
            some = pick.shuffled(points)[: pick.whole(1, 2)]
            effects = [{"point": one, "in": pick.one_of(sets)} for one in some]
            within = pick.one_of([0.5, 1, 2, 0.001])
            return {**told, "cause": cause, "within_s": within, "effects": effects}
        case "difference":
            told["of"] = [pick.one_of(points), pick.one_of(points)]
        case _:
            told["point"] = pick.one_of(points)
    return told | _figures(pick, kind)


def _figures(pick: Pick, kind: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if kind in ("high", "low", "difference", "rate"):
        told["limit"] = pick.one_of([1, 2, 1.5] if kind in CALM_KINDS else [1, 0.5, 0, -0.5, -1])
        told["deadband"] = pick.one_of([0, 0.5, 1])
    if kind in ("difference", "rate"):
        told["as"] = pick.one_of(["high", "low"])
    if kind == "rate":
        told["window_s"] = pick.one_of([1, 2, 1.5, 0.5, 6, 0.0001])
    if kind == "stuck":
        told["band"] = pick.one_of([0, 0.5, 1])
        told["on_delay_s"] = pick.one_of([2, 3, 1, 0.5, 0.0001, 9])
    if kind == "state":
        told["in"] = pick.one_of([[1], [2], [1, 2, 0.5], [0, 3]])
    return told


def _with(plant: Plant, name: str | ConditionId, told: dict[str, Any]) -> Plant:
    try:
        condition = msgspec.convert(told, Condition)
    except msgspec.ValidationError:
        return plant
    conditions = {**plant.conditions, ConditionId(name): condition}
    return _accepted(plant, msgspec.structs.replace(plant, conditions=conditions))


def _accepted(plant: Plant, changed: Plant) -> Plant:
    """Return the changed plant if the product accepts it."""
    try:
        plan_of(changed)
    except PlantRefused:
        return plant
    return changed
