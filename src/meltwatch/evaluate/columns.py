"""What never changes of the conditions of a kernel's lane, in columns, and what they judge.

Row c of a condition column is `names[c]`; row s of a point column is `points[s]`. `low` is `high`
of the negated value: negation is exact, so both are one comparison. May not hold state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.evaluate.plan import Plan, slot_points
from meltwatch.model.condition import Condition, High, Low, Silent, State
from meltwatch.model.ids import ConditionId, PointCode, SourceId

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = 2**62
"""An instant that no frontier reaches: what is not running, or not raised."""
LONGEST_MS = 2**61
"""A delay beyond reach; longer ones are cut to it, so that adding it to an instant stays exact."""

FALSE, TRUE, KEEP, UNDECIDED = 0, 1, 2, 3
"""Verdicts, as in `judge`."""

_LIMIT, _SET, _SILENT = 0, 1, 2


class Columns(msgspec.Struct, frozen=True, eq=False):
    """The conditions that are decided up to the same frontier, and the points that they read.

    Points, shape (points,): `source` (place in `sources`), `stale_ms` (`NEVER`: never stale),
    `exact` (a gate or a set reads it, so only an equal value surely changes nothing).
    Conditions, shape (conditions,): `main` and `gate` (places of points; gate -1: none), `kind`,
    `sign`, `limit`, `release` (limit -+ deadband, both times `sign`), `wanted` and `opening` (rows
    of `sets`), `on_ms`, `off_ms`. `sets` holds each set once, padded with NaN, which equals
    nothing. The readers of point s are `reader[first[s]:first[s + 1]]`.
    """

    names: tuple[ConditionId, ...]
    conditions: tuple[Condition, ...]
    points: tuple[PointCode, ...]
    sources: tuple[SourceId, ...]
    source: Ints
    stale_ms: Ints
    first_at: Ints
    exact: Bools
    main: Ints
    gate: Ints
    kind: Ints
    sign: Floats
    limit: Floats
    release: Floats
    wanted: Ints
    opening: Ints
    sets: Floats
    on_ms: Ints
    off_ms: Ints
    reader: Ints
    first: Ints

    def readers_of(self, points: Ints) -> tuple[Ints, Ints]:
        """Return (place in `points`, condition) for each reader of each of the points."""
        start = self.first[points]
        owner, place = spread(start, self.first[points + 1] - start)
        return owner, self.reader[place]

    def by_value(self, who: Ints, value: Floats, has: Bools) -> Ints:
        """Return what held values say to conditions, known or not; all of shape (rows,)."""
        signed = self.sign[who] * value
        verdict = np.full(len(who), KEEP, dtype=np.int64)
        verdict[signed >= self.limit[who]] = TRUE
        verdict[signed < self.release[who]] = FALSE
        listed = np.flatnonzero(self.kind[who] == _SET)
        verdict[listed] = self.holds(self.wanted[who[listed]], value[listed])
        verdict[~has] = FALSE
        return verdict

    def holds(self, which: Ints, value: Floats) -> Bools:
        """Return whether values are in their sets (rows of `sets`); all of shape (rows,)."""
        found: Bools = (self.sets[which] == value[:, np.newaxis]).any(axis=1)
        return found

    def is_silent(self, who: Ints) -> Bools:
        """Return which conditions are `silent`, shape (rows,)."""
        silent: Bools = self.kind[who] == _SILENT
        return silent

    def calm_values(self, who: Ints, raw: Bools, opened: Bools) -> tuple[Floats, Floats]:
        """Return the least and the greatest value of each that leaves its raw state as it is.

        For known points only; both ends included.
        """
        low = np.where(raw, self.release[who], -np.inf)
        high = np.where(raw, np.inf, np.nextafter(self.limit[who], -np.inf))
        free = ~opened | (self.kind[who] != _LIMIT)
        low[free], high[free] = -np.inf, np.inf
        negated = self.sign[who] < 0
        return np.where(negated, -high, low), np.where(negated, -low, high)


def spread(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return (i, place) for each place of each run `start[i] .. start[i] + count[i] - 1`."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return owner, np.arange(len(owner)) + (start - before)[owner]


def columns_of(plan: Plan, names: Sequence[ConditionId]) -> Columns:
    """Return the columns of conditions that share their sources, in the order given."""
    plant = plan.plant
    slots = [slot_points(plant, name) for name in names]
    points = tuple(dict.fromkeys(code for own in slots for code in own))
    place = {code: at for at, code in enumerate(points)}
    conditions = tuple(plant.conditions[name] for name in names)
    sources = tuple(sorted(plan.sources[names[0]]))
    told = [plant.points[code] for code in points]
    main = _ints(place[own[0]] for own in slots)
    gate = _ints(place[own[1]] if len(own) > 1 else -1 for own in slots)
    figures = np.array([_figures(one) for one in conditions], dtype=np.float64)
    sets: dict[tuple[float, ...], int] = {}
    kind = _ints(_kind(one) for one in conditions)
    exact = np.zeros(len(points), dtype=np.bool_)
    exact[gate[gate >= 0]] = True
    exact[main[kind == _SET]] = True
    reader, first = _readers(main, gate, len(points))
    wanted = _ints(_row(sets, one.values if isinstance(one, State) else ()) for one in conditions)
    opening = _ints(_row(sets, one.when.values if one.when else ()) for one in conditions)
    return Columns(
        names=tuple(names),
        conditions=conditions,
        points=points,
        sources=sources,
        source=_ints(sources.index(one.source) for one in told),
        stale_ms=_ints(NEVER if one.stale_ms is None else _cut(one.stale_ms) for one in told),
        first_at=_ints(_first_at(plan, one.source) for one in told),
        exact=exact,
        main=main,
        gate=gate,
        kind=kind,
        sign=figures[:, 0],
        limit=figures[:, 1],
        release=figures[:, 2],
        wanted=wanted,
        opening=opening,
        sets=_table(sets),
        on_ms=_ints(_cut(one.on_delay_ms) for one in conditions),
        off_ms=_ints(_cut(one.off_delay_ms) for one in conditions),
        reader=reader,
        first=first,
    )


def _figures(condition: Condition) -> tuple[float, float, float]:
    match condition:
        case High(limit=limit, deadband=deadband):
            return 1.0, limit, limit - deadband
        case Low(limit=limit, deadband=deadband):
            return -1.0, -limit, -(limit + deadband)
        case _:
            return 1.0, np.inf, -np.inf


def _kind(condition: Condition) -> int:
    if isinstance(condition, State):
        return _SET
    return _SILENT if isinstance(condition, Silent) else _LIMIT


def _first_at(plan: Plan, source: SourceId) -> int:
    first_at = plan.plant.sources[source].first_at
    return NEVER if first_at is None else first_at


def _cut(delay_ms: int) -> int:
    return min(delay_ms, LONGEST_MS)


def _row(sets: dict[tuple[float, ...], int], values: tuple[float, ...]) -> int:
    return sets.setdefault(values, len(sets))


def _table(sets: dict[tuple[float, ...], int]) -> Floats:
    table = np.full((len(sets), max(map(len, sets), default=0)), np.nan)
    for values, row in sets.items():
        table[row, : len(values)] = values
    return table


def _readers(main: Ints, gate: Ints, points: int) -> tuple[Ints, Ints]:
    gated = np.flatnonzero(gate >= 0)
    read = np.concatenate((main, gate[gated]))
    reader = np.concatenate((np.arange(len(main)), gated))
    first = np.concatenate(([0], np.cumsum(np.bincount(read, minlength=points))))
    return reader[np.argsort(read, kind="stable")], first


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)
