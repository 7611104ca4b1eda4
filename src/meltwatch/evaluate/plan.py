"""A plant checked and put in order: who reads what, who is decided before whom."""

from __future__ import annotations

from collections.abc import Container
from graphlib import TopologicalSorter
from typing import TypeVar

import msgspec

from meltwatch.errors import PlantRefused
from meltwatch.evaluate.refusals import problems_of
from meltwatch.model.condition import Offline, main_points, members
from meltwatch.model.ids import ConditionId, PointCode, SourceId
from meltwatch.model.plant import Plant

K = TypeVar("K")
V = TypeVar("V")

Reader = tuple[ConditionId, int]
"""A condition and the slot of its inputs that a point or member feeds."""


class Plan(msgspec.Struct, frozen=True):
    """A sound plant with the orders that the engines need.

    `order`: conditions, members and causes before their readers. `readers`: for each point, the
    conditions that read it, with the slot (main points first, the gate last). `watchers`: for
    each condition, the votes and interlocks that read it. `sources`: for each condition the
    sources that decide how far it is decided. `offline`: each `offline` condition's source.
    """

    plant: Plant
    order: tuple[ConditionId, ...]
    readers: dict[PointCode, tuple[Reader, ...]]
    watchers: dict[ConditionId, tuple[Reader, ...]]
    sources: dict[ConditionId, frozenset[SourceId]]
    points_of: dict[SourceId, tuple[PointCode, ...]]
    offline: dict[ConditionId, SourceId]


def plan_of(plant: Plant) -> Plan:
    """Return the plan of a plant.

    Raises PlantRefused with every problem at once when the plant breaks a rule.
    """
    problems = problems_of(plant)
    if problems:
        raise PlantRefused(problems)
    conditions = plant.conditions
    order = tuple(
        TopologicalSorter({name: members(one) for name, one in conditions.items()}).static_order()
    )
    readers: dict[PointCode, list[Reader]] = {code: [] for code in plant.points}
    watchers: dict[ConditionId, list[Reader]] = {name: [] for name in conditions}
    sources: dict[ConditionId, frozenset[SourceId]] = {}
    for name in order:
        slots = slot_points(plant, name)
        for slot, point in enumerate(slots):
            readers[point].append((name, slot))
        for slot, member in enumerate(members(conditions[name])):
            watchers[member].append((name, slot))
        own = frozenset(plant.points[point].source for point in slots)
        sources[name] = own.union(*(sources[member] for member in members(conditions[name])))
    return Plan(
        plant=plant,
        order=order,
        readers={code: tuple(found) for code, found in readers.items()},
        watchers={name: tuple(found) for name, found in watchers.items()},
        sources=sources,
        points_of={
            source: tuple(code for code, one in plant.points.items() if one.source == source)
            for source in plant.sources
        },
        offline={
            name: one.source or next(iter(plant.sources))
            for name, one in conditions.items()
            if isinstance(one, Offline)
        },
    )


def islands_of(plan: Plan) -> tuple[Plan, ...]:
    """Return the plan in the smallest parts that share no source: each decides for itself.

    Sources belong together if a condition reads points of both, or members that do. What happens
    to one island's sources costs the others nothing.
    """
    conditions = plan.plant.conditions
    island = {source: source for source in plan.plant.sources}

    def root(source: SourceId) -> SourceId:
        while island[source] != source:
            source = island[source]
        return source

    reached: dict[ConditionId, SourceId] = {}
    for name in plan.order:
        told = [root(reached[member]) for member in members(conditions[name])]
        told += [root(source) for source in sorted(plan.sources[name])]
        told += [root(plan.offline[name])] if name in plan.offline else []
        for other in told[1:]:
            island[root(other)] = root(told[0])
        reached[name] = told[0]
    parts: dict[SourceId, set[SourceId]] = {}
    for source in plan.plant.sources:
        parts.setdefault(root(source), set()).add(source)
    named: dict[SourceId, set[ConditionId]] = {one: set() for one in parts}
    for name, source in reached.items():
        named[root(source)].add(name)
    if len(parts) == 1:
        return (plan,)
    return tuple(_part(plan, sources, named[one]) for one, sources in parts.items())


def _part(plan: Plan, sources: set[SourceId], names: set[ConditionId]) -> Plan:
    plant = plan.plant
    points = {code: one for code, one in plant.points.items() if one.source in sources}
    return Plan(
        plant=msgspec.structs.replace(
            plant,
            points=points,
            conditions=_only(plant.conditions, names),
            sources=_only(plant.sources, sources),
        ),
        order=tuple(name for name in plan.order if name in names),
        readers=_only(plan.readers, points),
        watchers=_only(plan.watchers, names),
        sources=_only(plan.sources, names),
        points_of=_only(plan.points_of, sources),
        offline=_only(plan.offline, names),
    )


def _only(told: dict[K, V], wanted: Container[K]) -> dict[K, V]:
    return {key: one for key, one in told.items() if key in wanted}


def slot_points(plant: Plant, name: ConditionId) -> tuple[PointCode, ...]:
    """Return the points of a condition's slots: the main ones in order, then its gate's."""
    condition = plant.conditions[name]
    gate = (condition.when.point,) if condition.when else ()
    return (*main_points(condition), *gate)
