"""A plant checked and put in order: who reads what, who is decided before whom."""

from __future__ import annotations

from graphlib import TopologicalSorter

import msgspec

from meltwatch.errors import PlantRefused
from meltwatch.evaluate.refusals import problems_of
from meltwatch.model.condition import Offline, main_points, members
from meltwatch.model.ids import ConditionId, PointCode, SourceId
from meltwatch.model.plant import Plant

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


def slot_points(plant: Plant, name: ConditionId) -> tuple[PointCode, ...]:
    """Return the points of a condition's slots: the main ones in order, then its gate's."""
    condition = plant.conditions[name]
    gate = (condition.when.point,) if condition.when else ()
    return (*main_points(condition), *gate)
