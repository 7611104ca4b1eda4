"""Calm `rate` and `stuck`: what each value changes though no condition changes by it.

A value is remembered for rates, and becomes the reference of whoever it has left. Both are done
for a whole batch at once. What is not surely calm is told back, and nothing of it is kept but the
memory of rates, which is of points and right in any case.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from meltwatch.evaluate.columns import BEFORE, NEVER, RATE, STUCK, Bools, Columns, Floats, Ints
from meltwatch.evaluate.past import Past, comparable
from meltwatch.evaluate.rounds import States
from meltwatch.evaluate.told import Rows

_NONE = np.zeros(0, dtype=np.int64)


class References(msgspec.Struct, frozen=True, eq=False):
    """New references of `stuck` conditions, shape (steps,): condition, value, its instant, due."""

    who: Ints
    value: Floats
    since: Ints
    due: Ints

    def put(self, states: States, but: Bools) -> None:
        """Let conditions have their new references, without those of a mask (conditions,)."""
        keep = ~but[self.who]
        who = self.who[keep]
        states.reference[who], states.since[who] = self.value[keep], self.since[keep]
        states.due[who] = self.due[keep]


class Moving:
    """The rates and stucks of a lane, in layers of at most one condition a point.

    Conditions, shape (conditions,): `low`, `high`, the calm slopes of a rate (times its sign);
    `cursor`, the number of the value that a rate last compared with; `slack` and `jump_ms`, how
    far a value may be from a reference, and how long it then is until the raise (`BEFORE` where
    only the exact way knows what a value beyond the slack does).
    """

    def __init__(self, columns: Columns, past: Past) -> None:
        """Begin with conditions that have seen nothing."""
        self.columns, self.past = columns, past
        self.rates = list(_layers(columns, RATE))
        self.stucks = list(_layers(columns, STUCK))
        size = len(columns.names) if self else 0
        self.low, self.high = np.full(size, np.inf), np.full(size, -np.inf)
        self.cursor = np.full(size, -1)
        self.slack, self.jump_ms = np.full(size, -1.0), np.full(size, BEFORE)

    def __bool__(self) -> bool:
        """Return whether there is any rate or stuck."""
        return bool(self.rates or self.stucks)

    def clone(self) -> Moving:
        """Return a copy that shares nothing that changes."""
        twin = Moving.__new__(Moving)
        twin.columns, twin.rates, twin.stucks = self.columns, self.rates, self.stucks
        twin.past = self.past.clone()
        for name in ("low", "high", "cursor", "slack", "jump_ms"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def look(self, rows: Rows, states: States, frontier: int) -> tuple[Ints, References, Ints]:
        """Return points that are not calm, new references, and points whose values are remembered.

        `rows`: known, good values inside the bands, by instant, all those of their points.
        """
        twice, turns = _turns(rows)
        if len(twice):
            rows = rows.take(~np.isin(rows.point, twice))
            _, turns = _turns(rows)
        loud = [twice]
        with np.errstate(all="ignore"):
            if self.rates:
                loud += self._remember(rows, turns, states)
            found, moved = self._refer(rows, turns, states, frontier)
        return np.concatenate(loud + found), moved, rows.point

    def push(self, point: Ints, at: Ints, value: Floats) -> None:
        """Remember values of points that are not calm, sorted by point and instant."""
        having = self.past.reach_ms[point] > 0
        rows = Rows(point[having], at[having], value[having], np.zeros(0, dtype=np.uint16))
        newest = self.past.newest[rows.point]
        for turn in _turns(rows)[1]:
            here = rows.point[turn]
            self.past.push(here, rows.at[turn], rows.value[turn], newest[turn])
        self.past.newest[rows.point] = rows.at

    def join(self, point: Ints, at: Ints, value: Floats) -> None:
        """Remember more values, as old as they are; shape (values,)."""
        self.past.join(point, at, value)
        self.cursor[:] = -1  # values have other numbers now

    def settle(self, who: Ints, states: States) -> None:
        """Find anew what is calm for some conditions."""
        columns = self.columns
        who = who[(columns.kind[who] == RATE) | (columns.kind[who] == STUCK)]
        raw, shut, raised = states.raw[who], ~states.open[who], states.raised[who] != NEVER
        # After unknown a value that compares with none starts no off-delay: the next one may.
        restless = raised & ~raw & (states.off_due[who] == NEVER) & ~shut
        below = np.nextafter(columns.limit[who], -np.inf)
        self.low[who] = np.where(raw & ~shut, columns.release[who], -np.inf)
        self.high[who] = np.where(raw | shut, np.inf, below)
        self.low[who[restless]], self.high[who[restless]] = np.inf, -np.inf
        referred = states.referred[who]
        slack = np.where(referred, columns.band[who], -1.0)
        self.slack[who] = np.where(shut, np.inf, slack)
        self.jump_ms[who] = np.where(referred & ~raised, columns.on_ms[who], BEFORE)

    # rates

    def _remember(self, rows: Rows, turns: list[Ints], states: States) -> list[Ints]:
        """Remember all values; return the points that change too fast."""
        past, loud = self.past, []
        having = np.flatnonzero(past.reach_ms[rows.point])
        whole = len(having) == len(rows)
        newest = past.newest[rows.point]
        for turn in turns:
            here = turn if whole else turn[past.reach_ms[rows.point[turn]] > 0]
            point, at, value = rows.point[here], rows.at[here], rows.value[here]
            number = past.push(point, at, value, newest[here])
            for layer in self.rates:
                who = layer[point]
                some = np.flatnonzero(who >= 0) if (who < 0).any() else slice(None)
                told = Rows(point[some], at[some], value[some], rows.quality)
                loud.append(self._too_fast(who[some], told, number[some], states.begin))
        if whole:
            past.newest[rows.point] = rows.at
        else:
            past.newest[rows.point[having]] = rows.at[having]
        return loud

    def _too_fast(self, who: Ints, rows: Rows, number: Ints, begin: Ints) -> Ints:
        """Return the points of rates (shape as `rows`, whose numbers are told) beyond calm."""
        at, window = rows.at, self.columns.window_ms[who]
        cursor = self.cursor[who]
        place = self.past.seek(rows.point, number, cursor, at - np.maximum(window, 1))
        self.cursor[who] = cursor
        then = self.past.at[place]
        slope = (rows.value - self.past.value[place]) / ((at - then) / 1000)
        slope *= self.columns.sign[who]
        loud = ~((slope >= self.low[who]) & (slope <= self.high[who]))
        loud &= comparable(at, window, then, begin[who])
        return rows.point[loud]

    # references

    def _refer(
        self, rows: Rows, turns: list[Ints], states: States, frontier: int
    ) -> tuple[list[Ints], References]:
        """Return the points that are not calm, and new references."""
        parts = []
        if len(turns) == 1:
            points, seat = rows.point, np.arange(len(rows))
        else:
            points, seat = np.unique(rows.point, return_inverse=True)
        for layer in self.stucks:
            who = layer[points]
            value, due = states.reference[who], states.due[who]
            since = np.full(len(who), BEFORE)
            slack, jump_ms = self.slack[who], self.jump_ms[who]
            slack[who < 0] = np.inf
            risky = np.zeros(len(who), dtype=np.bool_)
            for turn in turns:
                here = seat[turn]
                told, at = rows.value[turn], rows.at[turn]
                leaves = np.abs(told - value[here]) > slack[here]
                # What is due before the batch is over goes the exact way; so does what a value of
                # the batch makes due in it.
                risky[here] |= (at >= due[here]) & (since[here] != BEFORE)
                here, told, at = here[leaves], told[leaves], at[leaves]
                value[here], since[here], due[here] = told, at, at + jump_ms[here]
            moved = since != BEFORE
            risky |= moved & (due <= frontier)
            parts.append((points[risky], who, value, since, due, moved & ~risky))
        loud = [part[0] for part in parts]
        columns = [[column[part[5]] for column in part[1:5]] for part in parts]
        if not columns:
            return loud, References(_NONE, np.zeros(0), _NONE, _NONE)
        return loud, References(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def _layers(columns: Columns, kind: int) -> Iterator[Ints]:
    """Yield for the first, the second, ... condition of each point its place, -1 for none."""
    left = np.flatnonzero(columns.kind == kind)
    while len(left):
        points, firsts = np.unique(columns.main[left], return_index=True)
        layer = np.full(len(columns.points), -1)
        layer[points] = left[firsts]
        yield layer
        left = np.delete(left, firsts)


def _turns(rows: Rows) -> tuple[Ints, list[Ints]]:
    """Return points told twice at one instant, and rows of first, second, ... values of points."""
    point = rows.point
    everything = np.arange(len(point))
    if (point[1:] > point[:-1]).all():
        return _NONE, [everything] if len(point) else []
    order = np.argsort(point, kind="stable")
    sorted_point, at = point[order], rows.at[order]
    same = sorted_point[1:] == sorted_point[:-1]
    if not same.any():
        return _NONE, [everything]
    twice = sorted_point[1:][same & (at[1:] == at[:-1])]
    begins = np.append(0, np.where(same, 0, everything[1:]))
    turn = np.empty(len(point), dtype=np.int64)
    turn[order] = everything - np.maximum.accumulate(begins)
    by_turn = np.argsort(turn, kind="stable")
    return np.unique(twice), np.split(by_turn, np.cumsum(np.bincount(turn))[:-1])
