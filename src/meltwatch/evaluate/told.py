"""What points tell in one advance of a lane, in columns: their states instant by instant.

Stands between the samples that wait and `rounds`. The columns' twin of `signal`: staleness, blind
and unknown marks, the later sent of one instant. All at once, without a loop.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.evaluate.columns import BEFORE, NEVER, Bools, Columns, Floats, Ints
from meltwatch.evaluate.signal import Turn
from meltwatch.model.quality import Quality


class Rows(msgspec.Struct, frozen=True, eq=False):
    """Samples in columns, shape (rows,): place of the point, ms UTC, value, quality bits."""

    point: Ints
    at: Ints
    value: Floats
    quality: NDArray[np.uint16]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.at)

    def take(self, which: Ints | Bools) -> Rows:
        """Return some rows, by places or by a mask."""
        return Rows(self.point[which], self.at[which], self.value[which], self.quality[which])


class Held(msgspec.Struct, eq=False):
    """How points stand, shape (points,); as in `signal.Signal`.

    `last`: instant of the last value, or the source's first instant (`BEFORE` either).
    """

    value: Floats
    has: Bools
    unknown: Bools
    blind: Bools
    last: Ints

    def clone(self) -> Held:
        """Return a copy that shares nothing."""
        return Held(
            self.value.copy(),
            self.has.copy(),
            self.unknown.copy(),
            self.blind.copy(),
            self.last.copy(),
        )

    def stale_at(self, columns: Columns, points: Ints) -> Ints:
        """Return from when on points are unknown without a newer value, shape as `points`.

        `NEVER` while one is unknown already, was never begun, or has no `stale_s`.
        """
        last = self.last[points]
        never = self.unknown[points] | (last == BEFORE)
        return np.where(never, NEVER, last + columns.stale_ms[points])


class Told(msgspec.Struct, frozen=True, eq=False):
    """The states of some points, one row for each point and instant at which it is told something.

    Rows are sorted by (point, at), shape (rows,); the first of each point, at `BEFORE`, tells how
    it stood before the advance. Those of `points[i]` are `first[i] .. first[i + 1] - 1`. `fresh`:
    a value comes at this instant. `forgets`: what `rate` and `stuck` remember is gone before it.
    """

    points: Ints
    first: Ints
    at: Ints
    value: Floats
    has: Bools
    unknown: Bools
    blind: Bools
    last: Ints
    fresh: Bools
    forgets: Bools

    def places(self, points: Ints) -> Ints:
        """Return where points of the lane stand in `points`."""
        return np.searchsorted(self.points, points)

    def write(self, held: Held) -> None:
        """Let the points stand as their last rows tell."""
        last = self.first[1:] - 1
        held.value[self.points] = self.value[last]
        held.has[self.points] = self.has[last]
        held.unknown[self.points] = self.unknown[last]
        held.blind[self.points] = self.blind[last]
        held.last[self.points] = self.last[last]


Marks = tuple[tuple[int, int, int], ...]
"""(instant, place of the source, turn) of marks that every point of a source is given."""


def tell(
    columns: Columns, held: Held, points: Ints, rows: Rows, stale_until: Ints, marks: Marks
) -> Told:
    """Return how `points` (sorted) stand, instant by instant, over their `rows`.

    `rows` are sorted by instant, of equal ones the later sent last. `stale_until`, shape
    (points,): up to where silence counts.
    """
    sound = _ruling(rows)
    point = np.concatenate((points, sound.point))
    order = np.argsort(point, kind="stable")
    point = point[order]
    at = np.concatenate((np.full(len(points), BEFORE), sound.at))[order]
    value = np.concatenate((held.value[points], sound.value))[order]
    stale_at = sound.at + columns.stale_ms[sound.point]
    stale_at = np.concatenate((held.stale_at(columns, points), stale_at))[order]
    last = np.concatenate((held.last[points], sound.at))[order]
    parts = [(point, at, np.full(len(point), int(Turn.VALUE)), np.arange(len(point)))]
    old = np.flatnonzero(stale_at <= _until(points, point, at, stale_until))
    if len(old):
        parts.append(_turns(point[old], stale_at[old], Turn.UNKNOWN))
    for instant, source, turn in marks:
        marked = points[columns.source[points] == source]
        parts.append(_turns(marked, np.full(len(marked), instant), turn))
    return _fold(held, points, _in_order(parts), value, last)


Turns = tuple[Ints, Ints, Ints, Ints]
"""(point, instant, turn, row of its value) in columns; the row counts for values only."""


def _ruling(rows: Rows) -> Rows:
    """Return the rows that give a value, sorted by (point, instant), one of each at most.

    The later sent rules. Equal values are one sample: it counts if any of them is not bad.
    """
    if not len(rows):
        return rows
    rows = rows.take(np.argsort(rows.point, kind="stable"))
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (rows.point[1:] != rows.point[:-1]) | (rows.at[1:] != rows.at[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(rows)) - 1
    good = (rows.quality & int(Quality.BAD)) == 0
    equal = rows.value == rows.value[last[np.cumsum(begins) - 1]]
    return rows.take(last[good[last] | np.logical_or.reduceat(good & equal, first)])


def _until(points: Ints, point: Ints, at: Ints, stale_until: Ints) -> Ints:
    """Return for each value up to where it can become stale: before the next, or to the end."""
    end = stale_until[np.searchsorted(points, point)]
    until = end.copy()
    same = point[1:] == point[:-1]
    until[:-1][same] = np.minimum(at[1:] - 1, end[:-1])[same]
    return until


def _turns(point: Ints, at: Ints, turn: int) -> Turns:
    return point, at, np.full(len(point), int(turn)), np.zeros(len(point), dtype=np.int64)


def _in_order(parts: list[Turns]) -> Turns:
    """Return all turns by (point, instant); within an instant marks come before values."""
    if len(parts) == 1:
        return parts[0]
    point, at, turn, row = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((turn == Turn.VALUE, at, point))
    return point[order], at[order], turn[order], row[order]


def _fold(held: Held, points: Ints, turns: Turns, value: Floats, last: Ints) -> Told:
    """Return the states after all turns of each instant."""
    point, at, turn, row = turns
    start = at == BEFORE
    has = np.ones(len(at), dtype=np.bool_)
    unknown, blind = turn == Turn.UNKNOWN, turn == Turn.BLIND
    has[start], unknown[start], blind[start] = (
        held.has[points],
        held.unknown[points],
        held.blind[points],
    )
    closes = np.ones(len(at), dtype=np.bool_)
    closes[:-1] = (point[1:] != point[:-1]) | (at[1:] != at[:-1])
    kept = np.flatnonzero(closes)
    valued = _latest(turn == Turn.VALUE)[kept]
    begins = np.append(0, kept[:-1] + 1)
    return Told(
        points=points,
        first=np.append(np.flatnonzero(at[kept] == BEFORE), len(kept)),
        at=at[kept],
        value=value[row[valued]],
        has=has[valued],
        unknown=unknown[_latest((turn == Turn.VALUE) | (turn == Turn.UNKNOWN))[kept]],
        blind=blind[_latest((turn == Turn.VALUE) | (turn == Turn.BLIND))[kept]],
        last=last[row[valued]],
        fresh=(turn[kept] == Turn.VALUE) & (at[kept] != BEFORE),
        forgets=np.logical_or.reduceat(turn == Turn.AFRESH, begins) if len(kept) else start,
    )


def _latest(which: Bools) -> Ints:
    """Return for each row the latest one at or before it that is of a kind.

    The first row of each point is of every kind, so none looks past its own point.
    """
    places: Ints = np.maximum.accumulate(np.where(which, np.arange(len(which)), 0))
    return places
