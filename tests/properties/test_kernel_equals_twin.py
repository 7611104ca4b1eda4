"""The fast kernel gives exactly what the plain twin gives, and the cut of time does not matter.

Instants lie on a coarse grid and values are few and close to the limits, so that equal instants
of point and gate, deadband edges and delays that end at an instant are common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from meltwatch.errors import Bug
from meltwatch.evaluate.kernel import Kernel, KernelState, eligible
from meltwatch.evaluate.node import Transition
from meltwatch.evaluate.plan import Plan, plan_of
from meltwatch.evaluate.twin import Twin
from meltwatch.model.condition import Condition
from meltwatch.model.ids import ConditionId, EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.plant import Plant, Point, Source
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row, batch_of
from tests.properties.generators import Pick, picked

EAST, WEST = SourceId("east"), SourceId("west")
GRID_MS = 500
VALUES = [0.0, 1.0, 0.5, 1.5, 2.0, 2.5, 3.0]
ODD_VALUES = [math.nextafter(1, 0), math.nextafter(0.5, 0), -0.0, math.nan, math.inf, -math.inf]


# what is told to an engine


class Feed(msgspec.Struct, frozen=True):
    """A batch arrives."""

    rows: tuple[Row, ...]
    epoch: EpochId
    seq: int


class Advance(msgspec.Struct, frozen=True):
    """Sources are complete up to these frontiers."""

    frontiers: dict[SourceId, int]


class Mark(msgspec.Struct, frozen=True):
    """From an instant on nothing is known of a source (blind), or all its points are unknown."""

    source: SourceId
    at: int
    unknown: bool


class LookAhead(msgspec.Struct, frozen=True):
    """A copy looks how it goes on if a source says no more; the engine itself stays."""

    source: SourceId
    after: int
    horizon: int


class Rest(msgspec.Struct, frozen=True):
    """The process ends and goes on from the stored state, or from a copy in memory."""

    stored: bool


Act = Feed | Advance | Mark | LookAhead | Rest


class Told(msgspec.Struct, frozen=True):
    """A plant, those of its conditions that the kernel takes, and what is told, in order."""

    plant: Plant
    names: tuple[ConditionId, ...]
    acts: tuple[Act, ...]


# generators


def told_of(pick: Pick) -> Told:
    """Return a random plant and what is told to it, in any order that the journey could tell."""
    plant = plant_of_four_kinds(pick)
    names = tuple(name for name in plan_of(plant).order if pick.chance(90))
    reached: dict[SourceId, int] = {}
    acts = [act for seq in range(pick.whole(1, 14)) for act in acts_of(pick, plant, reached, seq)]
    return Told(plant, names, tuple(acts))


def acts_of(pick: Pick, plant: Plant, reached: dict[SourceId, int], seq: int) -> list[Act]:
    """Return what is told next; `reached`, how far sources are complete, goes along."""
    source = pick.one_of(sorted(plant.sources))
    kind = pick.one_of(["feed", "feed", "advance", "advance", "mark", "look", "rest"])
    if kind == "look" and source not in reached:
        kind = "feed"
    match kind:
        case "feed":
            rows = rows_of(pick, plant, source, reached.get(source, 0))
            return [Feed(rows, EpochId(pick.one_of(["1", "2", "0"])), seq)]
        case "advance":
            return [advance_of(pick, plant, reached)]
        case "mark" if source in reached:
            return [Mark(source, reached[source] + 1, unknown=pick.chance(50))]
        case "mark":  # offline before its first frame: from then on it holds nobody back
            reached[source] = 2500 + abs(stride_of(pick))
            early = Mark(source, 2500, unknown=pick.chance(50))
            return [early, Advance({source: reached[source]})]
        case "look":
            return [LookAhead(source, reached[source], reached[source] + stride_of(pick))]
        case _:
            return [Rest(stored=pick.chance(50))]


def advance_of(pick: Pick, plant: Plant, reached: dict[SourceId, int]) -> Advance:
    """Return an advance of none, one or all sources, sometimes to no news."""
    those = [source for source in sorted(plant.sources) if pick.chance(75)]
    frontiers = {source: reached.get(source, 0) + stride_of(pick) for source in those}
    for source, frontier in frontiers.items():
        reached[source] = max(frontier, reached.get(source, frontier))
    return Advance(frontiers)


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


def plant_of_four_kinds(pick: Pick) -> Plant:
    """Return a random plant of one or two sources with `high`, `low`, `state`, `silent`."""
    sources = pick.one_of([(EAST,), (EAST, WEST)])
    points = {
        PointCode(f"p{place}"): Point(
            unit="", stale_s=pick.one_of([None, 2, 3, 0.5, 5]), source=pick.one_of(sources)
        )
        for place in range(pick.whole(1, 4))
    }
    conditions = {
        ConditionId(f"c{place}"): condition_of(pick, points) for place in range(pick.whole(1, 6))
    }
    first_at = {source: pick.one_of([None, 0, 700]) for source in sources}
    return Plant(
        enterprise=EnterpriseId("random"),
        module="steel",
        points=points,
        conditions=conditions,
        sources={source: Source(first_at=first_at[source]) for source in sources},
    )


def condition_of(pick: Pick, points: Mapping[PointCode, Point]) -> Condition:
    """Return a random condition; its gate may be its own point."""
    point = pick.one_of(list(points))
    can_be_silent = points[point].stale_s is not None
    kind = pick.one_of(["high", "low", "state", *["silent"] * can_be_silent])
    told: dict[str, Any] = {"kind": kind, "level": 3, "point": point}
    if pick.chance(50):
        gates = [[1], [0, 1], [2, 0.5, 1], [7]]  # 7 never comes
        told["when"] = {"point": pick.one_of(list(points)), "in": pick.one_of(gates)}
    if kind != "silent":
        told["on_delay_s"] = pick.one_of([0, 1, 2, 0.5, 3, 0.001])
        told["off_delay_s"] = pick.one_of([0, 1, 2, 0.5, 3, 5, 0.001])
    if kind in ("high", "low"):
        told["limit"] = pick.one_of([1, 2, 1.5])
        told["deadband"] = pick.one_of([0, 0.5, 1])
    if kind == "state":
        told["in"] = pick.one_of([[1], [2], [1, 2, 0.5], [0, 3]])
    return msgspec.convert(told, Condition)  # type: ignore[no-any-return]


# two engines told the same


class Pair:
    """The plain twin and the kernel, told the same; each answer is compared."""

    def __init__(self, told: Told) -> None:
        self.plan = plan_of(told.plant)
        self.names = frozenset(told.names)
        self.twin = Twin(self.plan)
        self.kernel = Kernel(self.plan, told.names)

    def take(self, act: Act) -> None:
        match act:
            case Feed(rows, epoch, seq):
                self.twin.feed(batch_of(rows), epoch, seq)
                self.kernel.feed(batch_of(rows), epoch, seq)
            case Advance(frontiers):
                self.same(self.twin.advance(frontiers), self.kernel.advance(frontiers))
            case Mark(source, at, True):
                self.twin.make_unknown(source, at)
                self.kernel.make_unknown(source, at)
            case Mark(source, at, False):
                self.twin.blind(source, at)
                self.kernel.blind(source, at)
            case LookAhead(source, after, horizon):
                twin, kernel = self.twin.clone(), self.kernel.clone()
                twin.blind(source, after + 1)
                kernel.blind(source, after + 1)
                ahead = {source: horizon}
                self.same(twin.advance(ahead, stale=False), kernel.advance(ahead, stale=False))
            case Rest(stored):
                self.kernel = again(self.kernel, self.names) if stored else self.kernel.clone()
        nodes = self.twin.state.nodes
        due = [one.due for name, one in nodes.items() if name in self.names and one.due is not None]
        assert sorted(self.kernel.dues()) == sorted(due)

    def same(self, plain: list[Transition], fast: list[Transition]) -> None:
        wanted = [one for one in plain if one.condition in self.names]
        assert lines(fast) == lines(wanted)


def again(kernel: Kernel, names: frozenset[ConditionId]) -> Kernel:
    """Return the kernel as it comes back from its stored state."""
    stored = msgspec.msgpack.encode(kernel.state)
    return Kernel(kernel.plan, names, msgspec.msgpack.decode(stored, type=KernelState))


def lines(transitions: list[Transition]) -> list[str]:
    """Return transitions as lines, so that not-a-number in a reason equals itself."""
    return [str(one) for one in transitions]


@settings(max_examples=400)
@given(picked(told_of))
def test_the_kernel_says_what_the_twin_says_after_every_act(told: Told) -> None:
    pair = Pair(told)
    for act in told.acts:
        pair.take(act)


class Cut(msgspec.Struct, frozen=True):
    """A plant, all rows that are ever told, and two ways to cut their time."""

    plant: Plant
    rows: tuple[Row, ...]
    cuts: tuple[tuple[int, ...], tuple[int, ...]]


def cut_of(pick: Pick) -> Cut:
    """Return a random case; where time is cut is free, but both reach the same end."""
    plant = plant_of_four_kinds(pick)
    sources = {name: Source(first_at=0) for name in plant.sources}
    plant = msgspec.structs.replace(plant, sources=sources)
    rows = tuple(row for source in sorted(sources) for row in rows_of(pick, plant, source, 500))
    ends = [tuple(sorted(pick.whole(0, 9000) for _ in range(pick.whole(0, 8)))) for _ in "ab"]
    return Cut(plant, rows, (ends[0], ends[1]))


def said(cut: Cut, ends: tuple[int, ...], *, early: bool) -> list[Transition]:
    """Return what the kernel says in all, its rows told at once (`early`) or just in time."""
    plan = plan_of(cut.plant)
    kernel = Kernel(plan, eligible(plan))
    found: list[Transition] = []
    before = -10_000
    if early:
        kernel.feed(batch_of(cut.rows), EpochId("1"), 0)
    for seq, end in enumerate((*ends, 20_000)):
        if not early:
            due = [row for row in cut.rows if before < row[1] <= end]
            kernel.feed(batch_of(due), EpochId("1"), seq)
        found += kernel.advance(dict.fromkeys(cut.plant.sources, end))
        before = end
    return found


@settings(max_examples=200)
@given(picked(cut_of))
def test_where_time_is_cut_does_not_matter(cut: Cut) -> None:
    first, second = cut.cuts
    assert lines(said(cut, first, early=True)) == lines(said(cut, second, early=False))


# examples


POINTS = {"level": Point(unit="mm", stale_s=10, source=EAST), "phase": Point(unit="", source=EAST)}
LEVEL_HIGH = {
    "kind": "high",
    "level": 2,
    "point": "level",
    "limit": 80,
    "deadband": 5,
    "on_delay_s": 2,
    "off_delay_s": 3,
}


def kernel_of(condition: Mapping[str, Any]) -> Kernel:
    """Return a kernel of one condition, `alarm`, over a level and a phase."""
    plan = small_plan({"alarm": condition})
    return Kernel(plan, eligible(plan))


def small_plan(conditions: Mapping[str, Mapping[str, Any]]) -> Plan:
    plant = Plant(
        enterprise=EnterpriseId("works"),
        module="aluminium-dc",
        points={PointCode(code): point for code, point in POINTS.items()},
        conditions={
            ConditionId(name): msgspec.convert(one, Condition) for name, one in conditions.items()
        },
        sources={EAST: Source(first_at=0)},
    )
    return plan_of(plant)


def out(
    condition: Mapping[str, Any], rows: Sequence[tuple[str, float, float]], until_s: float
) -> list[tuple[float, str, tuple[str, ...]]]:
    """Return (second, up or down, flags) of one condition over (point, second, value) rows."""
    kernel = kernel_of(condition)
    told: list[Row] = [
        (PointCode(point), int(second * 1000), value, 0) for point, second, value in rows
    ]
    kernel.feed(batch_of(told), EpochId("1"), 1)
    found = kernel.advance({EAST: int(until_s * 1000)})
    return [(one.at / 1000, "up" if one.rises else "down", one.flags) for one in found]


def test_a_raise_comes_exactly_after_its_delay_and_a_return_after_its_own() -> None:
    rows = [("level", 1, 80.0), ("level", 6, 76.0), ("level", 7, 74.9)]
    assert out(LEVEL_HIGH, rows, 20) == [(3, "up", ()), (10, "down", ())]


def test_a_value_below_at_exactly_the_end_of_the_delay_prevents_the_raise() -> None:
    assert out(LEVEL_HIGH, [("level", 1, 90.0), ("level", 3, 50.0)], 12) == []


def test_silence_clears_nothing_and_stops_the_off_delay() -> None:
    rows = [("level", 0, 90.0), ("level", 9, 50.0), ("level", 32, 50.0), ("level", 40, 50.0)]
    slow = {**LEVEL_HIGH, "off_delay_s": 15}  # unknown from 19 to 32, before 9 + 15
    assert out(slow, rows, 60) == [(2, "up", ()), (47, "down", ())]


def test_a_calm_point_that_grows_stale_exactly_at_the_frontier_is_silent_there() -> None:
    kernel = kernel_of({"kind": "silent", "level": 3, "point": "level"})
    kernel.feed(batch_of([(PointCode("level"), 1000, 50.0, 0)]), EpochId("1"), 1)
    assert kernel.advance({EAST: 2000}) == []
    kernel.feed(batch_of([(PointCode("level"), 3000, 50.0, 0)]), EpochId("1"), 2)
    assert kernel.advance({EAST: 12_999}) == []
    assert [(one.at, one.rises) for one in kernel.advance({EAST: 13_000})] == [(13_000, True)]
    kernel.feed(batch_of([(PointCode("level"), 14_000, 50.0, 0)]), EpochId("1"), 3)
    assert [(one.at, one.rises) for one in kernel.advance({EAST: 14_000})] == [(14_000, False)]


def test_a_closing_gate_returns_the_alarm_and_an_opening_one_takes_the_level_afresh() -> None:
    gated = {**LEVEL_HIGH, "when": {"point": "phase", "in": [1]}}
    rows = [("phase", 0, 1.0), ("level", 1, 90.0), ("phase", 4, 0.0), ("phase", 7, 1.0)]
    assert out(gated, rows, 10) == [(3, "up", ()), (4, "down", ("not_applicable",)), (9, "up", ())]


def test_a_phase_never_seen_leaves_the_gate_open_and_the_raise_says_so() -> None:
    gated = {**LEVEL_HIGH, "when": {"point": "phase", "in": [1]}}
    assert out(gated, [("level", 1, 90.0)], 10) == [(3, "up", ("gate_unknown",))]


def test_of_two_values_at_one_instant_the_later_sent_rules() -> None:
    kernel = kernel_of({**LEVEL_HIGH, "on_delay_s": 0})
    kernel.feed(batch_of([(PointCode("level"), 1000, 50.0, 0)]), EpochId("2"), 1)
    kernel.feed(batch_of([(PointCode("level"), 1000, 90.0, 0)]), EpochId("1"), 7)
    assert kernel.advance({EAST: 5000}) == []


def test_what_a_vote_reads_and_other_kinds_are_left_to_the_twin() -> None:
    difference = {"kind": "difference", "of": ["level", "phase"], "as": "high", "limit": 1}
    vote = {"kind": "vote", "level": 2, "of": ["watched"], "m": 1}
    told = {"watched": LEVEL_HIGH, "free": LEVEL_HIGH, "vote": vote}
    plan = small_plan({**told, "far": {**difference, "level": 3}})
    assert eligible(plan) == ("free",)
    with pytest.raises(Bug, match="watched"):
        Kernel(plan, [ConditionId("watched")])
