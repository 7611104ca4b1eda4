"""What never changes of the conditions of a kernel's lane, in columns, and what they judge.

Row c of a condition column is `names[c]`; row s of a point column is `points[s]`. `low` is `high`
of the negated value: negation is exact, so both are one comparison. May not hold state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from meltwatch.evaluate.plan import Plan, slot_points
from meltwatch.model.condition import (
    Condition,
    Difference,
    High,
    Interlock,
    Low,
    Rate,
    Silent,
    State,
    Stuck,
    Vote,
)
from meltwatch.model.ids import ConditionId, PointCode, SourceId

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = 2**62
"""An instant that no frontier reaches: what is not running, or not raised."""
BEFORE = -NEVER
"""An instant before every other one."""
LONGEST_MS = 2**61
"""A delay beyond reach; longer ones are cut to it, so that adding it to an instant stays exact."""

FALSE, TRUE, KEEP, UNDECIDED, LEAVE = 0, 1, 2, 3, 4
"""Verdicts, as in `judge`."""

LIMIT, SET, SILENT, DIFFERENCE, RATE, STUCK, PLAIN = range(7)
"""How a condition is decided: in columns, or `PLAIN`, by `step` (votes and interlocks)."""

NO_SET = -1


class Columns(msgspec.Struct, frozen=True, eq=False):
    """The conditions that are decided up to the same frontier, and the points that they read.

    Points, shape (points,): `source` (place in `sources`), `stale_ms` (`NEVER`: never stale),
    `first_at` (the source's configured first instant, `NEVER`: none).
    Conditions, shape (conditions,): `main`, `second` and `gate` (places of points, -1: none),
    `kind`, `sign`, `limit`, `release` (limit -+ deadband, both times `sign`), `band`, `wanted` and
    `opening` (rows of `sets`), `on_ms`, `off_ms`, `window_ms`. `sets` holds each set once,
    padded with NaN, which equals nothing.
    Readings, shape (readings,), those of point s at `first[s]:first[s + 1]`: `reader` (condition)
    and `reads` (the set that the value is held against, `NO_SET`: it is judged otherwise).
    """

    names: tuple[ConditionId, ...]
    conditions: tuple[Condition, ...]
    points: tuple[PointCode, ...]
    sources: tuple[SourceId, ...]
    source: Ints
    stale_ms: Ints
    first_at: Ints
    main: Ints
    second: Ints
    gate: Ints
    kind: Ints
    sign: Floats
    limit: Floats
    release: Floats
    band: Floats
    wanted: Ints
    opening: Ints
    sets: Floats
    on_ms: Ints
    off_ms: Ints
    window_ms: Ints
    reader: Ints
    reads: Ints
    first: Ints

    def readings_of(self, points: Ints) -> tuple[Ints, Ints]:
        """Return (place in `points`, reading) for each reading of each of the points."""
        start = self.first[points]
        return spread(start, self.first[points + 1] - start)

    def against_limit(self, who: Ints, value: Floats) -> Ints:
        """Return what values say to conditions with a limit; both of shape (rows,)."""
        signed = self.sign[who] * value
        verdict = np.full(len(who), KEEP, dtype=np.int64)
        verdict[signed >= self.limit[who]] = TRUE
        verdict[signed < self.release[who]] = FALSE
        return verdict

    def holds(self, which: Ints, value: Floats) -> Bools:
        """Return whether values are in their sets (rows of `sets`); all of shape (rows,)."""
        found: Bools = (self.sets[which] == value[:, np.newaxis]).any(axis=1)
        return found

    def is_silent(self, who: Ints) -> Bools:
        """Return which conditions are `silent`, shape (rows,)."""
        silent: Bools = self.kind[who] == SILENT
        return silent


def spread(start: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Return (i, place) for each place of each run `start[i] .. start[i] + count[i] - 1`."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return owner, np.arange(len(owner)) + (start - before)[owner]


def layers_of(columns: Columns, kind: int) -> Iterator[Ints]:
    """Yield for the first, the second, ... condition of each point its place, -1 for none."""
    left = np.flatnonzero(columns.kind == kind)
    while len(left):
        points, firsts = np.unique(columns.main[left], return_index=True)
        layer = np.full(len(columns.points), -1)
        layer[points] = left[firsts]
        yield layer
        left = np.delete(left, firsts)


def columns_of(
    plan: Plan, sources: Iterable[SourceId], names: Sequence[ConditionId], own: Iterable[PointCode]
) -> Columns:
    """Return the columns of conditions that read the same sources, in the order given.

    `own`: points that are kept whether or not somebody reads them.
    """
    plant = plan.plant
    slots = [slot_points(plant, name) for name in names]
    points = tuple(dict.fromkeys([*own, *(code for read in slots for code in read)]))
    place = {code: at for at, code in enumerate(points)}
    conditions = tuple(plant.conditions[name] for name in names)
    listed = tuple(sorted(sources))
    told = [plant.points[code] for code in points]
    figures = np.array([_figures(one) for one in conditions], dtype=np.float64).reshape(-1, 4)
    sets: dict[tuple[float, ...], int] = {}
    readings = [
        (place[code], who, reads)
        for who, condition in enumerate(conditions)
        for code, reads in zip(slots[who], _reads(sets, condition), strict=True)
    ]
    reader, reads, first = _by_point(readings, len(points))
    return Columns(
        names=tuple(names),
        conditions=conditions,
        points=points,
        sources=listed,
        source=_ints(listed.index(one.source) for one in told),
        stale_ms=_ints(NEVER if one.stale_ms is None else _cut(one.stale_ms) for one in told),
        first_at=_ints(_first_at(plan, one.source) for one in told),
        main=_ints(_place(place, slots[who], 0, one) for who, one in enumerate(conditions)),
        second=_ints(_place(place, slots[who], 1, one) for who, one in enumerate(conditions)),
        gate=_ints(place[slots[who][-1]] if one.when else -1 for who, one in enumerate(conditions)),
        kind=_ints(kind_of(one) for one in conditions),
        sign=figures[:, 0],
        limit=figures[:, 1],
        release=figures[:, 2],
        band=figures[:, 3],
        wanted=_ints(
            _row(sets, one.values) if isinstance(one, State) else NO_SET for one in conditions
        ),
        opening=_ints(_row(sets, one.when.values) if one.when else NO_SET for one in conditions),
        sets=_table(sets),
        on_ms=_ints(_cut(one.on_delay_ms) for one in conditions),
        off_ms=_ints(_cut(one.off_delay_ms) for one in conditions),
        window_ms=_ints(_cut(one.window_ms) if isinstance(one, Rate) else 0 for one in conditions),
        reader=reader,
        reads=reads,
        first=first,
    )


def kind_of(condition: Condition) -> int:
    """Return how a condition is decided."""
    match condition:
        case High() | Low():
            return LIMIT
        case State():
            return SET
        case Silent():
            return SILENT
        case Difference():
            return DIFFERENCE
        case Rate():
            return RATE
        case Stuck():
            return STUCK
        case _:
            return PLAIN


def _place(
    place: dict[PointCode, int], slots: tuple[PointCode, ...], slot: int, condition: Condition
) -> int:
    """Return the place of a main point; -1 where the kind has none, or is not in columns."""
    if isinstance(condition, Vote | Interlock):
        return -1
    return place[slots[slot]] if slot == 0 or isinstance(condition, Difference) else -1


def _figures(condition: Condition) -> tuple[float, float, float, float]:
    """Return sign, limit, release and band."""
    match condition:
        case High(limit=limit, deadband=deadband):
            return 1.0, limit, limit - deadband, 0.0
        case Low(limit=limit, deadband=deadband):
            return -1.0, -limit, -(limit + deadband), 0.0
        case (
            Difference(side=side, limit=limit, deadband=deadband)
            | Rate(side=side, limit=limit, deadband=deadband)
        ):
            if side == "high":
                return 1.0, limit, limit - deadband, 0.0
            return -1.0, -limit, -(limit + deadband), 0.0
        case Stuck(band=band):
            return 1.0, np.inf, -np.inf, band
        case _:
            return 1.0, np.inf, -np.inf, 0.0


def _reads(sets: dict[tuple[float, ...], int], condition: Condition) -> list[int]:
    """Return for each slot of a condition the set that its value is held against."""
    match condition:
        case State(values=values):
            main = [_row(sets, values)]
        case Interlock(effects=effects):
            main = [_row(sets, effect.values) for effect in effects]
        case Vote():
            main = []
        case Difference():
            main = [NO_SET, NO_SET]
        case _:
            main = [NO_SET]
    return [*main, _row(sets, condition.when.values)] if condition.when else main


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


def _by_point(readings: list[tuple[int, int, int]], points: int) -> tuple[Ints, Ints, Ints]:
    told = np.array(readings, dtype=np.int64).reshape(-1, 3)
    first = np.concatenate(([0], np.cumsum(np.bincount(told[:, 0], minlength=points))))
    told = told[np.argsort(told[:, 0], kind="stable")]
    return told[:, 1].copy(), told[:, 2].copy(), first


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, dtype=np.int64)
