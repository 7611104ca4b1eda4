"""Calm `rate`: what each value adds to the memory though no condition changes by it.

A point whose values have stayed within a narrow band for as long as its rates look back cannot
have a slope that matters: it costs a comparison. Another one is looked up in its past.
"""

from __future__ import annotations

import numpy as np

from meltwatch.evaluate.columns import NEVER, RATE, Columns, Floats, Ints, layers_of
from meltwatch.evaluate.past import Past, comparable
from meltwatch.evaluate.rounds import States
from meltwatch.evaluate.told import Rows

_NEARLY = 0.99
"""How much of what a band may span without mattering it does at most: arithmetic rounds."""


class Rates:
    """The rates of a lane, in layers of at most one condition a point.

    Conditions, shape (conditions,): `low`, `high`, the calm slopes (times the sign); `cursor`, the
    number of the value that was last compared with. Points, shape (points,): `span`, how far apart
    values may be and no slope matters (-1: any may); `floor`, `ceiling`: where the values
    have stayed since `sure_from - reach_ms`.
    """

    def __init__(self, columns: Columns, past: Past) -> None:
        """Begin with conditions that have seen nothing."""
        self.columns, self.past = columns, past
        self.layers = list(layers_of(columns, RATE))
        size = len(columns.names) if self.layers else 0
        self.low, self.high = np.full(size, np.inf), np.full(size, -np.inf)
        self.cursor = np.full(size, -1)
        self.whole = bool((past.reach_ms > 0).all())
        self.most = self._most()
        self.span = self.most.copy()
        points = len(columns.points) if self.layers else 0
        self.floor, self.ceiling = np.full(points, np.inf), np.full(points, -np.inf)
        self.sure_from = np.full(points, NEVER)

    def clone(self) -> Rates:
        """Return a copy that shares nothing that changes."""
        twin = Rates.__new__(Rates)
        twin.columns, twin.layers, twin.whole, twin.most = (
            self.columns,
            self.layers,
            self.whole,
            self.most,
        )
        twin.past = self.past.clone()
        for name in ("low", "high", "cursor", "span", "floor", "ceiling", "sure_from"):
            setattr(twin, name, getattr(self, name).copy())
        return twin

    def take(self, rows: Rows, turns: list[Ints], begin: Ints) -> list[Ints]:
        """Remember values; return the points that change too fast to be calm.

        `turns`: rows of different points each. `begin`: as in `States`.
        """
        loud = []
        newest = self.past.newest[rows.point]
        for turn in turns:
            here, since = rows, newest
            if len(turns) > 1:
                here, since = rows.take(turn), newest[turn]
            if not self.whole:
                having = self.past.reach_ms[here.point] > 0
                here, since = here.take(having), since[having]
            loud += self._take(here, since, begin)
            self.past.newest[here.point] = here.at
        return loud

    def push(self, rows: Rows, turns: list[Ints]) -> None:
        """Remember values that are not calm, all of points with rates."""
        newest = self.past.newest[rows.point]
        for turn in turns:
            self.past.push(rows.point[turn], rows.at[turn], rows.value[turn], newest[turn])
        self.past.newest[rows.point] = rows.at
        self._doubt(rows.point)

    def join(self, point: Ints, at: Ints, value: Floats) -> None:
        """Remember more values, as old as they are; shape (values,)."""
        self.past.join(point, at, value)
        self.cursor[:] = -1  # values have other numbers now
        self._doubt(point)

    def settle(self, who: Ints, states: States) -> None:
        """Find anew what is calm for some conditions."""
        columns = self.columns
        who = who[columns.kind[who] == RATE]
        if not len(who):
            return
        raw, shut = states.raw[who], ~states.open[who]
        # After unknown a value that compares with none starts no off-delay: the next one may.
        restless = (states.raised[who] != NEVER) & ~raw & (states.off_due[who] == NEVER) & ~shut
        below = np.nextafter(columns.limit[who], -np.inf)
        self.low[who] = np.where(raw & ~shut, columns.release[who], -np.inf)
        self.high[who] = np.where(raw | shut, np.inf, below)
        self.low[who[restless]], self.high[who[restless]] = np.inf, -np.inf
        points = columns.main[who]
        matters = np.zeros(len(points), dtype=np.bool_)
        for layer in self.layers:
            other = layer[points]
            matters |= (other >= 0) & (self.low[other] > -np.inf)
        self.span[points] = np.where(matters, -1.0, self.most[points])
        self._doubt(points)

    def _most(self) -> Floats:
        """Return how far apart the values of each point may be without any slope at its limit."""
        columns = self.columns
        most = np.full(len(columns.points), np.inf)
        for layer in self.layers:
            points = np.flatnonzero(layer >= 0)
            who = layer[points]
            room = columns.limit[who] * (columns.window_ms[who] / 1000)
            room[~np.isfinite(room) | (columns.limit[who] <= 0)] = -1.0
            most[points] = np.minimum(most[points], room)
        return most

    def _doubt(self, points: Ints) -> None:
        self.floor[points], self.ceiling[points] = np.inf, -np.inf

    def _take(self, rows: Rows, newest: Ints, begin: Ints) -> list[Ints]:
        point, at, value = rows.point, rows.at, rows.value
        number = self.past.push(point, at, value, newest)
        within = (value >= self.floor[point]) & (value <= self.ceiling[point])
        unsure = np.flatnonzero(~(within & (at >= self.sure_from[point])))
        if not len(unsure):
            return []
        anew = unsure[~within[unsure]]
        self._trust(point[anew], at[anew], value[anew])
        rows, number = rows.take(unsure), number[unsure]
        loud = []
        for layer in self.layers:
            who = layer[rows.point]
            if (who < 0).any():
                some = np.flatnonzero(who >= 0)
                loud.append(self._too_fast(who[some], rows.take(some), number[some], begin))
            else:
                loud.append(self._too_fast(who, rows, number, begin))
        return loud

    def _trust(self, point: Ints, at: Ints, value: Floats) -> None:
        """Begin bands around values: sure when the past has none outside any more."""
        half = self.span[point] * (_NEARLY / 2.02)
        floor, ceiling = value - half, value + half
        fits = (half > 0) & (ceiling - floor <= self.span[point] * _NEARLY)
        self.floor[point] = np.where(fits, floor, np.inf)
        self.ceiling[point] = np.where(fits, ceiling, -np.inf)
        self.sure_from[point] = at + self.past.reach_ms[point]

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
