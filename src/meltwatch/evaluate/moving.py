"""Calm `rate` and `stuck` together: what each value changes though no condition changes by it.

Done for a whole batch at once. What is not surely calm is told back, and nothing of it is kept but
the memory of rates, which is of points and right in any case.
"""

from __future__ import annotations

import numpy as np

from meltwatch.evaluate.columns import Bools, Columns, Floats, Ints
from meltwatch.evaluate.past import Past
from meltwatch.evaluate.rates import Rates
from meltwatch.evaluate.rounds import States
from meltwatch.evaluate.stucks import References, Stucks
from meltwatch.evaluate.told import Rows

_NONE = np.zeros(0, dtype=np.int64)


class Moving:
    """The rates and stucks of a lane."""

    def __init__(self, columns: Columns, past: Past) -> None:
        """Begin with conditions that have seen nothing; `past` may know some already."""
        self.rates, self.stucks = Rates(columns, past), Stucks(columns)

    def __bool__(self) -> bool:
        """Return whether there is any rate or stuck."""
        return bool(self.rates.layers or self.stucks.layers)

    @property
    def past(self) -> Past:
        """Return what rates remember."""
        return self.rates.past

    def clone(self) -> Moving:
        """Return a copy that shares nothing that changes."""
        twin = Moving.__new__(Moving)
        twin.rates, twin.stucks = self.rates.clone(), self.stucks.clone()
        return twin

    def look(self, rows: Rows, states: States, frontier: int) -> Moved:
        """Return what values change, and the points that are not calm.

        `rows`: known, good values inside the bands, by instant, all those of their points.
        """
        twice, turns = _turns(rows)
        if len(twice):
            rows = rows.take(~np.isin(rows.point, twice))
            _, turns = _turns(rows)
        with np.errstate(all="ignore"):
            fast = self.rates.take(rows, turns, states.begin) if self.rates.layers else []
            risky, references = self.stucks.look(rows, turns, states, frontier)
        loud = [twice, *fast, *risky] if len(twice) else [*fast, *risky]
        return Moved(np.concatenate(loud) if loud else _NONE, rows.point, references)

    def push(self, point: Ints, at: Ints, value: Floats) -> None:
        """Remember values of points that are not calm, sorted by point and instant."""
        having = self.past.reach_ms[point] > 0
        rows = Rows(point[having], at[having], value[having], np.zeros(0, dtype=np.uint16))
        if len(rows):
            self.rates.push(rows, _turns(rows)[1])

    def settle(self, who: Ints, states: States) -> None:
        """Find anew what is calm for some conditions."""
        self.rates.settle(who, states)
        self.stucks.settle(who, states)


class Moved:
    """What a batch moves: new references.

    `loud`: points that are not calm. `remembered`: those whose values are remembered already.
    """

    def __init__(self, loud: Ints, remembered: Ints, references: list[References]) -> None:
        """Hold them."""
        self.loud, self.remembered, self.references = loud, remembered, references

    def put(self, states: States) -> None:
        """Let conditions have their new references."""
        for one in self.references:
            one.put(states)

    def put_but(self, states: States, but: Bools) -> None:
        """Do so without the conditions of a mask, shape (conditions,)."""
        for one in self.references:
            one.take(~but[one.who]).put(states)


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
