"""Small random plants, signals and deliveries, and a scripted clock that tells them to a journey.

Instants lie on a coarse grid and values are few and close to the limits, so that equalities,
deadband edges and several things in one instant are common. Everything is chosen through a `Pick`,
so that the same generators serve hypothesis (which shrinks) and long runs from a plain seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from hypothesis import strategies as st

from meltwatch.errors import PlantRefused
from meltwatch.evaluate.plan import plan_of
from meltwatch.model.condition import Condition, Interlock, Offline
from meltwatch.model.ids import (
    ConditionId,
    EnterpriseId,
    PointCode,
    SourceId,
)
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.plant import Plant, Point, Source
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row

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
