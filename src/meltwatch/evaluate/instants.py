"""What conditions in columns are told, instant by instant, and what each instant says to them."""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.columns import (
    BEFORE,
    FALSE,
    LEAVE,
    RATE,
    SET,
    STUCK,
    TRUE,
    UNDECIDED,
    Bools,
    Columns,
    Floats,
    Ints,
    spread,
)
from meltwatch.evaluate.past import Past, comparable
from meltwatch.evaluate.told import Told

NOTHING = -1
"""No verdict: that of a rate before an advance, which is its past's business."""


class Instants(msgspec.Struct, frozen=True, eq=False):
    """What conditions are told: rows sorted by (place in `who`, instant), the first at `BEFORE`.

    `main`, `second`, `gate`: rows of the `Told` that they see then (-1: none). `verdict`: by what
    is known; `marked`: whether it is; `afresh`: true or not by what is held, known or not, as an
    opening gate takes it. `open`: whether the gate is. `value`, `unknown`, `known` of the main
    point; `fresh`: its value comes now; `forgets`: what it remembers is gone. `begin`: since when
    a rate remembers.
    """

    owner: Ints
    at: Ints
    main: Ints
    second: Ints
    gate: Ints
    verdict: Ints
    marked: Bools
    afresh: Bools
    open: Bools
    value: Floats
    unknown: Bools
    known: Bools
    fresh: Bools
    forgets: Bools
    begin: Ints


def instants_of(columns: Columns, who: Ints, told: Told, begin: Ints, past: Past) -> Instants:
    """Return what conditions are told; all that happens at one instant is one row.

    `begin`, shape as `who`: since when rates remember. `past`: what there is to be remembered.
    """
    owner, at, (main, second, gate) = _joined(columns, who, told)
    mine = who[owner]
    verdict, marked, afresh = _judged(columns, mine, told, main, second)
    opened = _opened(columns, mine, told, gate)
    now = told.at[main] == at
    fresh, forgets = told.fresh[main] & now, told.forgets[main] & now
    begin = _begun(owner, at, opened, forgets, begin)
    value, unknown = told.value[main], told.unknown[main]
    rated = np.flatnonzero(columns.kind[mine] == RATE)
    if len(rated):
        afresh[rated] = False
        verdict[rated] = np.where(marked[rated], UNDECIDED, LEAVE)
        verdict[rated[at[rated] == BEFORE]] = NOTHING
        rated = rated[fresh[rated]]
        told_now = (at[rated], value[rated], begin[rated])
        verdict[rated] = _rated(columns, mine[rated], *told_now, past)
    afresh &= columns.kind[mine] != STUCK
    return Instants(
        owner,
        at,
        main,
        second,
        gate,
        verdict,
        marked,
        afresh,
        opened,
        value,
        unknown,
        told.has[main] & ~unknown,
        fresh,
        forgets,
        begin,
    )


def _begun(owner: Ints, at: Ints, opened: Bools, forgets: Bools, begin: Ints) -> Ints:
    """Return since when each row remembers: the last opening, or the last time it was to forget."""
    first = at == BEFORE
    anew = first | forgets
    anew[1:] |= opened[1:] & ~opened[:-1]
    last = np.maximum.accumulate(np.where(anew, np.arange(len(at)), 0))
    begun: Ints = np.where(first, begin[owner], at)[last]
    return begun


def _rated(columns: Columns, who: Ints, at: Ints, value: Floats, begin: Ints, past: Past) -> Ints:
    """Return the verdicts of rates on fresh values, shape (rows,)."""
    window = columns.window_ms[who]
    place = past.find(columns.main[who], at - np.maximum(window, 1))
    found = np.flatnonzero(place >= 0)
    found = found[comparable(at[found], window[found], past.at[place[found]], begin[found])]
    verdict = np.full(len(who), LEAVE)
    with np.errstate(all="ignore"):
        slope = (value - past.value[place])[found] / ((at - past.at[place])[found] / 1000)
    verdict[found] = columns.against_limit(who[found], slope)
    return verdict


