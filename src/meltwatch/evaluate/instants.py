"""What conditions in columns are told, instant by instant, and what each instant says to them."""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.columns import (
    BEFORE,
    FALSE,
    SET,
    TRUE,
    UNDECIDED,
    Bools,
    Columns,
    Ints,
    spread,
)
from meltwatch.evaluate.told import Told


class Instants(msgspec.Struct, frozen=True, eq=False):
    """What conditions are told: rows sorted by (place in `who`, instant), the first at `BEFORE`.

    `main`, `gate`: rows of the `Told` that they see then (gate -1: none). `verdict`: by what is
    known; `marked`: whether it is; `afresh`: true or not by what is held, known or not, as an
    opening gate takes it. `open`: whether the gate is.
    """

    owner: Ints
    at: Ints
    main: Ints
    gate: Ints
    verdict: Ints
    marked: Bools
    afresh: Bools
    open: Bools


def instants_of(columns: Columns, who: Ints, told: Told) -> Instants:
    """Return what conditions are told; all that happens at one instant is one row."""
    owner, at, (main, _, gate) = _joined(columns, who, told)
    mine = who[owner]
    verdict, marked, afresh = _judged(columns, mine, told, main)
    opened = _opened(columns, mine, told, gate)
    return Instants(owner, at, main, gate, verdict, marked, afresh, opened)


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


def _judged(columns: Columns, who: Ints, told: Told, main: Ints) -> tuple[Ints, Bools, Bools]:
    """Return the verdicts, whether marked, and what an opening gate takes; shape as `who`."""
    unknown, silent = told.unknown[main], columns.is_silent(who)
    value, has = told.value[main], told.has[main]
    verdict = columns.against_limit(who, value)
    listed = np.flatnonzero(columns.kind[who] == SET)
    verdict[listed] = columns.holds(columns.wanted[who[listed]], value[listed])
    verdict[~has] = FALSE
    verdict[silent] = np.where(unknown[silent], TRUE, FALSE)
    afresh = verdict == TRUE
    marked = (unknown | told.blind[main]) & ~silent
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


def changing(instants: Instants) -> Bools:
    """Return the rows that say something else than the one before them, shape (rows,)."""
    owner, verdict, opened = instants.owner, instants.verdict, instants.open
    changes = np.ones(len(owner), dtype=np.bool_)
    changes[1:] = (
        (owner[1:] != owner[:-1]) | (verdict[1:] != verdict[:-1]) | (opened[1:] != opened[:-1])
    )
    changes &= instants.at != BEFORE
    return changes
