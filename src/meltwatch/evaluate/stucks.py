"""Calm `stuck`: values that become references though no condition changes by it."""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.columns import BEFORE, NEVER, STUCK, Bools, Columns, Floats, Ints, layers_of
from meltwatch.evaluate.rounds import States
from meltwatch.evaluate.told import Rows


class References(msgspec.Struct, frozen=True, eq=False):
    """New references, shape (steps,): condition, value, its instant, when it makes a raise due."""

    who: Ints
    value: Floats
    since: Ints
    due: Ints

    def take(self, which: Bools) -> References:
        """Return some of them, by a mask."""
        return References(self.who[which], self.value[which], self.since[which], self.due[which])

    def put(self, states: States) -> None:
        """Let conditions have their new references."""
        states.reference[self.who], states.since[self.who] = self.value, self.since
        states.due[self.who] = self.due


class Stucks:
    """The stucks of a lane, in layers of at most one condition a point.

    Conditions, shape (conditions,): `slack` and `jump_ms`, how far a value may be from a
    reference, and how long it then is until the raise (`BEFORE` where only the exact way knows
    what a value beyond the slack does).
    """

    def __init__(self, columns: Columns) -> None:
        """Begin with conditions that have seen nothing."""
        self.columns = columns
        self.layers = list(layers_of(columns, STUCK))
        size = len(columns.names) if self.layers else 0
        self.slack, self.jump_ms = np.full(size, -1.0), np.full(size, BEFORE)

    def clone(self) -> Stucks:
        """Return a copy that shares nothing that changes."""
        twin = Stucks.__new__(Stucks)
        twin.columns, twin.layers = self.columns, self.layers
        twin.slack, twin.jump_ms = self.slack.copy(), self.jump_ms.copy()
        return twin

    def settle(self, who: Ints, states: States) -> None:
        """Find anew what is calm for some conditions."""
        who = who[self.columns.kind[who] == STUCK]
        referred, raised = states.referred[who], states.raised[who] != NEVER
        slack = np.where(referred, self.columns.band[who], -1.0)
        self.slack[who] = np.where(states.open[who], slack, np.inf)
        self.jump_ms[who] = np.where(referred & ~raised, self.columns.on_ms[who], BEFORE)

    def look(
        self, rows: Rows, turns: list[Ints], states: States, frontier: int
    ) -> tuple[list[Ints], list[References]]:
        """Return the points that are not calm, and new references of the others."""
        loud, found = [], []
        look = self._once if len(turns) == 1 else self._often
        for layer in self.layers:
            point, moved = look(layer, rows, turns, states)
            risky = moved.due <= frontier
            if risky.any():
                loud.append(point[risky])
                moved = moved.take(~risky)
            found.append(moved)
        return loud, found

    def _once(
        self, layer: Ints, rows: Rows, _: list[Ints], states: States
    ) -> tuple[Ints, References]:
        """Return points and what their values change; each point has one value."""
        who = layer[rows.point]
        leaves = np.abs(rows.value - states.reference[who]) > self.slack[who]
        leaves &= who >= 0
        here = np.flatnonzero(leaves)
        who, at = who[here], rows.at[here]
        moved = References(who, rows.value[here], at, at + self.jump_ms[who])
        return rows.point[here], moved

    def _often(
        self, layer: Ints, rows: Rows, turns: list[Ints], states: States
    ) -> tuple[Ints, References]:
        """Return points and what their values change in the end.

        An end only moves further away: if the first is beyond the batch, those on the way are.
        """
        points, seat = np.unique(rows.point, return_inverse=True)
        who = layer[points]
        value = states.reference[who]
        since, due = np.full(len(who), BEFORE), np.full(len(who), NEVER)
        slack, jump_ms = np.where(who < 0, np.inf, self.slack[who]), self.jump_ms[who]
        for turn in turns:
            here = seat[turn]
            told, at = rows.value[turn], rows.at[turn]
            leaves = np.abs(told - value[here]) > slack[here]
            here, told, at = here[leaves], told[leaves], at[leaves]
            value[here], since[here], due[here] = told, at, at + jump_ms[here]
        moved = since != BEFORE
        return points[moved], References(who[moved], value[moved], since[moved], due[moved])