def _joined(columns: Columns, who: Ints, told: Told) -> tuple[Ints, Ints, list[Ints]]:
    """Return owner, instant, and for each slot the row that is seen after that instant."""
    slots = (columns.main[who], columns.second[who], columns.gate[who])
    owners, rows, kinds = [], [], []
    for slot, point in enumerate(slots):
        having = np.flatnonzero(point >= 0)
        if len(having):
            place = told.places(point[having])
            mine, row = spread(told.first[place], told.first[place + 1] - told.first[place])
            owners.append(having[mine])
            rows.append(row)
            kinds.append(np.full(len(row), slot))
    if len(rows) <= 1:
        owner = owners[0] if owners else np.zeros(0, dtype=np.int64)
        main = rows[0] if rows else np.zeros(0, dtype=np.int64)
        none = np.full(len(main), -1)
        return owner, told.at[main], [main, none, none]
    owner, row, kind = np.concatenate(owners), np.concatenate(rows), np.concatenate(kinds)
    at = told.at[row]
    order = np.lexsort((kind, at, owner))
    owner, row, kind, at = owner[order], row[order], kind[order], at[order]
    closes = np.ones(len(row), dtype=np.bool_)
    closes[:-1] = (owner[1:] != owner[:-1]) | (at[1:] != at[:-1])
    seen = [_latest(row, kind == slot)[closes] for slot in range(3)]
    for slot in (1, 2):  # those of an owner without the slot would be another owner's
        seen[slot][slots[slot][owner[closes]] < 0] = -1
    return owner[closes], at[closes], seen


def _latest(row: Ints, of_slot: Bools) -> Ints:
    """Return the latest row of a slot at or before each; all slots of an owner begin at once."""
    places = np.maximum.accumulate(np.where(of_slot, np.arange(len(row)), 0))
    return row[places]


def _judged(
    columns: Columns, who: Ints, told: Told, main: Ints, second: Ints
) -> tuple[Ints, Bools, Bools]:
    """Return the verdicts, whether marked, and what an opening gate takes; shape as `who`."""
    unknown, silent = told.unknown[main], columns.is_silent(who)
    value, has = told.value[main], told.has[main]
    marked = (unknown | told.blind[main]) & ~silent
    pairs = np.flatnonzero(second >= 0)
    if len(pairs):
        other = second[pairs]
        with np.errstate(all="ignore"):
            value[pairs] -= told.value[other]
        has[pairs] &= told.has[other]
        marked[pairs] |= told.unknown[other] | told.blind[other]
    verdict = columns.against_limit(who, value)
    listed = np.flatnonzero(columns.kind[who] == SET)
    verdict[listed] = columns.holds(columns.wanted[who[listed]], value[listed])
    verdict[~has] = FALSE
    verdict[silent] = np.where(unknown[silent], TRUE, FALSE)
    afresh = verdict == TRUE
    verdict[marked] = UNDECIDED
    return verdict, marked, afresh


def _opened(columns: Columns, who: Ints, told: Told, gate: Ints) -> Bools:
    """Return whether gates are open: none, unknown, never seen, or in their sets."""
    opened = np.ones(len(gate), dtype=np.bool_)
    gated = np.flatnonzero(gate >= 0)
    row = gate[gated]
    held = columns.holds(columns.opening[who[gated]], told.value[row])
    opened[gated] = told.unknown[row] | ~told.has[row] | held
    return opened


def seen_at(instants: Instants, owner: Ints, at: Ints) -> Ints:
    """Return for each (owner, instant) the row of `instants` that is seen then, shape as `at`."""
    ends = np.unique(at)
    # An instant is at or before ends[i] if and only if its rank is at most i.
    key = instants.owner * (len(ends) + 1) + np.searchsorted(ends, instants.at)
    wanted = owner * (len(ends) + 1) + np.searchsorted(ends, at)
    return np.searchsorted(key, wanted, "right") - 1


def changing(instants: Instants, stuck: Bools) -> Bools:
    """Return the rows that say something else than the one before them, shape (rows,).

    `stuck`, by owner: whose memory makes each row count.
    """
    owner, verdict, opened = instants.owner, instants.verdict, instants.open
    changes = np.ones(len(owner), dtype=np.bool_)
    changes[1:] = (
        (owner[1:] != owner[:-1]) | (verdict[1:] != verdict[:-1]) | (opened[1:] != opened[:-1])
    )
    changes |= stuck[owner]
    changes &= instants.at != BEFORE
    return changes
