"""Rows of one place brought together: what of the rows taken goes into a segment.

A place is (point, at), real and test apart. What history keeps of it is a set: of each value that
was told there one row, which holds

- when it was *last* sent, the greatest (epoch, seq, nth), and the source of that frame;
- the *best* quality that it was told with: not bad before bad, not uncertain before uncertain,
  then the lesser number;

and of several values the one last sent rules: `Quality.CORRECTED` stands on it and on no other. A
place with one value has that bit as its source sent it.

To bring two such sets together is to take the greater and the better: it does not matter in which
order rows come, how often, or where seals cut the log (decision 0012). So a repeat leaves a trace,
the instant of sending, because a value that drains late may lie between the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from meltwatch.history.rows import Rows, joined
from meltwatch.model.quality import Quality

Mask = NDArray[np.bool_]
Order = NDArray[np.intp]

_CORRECTED = np.uint16(Quality.CORRECTED)
_BAD_SHIFT, _UNCERTAIN_SHIFT = 18, 17


def settle(taken: Rows, earlier: Rows) -> Rows:
    """Return of the rows taken what is new, sorted by (point, at, real before test, sent).

    `earlier` holds what is already sealed at their places; of it only that is returned which the
    rows taken have made better. Neither needs an order.
    """
    rows = joined([earlier, taken]) if len(earlier) else taken
    rows = rows.tidy()
    order = np.lexsort((_is_test(rows), rows.at, rows.point))
    same = _same_place(rows, order)
    if not same.any():
        return rows.pick(order[order >= len(earlier)])
    shared = same.copy()
    shared[:-1] |= same[1:]
    places: Order = np.cumsum(~same, dtype=np.intp)
    order[shared] = _by_sent(rows, order[shared], places[shared])
    rows = rows.pick(order)
    keep, quality = _merged(rows, np.flatnonzero(shared), places[shared], order < len(earlier))
    rows.quality[:] = quality
    return rows.pick(keep)


def merged(parts: list[Rows]) -> Rows:
    """Return what several segments hold, as one, sorted as `settle` returns it."""
    return settle(joined(parts), joined([]))


def rank_of(quality: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Return a number that is the less the better the quality is; `quality_of` turns it back."""
    wide = quality.astype("<u4")
    bad, uncertain = (wide & Quality.BAD) != 0, (wide & Quality.UNCERTAIN) != 0
    plain, corrected = wide & ~np.uint32(Quality.CORRECTED), (wide & Quality.CORRECTED) != 0
    rank: NDArray[np.uint32] = (
        (bad.astype("<u4") << _BAD_SHIFT)
        | (uncertain.astype("<u4") << _UNCERTAIN_SHIFT)
        | (plain << 1)
        | corrected
    )
    return rank


def quality_of(rank: NDArray[np.uint32]) -> NDArray[np.uint16]:
    """Return the quality of a rank."""
    plain = ((rank >> 1) & np.uint32(0xFFFF)).astype("<u2")
    corrected = (rank & 1).astype("<u2")
    quality: NDArray[np.uint16] = plain | (corrected * _CORRECTED)
    return quality


def _is_test(rows: Rows) -> Mask:
    told: Mask = (rows.quality & np.uint16(Quality.TEST)) != 0
    return told


def _same_place(rows: Rows, order: Order) -> Mask:
    """Return which rows, in that order, are at the place of the row before them."""
    same = np.zeros(len(order), dtype=np.bool_)
    same[1:] = True
    for column in (rows.point, rows.at, _is_test(rows)):
        told = column[order]
        same[1:] &= told[1:] == told[:-1]
    return same


def _by_sent(rows: Rows, some: Order, places: NDArray[np.intp]) -> Order:
    """Return the rows of shared places, place after place, by when they were sent.

    Epochs are sorted by name in tidy rows, so their places in the dictionary compare alike.
    """
    sent = (rows.nth[some], rows.seq[some], rows.epoch[some], places)
    return some[np.lexsort(sent)]


def _merged(
    rows: Rows, shared: Order, places: NDArray[np.intp], sealed: Mask
) -> tuple[Mask, NDArray[np.uint16]]:
    """Return which rows to keep, and the quality of each row that is kept.

    `shared`: where in the rows, sorted by place and sending, places with several rows stand.
    """
    # -0.0 is 0.0 as a value; adding 0.0 makes it so before the bits are compared.
    bits = (rows.value[shared] + 0.0).view("<i8")
    by_value = np.lexsort((shared, bits, places))
    told, place, value = shared[by_value], places[by_value], bits[by_value]
    first = np.ones(len(told), dtype=np.bool_)
    first[1:] = (place[1:] != place[:-1]) | (value[1:] != value[:-1])
    begins = np.flatnonzero(first)
    lasts = np.append(begins[1:], len(told)) - 1
    winner = told[lasts]
    ranks, unsealed = rank_of(rows.quality[told]), np.uint32(0xFFFFFFFF)
    best: NDArray[np.uint32] = np.minimum.reduceat(ranks, begins)
    known = np.minimum.reduceat(np.where(sealed[told], ranks, unsealed), begins)

    of_place = place[lasts]
    several = np.bincount(of_place)[of_place] > 1
    by_sent = np.argsort(winner)
    ends = of_place[by_sent]
    rules = np.zeros(len(winner), dtype=np.bool_)
    rules[by_sent[np.append(ends[1:] != ends[:-1], True)]] = True
    quality = quality_of(best)
    plain = quality & ~_CORRECTED
    quality = np.where(several, np.where(rules, plain | _CORRECTED, plain), quality)
    # Where there are several, bit 16 is history's own: no row becomes better by losing it.
    own = several.astype("<u4")

    keep = ~sealed
    keep[shared] = False
    keep[winner] = ~sealed[winner] | ((best | own) < (known | own))
    whole = rows.quality.copy()
    whole[winner] = quality
    return keep, whole
