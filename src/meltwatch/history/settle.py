"""Repeats dropped, corrections flagged, sorted: what of the rows taken goes into a segment.

Defined row by row in the log's order, so that it does not depend on where seals cut the log:

- the first row at its place, (point, at) and test or real, is kept;
- a row sent later than the one that rules its place is dropped if it repeats its value, else kept
  with `Quality.CORRECTED`: from now on it rules;
- a row sent earlier than the one that rules (an old epoch that drains) is dropped if it repeats the
  value of some kept row at its place, else kept as it is: it rules nothing;
- but a value that was only known as bad and comes as not bad is no repeat.

"Sent later" is the greater (epoch, seq, nth). Equal values are one sample, which sets the point's
value if one of them is not bad: as the journey reads them. A repeat adds nothing, so it does not
make what it repeats sent any later.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from meltwatch.history.rows import Rows, joined
from meltwatch.model.quality import Quality

Mask = NDArray[np.bool_]
Sent = tuple[str, int, int]

_AT_ONCE = 65_536


def settle(taken: Rows, earlier: Rows) -> Rows:
    """Return of the rows taken those to seal, sorted by (point, at, real before test, log).

    `taken` is in the log's order. `earlier` holds what is already sealed at their places, oldest
    segment first; none of it is returned.
    """
    rows = joined([earlier, taken]) if len(earlier) else taken
    rows = rows.tidy()
    order = _order(rows)
    same = _same_place(rows, order)
    if not len(earlier) and not same.any():
        return rows.pick(order)
    rows = rows.pick(order)
    keep, corrected = _judge(rows, same, order < len(earlier))
    rows.quality[corrected] |= np.uint16(Quality.CORRECTED)
    return rows.pick(keep)


def _order(rows: Rows) -> NDArray[np.intp]:
    return np.lexsort((_is_test(rows), rows.at, rows.point))


def _is_test(rows: Rows) -> Mask:
    told: Mask = (rows.quality & np.uint16(Quality.TEST)) != 0
    return told


def _same_place(rows: Rows, order: NDArray[np.intp]) -> Mask:
    """Return which rows, in that order, are at the place of the row before them."""
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = True
    for column in (rows.point, rows.at, _is_test(rows)):
        told = column[order]
        same[1:] &= told[1:] == told[:-1]
    return same


def _judge(rows: Rows, same: Mask, sealed: Mask) -> tuple[Mask, Mask]:
    """Return which rows to keep and which of them correct another; sealed ones are not kept."""
    begin = np.maximum.accumulate(np.where(same, 0, np.arange(len(rows))))
    # -0.0 is 0.0 as a value; adding 0.0 makes it so before the bits are compared.
    bits = (rows.value + 0.0).view("<i8")
    bad = (rows.quality & np.uint16(Quality.BAD)) != 0
    differs = (bits != bits[begin]) | (bad != bad[begin])
    keep, corrected = ~same, np.zeros(len(rows), dtype=np.bool_)
    contested = np.zeros(len(rows), dtype=np.bool_)
    contested[begin[differs]] = True
    disputed = np.flatnonzero(contested[begin])
    # The arbiter is plain and walks row by row: real corrections are few.
    for part in _parts(begin[disputed]):
        places = disputed[part]
        arbiter = Arbiter()
        told = zip(
            places.tolist(),
            begin[places].tolist(),
            sealed[places].tolist(),
            zip(bits[places].tolist(), bad[places].tolist(), _sent(rows, places), strict=True),
            strict=True,
        )
        for place, group, is_sealed, row in told:
            keep[place], corrected[place] = arbiter.hear(group, row, is_sealed=is_sealed)
    return keep & ~sealed, corrected


def _parts(groups: NDArray[np.intp]) -> Iterator[slice]:
    """Yield slices of bounded length that end where a group does."""
    begin = 0
    while begin < len(groups):
        last = groups[min(begin + _AT_ONCE, len(groups)) - 1]
        end = int(np.searchsorted(groups, last, side="right"))
        yield slice(begin, end)
        begin = end


def _sent(rows: Rows, places: NDArray[np.intp]) -> Iterator[Sent]:
    epochs = (rows.epochs[epoch] for epoch in rows.epoch[places].tolist())
    return zip(epochs, rows.seq[places].tolist(), rows.nth[places].tolist(), strict=True)


class Arbiter:
    """Hears the rows of one place after the other and says which are kept and which correct."""

    def __init__(self) -> None:
        """Begin before the first place."""
        self._group = -1
        self._rules = 0
        self._since: Sent = ("", 0, 0)
        self._only_bad: dict[int, bool] = {}

    def hear(
        self, group: int, row: tuple[int, bool, Sent], *, is_sealed: bool
    ) -> tuple[bool, bool]:
        """Return whether the row is kept, and whether it corrects the one that ruled.

        `row`: the bits of its value, whether it is bad, when it was sent. A row that is sealed
        was kept when it came: it only tells how its place stood.
        """
        value, bad, sent = row
        if group != self._group:
            self._group, self._only_bad = group, {value: bad}
            self._rules, self._since = value, sent
            return True, False
        later = sent > self._since
        known = value == self._rules if later else value in self._only_bad
        if known and (bad or not self._only_bad[value]) and not is_sealed:
            return False, False
        if later:
            self._rules, self._since = value, sent
        self._only_bad[value] = bad and self._only_bad.get(value, True)
        return True, later and not is_sealed
