"""Which values of known points surely change no condition: a band for each point.

A band may be too narrow, never too wide: what lies outside is decided exactly. Ends included;
an empty band is (inf, -inf). Not-a-number lies in none.
"""

from __future__ import annotations

import numpy as np

from meltwatch.evaluate.columns import DIFFERENCE, LIMIT, NO_SET, Bools, Columns, Floats, Ints
from meltwatch.evaluate.rounds import States
from meltwatch.evaluate.told import Held

Band = tuple[Floats, Floats]
"""The least and the greatest calm value of each row."""


def bands(columns: Columns, held: Held, states: States, points: Ints, closely: Bools) -> Band:
    """Return the bands of some points as they stand, shape (points,).

    `closely`, shape (conditions,): whose points have no calm value.
    """
    owner, reading = columns.readings_of(points)
    who, reads = columns.reader[reading], columns.reads[reading]
    value = held.value[points][owner]
    low, high = np.full(len(who), -np.inf), np.full(len(who), np.inf)
    limited = np.flatnonzero((reads == NO_SET) & (columns.kind[who] == LIMIT) & states.open[who])
    low[limited], high[limited] = _below_limits(columns, states, who[limited])
    pairs = np.flatnonzero((reads == NO_SET) & (columns.kind[who] == DIFFERENCE) & states.open[who])
    if len(pairs):
        told = points[owner[pairs]]
        low[pairs], high[pairs] = _beside(columns, held, states.raw, who[pairs], told)
    listed = np.flatnonzero(reads != NO_SET)
    low[listed], high[listed] = _between_members(columns.sets[reads[listed]], value[listed])
    close = closely[who] | np.isnan(low)
    low[close], high[close] = np.inf, -np.inf
    lowest, highest = np.full(len(points), -np.inf), np.full(len(points), np.inf)
    np.maximum.at(lowest, owner, low)
    np.minimum.at(highest, owner, high)
    unsure = _is_unsure(held, points)
    lowest[unsure], highest[unsure] = np.inf, -np.inf
    return lowest, highest


def _below_limits(columns: Columns, states: States, who: Ints) -> Band:
    """Return the values that leave raw states as they are."""
    raw = states.raw[who]
    low = np.where(raw, columns.release[who], -np.inf)
    high = np.where(raw, np.inf, np.nextafter(columns.limit[who], -np.inf))
    negated = columns.sign[who] < 0
    return np.where(negated, -high, low), np.where(negated, -low, high)


def _beside(columns: Columns, held: Held, raw: Bools, who: Ints, points: Ints) -> Band:
    """Return values of `points` (one side of each difference) that leave raw states as they are.

    Each side has half of the way to where the raw state would change; less a little, and proved
    with the very arithmetic, which rounds in order: what is within both is then calm.
    """
    main, second, raw = columns.main[who], columns.second[who], raw[who]
    sign, limit, release = columns.sign[who], columns.limit[who], columns.release[who]
    first, other = held.value[main], held.value[second]
    with np.errstate(all="ignore"):
        now = sign * (first - other)
        half = np.where(raw, now - release, limit - now) * 0.49
        # Towards the change: the first side by `move`, the other one by its opposite.
        towards = np.where(raw, -sign, sign)
        move = half * towards
        first_end, other_end = first + move, other - move
        worst = sign * (first_end - other_end)
        proved = (half >= 0) & np.where(raw, worst >= release, worst < limit)
    first_end, other_end = np.where(proved, first_end, first), np.where(proved, other_end, other)
    rising = towards > 0
    low, high = np.full(len(who), -np.inf), np.full(len(who), np.inf)
    for side, end, held_now, up in (
        (main, first_end, first, rising),
        (second, other_end, other, ~rising),
    ):
        here = points == side
        high[here & (up | ~proved)] = np.minimum(high, end)[here & (up | ~proved)]
        low[here & (~up | ~proved)] = np.maximum(low, end)[here & (~up | ~proved)]
        low[here & np.isnan(held_now)] = np.nan
    free = _is_unsure(held, main) | _is_unsure(held, second)
    return np.where(free, -np.inf, low), np.where(free, np.inf, high)


def _is_unsure(held: Held, points: Ints) -> Bools:
    unsure: Bools = held.unknown[points] | held.blind[points] | ~held.has[points]
    return unsure


def _between_members(sets: Floats, value: Floats) -> Band:
    """Return the values that are in a set, or not, as the held one; `sets`: one row each."""
    told = value[:, np.newaxis]
    below = np.where(sets < told, sets, -np.inf).max(axis=1, initial=-np.inf)
    above = np.where(sets > told, sets, np.inf).min(axis=1, initial=np.inf)
    exact = (sets == told).any(axis=1) | np.isnan(value)
    low = np.where(exact, value, np.nextafter(below, np.inf))
    return low, np.where(exact, value, np.nextafter(above, -np.inf))
