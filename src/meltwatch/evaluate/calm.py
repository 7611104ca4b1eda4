"""Which values of known points surely change no condition: a band for each point.

A band may be too narrow, never too wide: what lies outside is decided exactly. Ends included;
an empty band is (inf, -inf). Not-a-number lies in none.
"""

from __future__ import annotations

import numpy as np

from meltwatch.evaluate.columns import LIMIT, NO_SET, Bools, Columns, Floats, Ints
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
    listed = np.flatnonzero(reads != NO_SET)
    low[listed], high[listed] = _between_members(columns.sets[reads[listed]], value[listed])
    close = closely[who] | np.isnan(low)
    low[close], high[close] = np.inf, -np.inf
    lowest, highest = np.full(len(points), -np.inf), np.full(len(points), np.inf)
    np.maximum.at(lowest, owner, low)
    np.minimum.at(highest, owner, high)
    unsure = held.unknown[points] | held.blind[points] | ~held.has[points]
    lowest[unsure], highest[unsure] = np.inf, -np.inf
    return lowest, highest


def _below_limits(columns: Columns, states: States, who: Ints) -> Band:
    """Return the values that leave raw states as they are."""
    raw = states.raw[who]
    low = np.where(raw, columns.release[who], -np.inf)
    high = np.where(raw, np.inf, np.nextafter(columns.limit[who], -np.inf))
    negated = columns.sign[who] < 0
    return np.where(negated, -high, low), np.where(negated, -low, high)


def _between_members(sets: Floats, value: Floats) -> Band:
    """Return the values that are in a set, or not, as the held one; `sets`: one row each."""
    told = value[:, np.newaxis]
    below = np.where(sets < told, sets, -np.inf).max(axis=1, initial=-np.inf)
    above = np.where(sets > told, sets, np.inf).min(axis=1, initial=np.inf)
    exact = (sets == told).any(axis=1) | np.isnan(value)
    low = np.where(exact, value, np.nextafter(below, np.inf))
    return low, np.where(exact, value, np.nextafter(above, -np.inf))
