"""The conditions of a lane that go through the plain `step`, when something touches them.

Votes and interlocks always: they are few, and nothing calm reaches them. Any other kind for a
while after a change of configuration, until it stands as a column can tell.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from meltwatch.evaluate.columns import BEFORE, PLAIN, Columns, Ints
from meltwatch.evaluate.judge import Member
from meltwatch.evaluate.node import Entry, Node, Transition, node_of
from meltwatch.evaluate.signal import Turn
from meltwatch.evaluate.step import Step
from meltwatch.evaluate.told import Told
from meltwatch.model.condition import main_points
from meltwatch.model.ids import ConditionId, PointCode

PassOn = Callable[[ConditionId, list[tuple[int, Member]]], None]
"""Tells the readers of a condition how it has changed, instant by instant."""


class Plain:
    """The nodes of some conditions of a lane, by their places there."""

    def __init__(self, columns: Columns, nodes: dict[int, Node] | None = None) -> None:
        """Take up nodes, or begin with the votes and interlocks, that have seen nothing."""
        self.columns = columns
        self.place = {code: place for place, code in enumerate(columns.points)}
        self.nodes = (
            nodes
            if nodes is not None
            else {
                place: node_of(one)
                for place, one in enumerate(columns.conditions)
                if columns.kind[place] == PLAIN
            }
        )
        self.awake = {place for place, node in self.nodes.items() if _is_awake(node)}
        """Those with something to come: a delay that runs, or what they were told."""

    def clone(self) -> Plain:
        """Return a copy that shares nothing that changes."""
        twin = Plain.__new__(Plain)
        twin.columns, twin.place = self.columns, self.place
        twin.nodes = {place: node.clone() for place, node in self.nodes.items()}
        twin.awake = self.awake.copy()
        return twin

    def slots(self, place: int) -> tuple[PointCode, ...]:
        """Return the points of a condition's slots: the main ones in order, then its gate's."""
        condition = self.columns.conditions[place]
        gate = (condition.when.point,) if condition.when else ()
        return (*main_points(condition), *gate)

    def tell(self, who: Ints, told: Told) -> None:
        """Let conditions hear what happens to their points."""
        for place in who.tolist():
            for slot, code in enumerate(self.slots(place)):
                entries = _entries(told, self.place[code], slot)
                if entries:
                    self.nodes[place].inbox += entries
                    self.awake.add(place)

    def hear(self, place: int, entries: list[Entry]) -> None:
        """Let a condition hear of its members."""
        self.nodes[place].inbox += entries
        self.awake.add(place)

    def run(self, frontier: int, pass_on: PassOn) -> list[Transition]:
        """Decide every instant up to and including `frontier`; return the transitions, unsorted.

        Members stand before their readers, so that these hear of them in the same advance.
        """
        found: list[Transition] = []
        waiting = sorted(self.awake)
        while waiting:
            place = heapq.heappop(waiting)
            node = self.nodes[place]
            if node.frontier is not None and frontier < node.frontier:
                continue
            step = Step(self.columns.names[place], self.columns.conditions[place], node)
            step.until(frontier)
            found += step.transitions
            if step.heard:
                before = self.awake.copy()
                pass_on(step.name, step.heard)
                for other in self.awake - before:
                    heapq.heappush(waiting, other)
            if not _is_awake(node):
                self.awake.discard(place)
        return found

    def dues(self) -> list[int]:
        """Return the ends of all running on-delays."""
        dues = (self.nodes[place].due for place in self.awake)
        return [due for due in dues if due is not None]


def _is_awake(node: Node) -> bool:
    return bool(node.inbox) or node.due is not None or node.off_due is not None


def _entries(told: Told, point: int, slot: int) -> list[Entry]:
    """Return what a slot is told of its point; nothing for a point that is not among those told."""
    place = int(np.searchsorted(told.points, point))
    if place == len(told.points) or told.points[place] != point:
        return []
    entries: list[Entry] = []
    for row in range(told.first[place], told.first[place + 1]):
        at = int(told.at[row])
        if at == BEFORE:
            continue
        if told.forgets[row]:
            entries.append((at, slot, Turn.AFRESH, 0.0, None))
        if told.fresh[row]:
            entries.append((at, slot, Turn.VALUE, float(told.value[row]), None))
        if told.unknown[row] and not told.unknown[row - 1]:
            entries.append((at, slot, Turn.UNKNOWN, 0.0, None))
        if told.blind[row] and not told.blind[row - 1]:
            entries.append((at, slot, Turn.BLIND, 0.0, None))
    return entries
