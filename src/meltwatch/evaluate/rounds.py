"""Conditions in columns through gate, raw state and delays: the columns' twin of `step`.

All conditions go at once, each to its own next instant: something told, or the end of a delay.
The loop is over rounds, as many as the busiest condition has instants at which it changes.
"""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.columns import (
    FALSE,
    KEEP,
    NEVER,
    TRUE,
    UNDECIDED,
    Bools,
    Columns,
    Ints,
    spread,
)
from meltwatch.evaluate.told import BEFORE, Told

RETURNED, CLOSED, RAISED = 0, 1, 2
"""How a condition moves; `CLOSED`: it returns because its gate closes."""


class States(msgspec.Struct, eq=False):
    """The states of conditions, shape (conditions,); as in `node.Node`, `NEVER` for none."""

    open: Bools
    raw: Bools
    since: Ints
    due: Ints
    off_due: Ints
    raised: Ints

    def clone(self) -> States:
        """Return a copy that shares nothing."""
        return States(*(getattr(self, name).copy() for name in self.__struct_fields__))

    def take(self, who: Ints) -> States:
        """Return the states of some conditions, as a copy."""
        return States(*(getattr(self, name)[who] for name in self.__struct_fields__))

    def put(self, who: Ints, states: States) -> None:
        """Let some conditions stand as told."""
        for name in self.__struct_fields__:
            getattr(self, name)[who] = getattr(states, name)

    def timers(self, who: Ints) -> Ints:
        """Return the ends of some conditions' running delays, shape as `who`."""
        ends: Ints = np.minimum(self.due[who], self.off_due[who])
        return ends


def fresh_states(conditions: int) -> States:
    """Return the states of conditions that have seen nothing: a gate never seen is open."""
    never = np.full(conditions, NEVER)
    return States(
        open=np.ones(conditions, dtype=np.bool_),
        raw=np.zeros(conditions, dtype=np.bool_),
        since=never,
        due=never.copy(),
        off_due=never.copy(),
        raised=never.copy(),
    )


class Instants(msgspec.Struct, frozen=True, eq=False):
    """What conditions are told, instant by instant: rows sorted by (place in `who`, instant).

    `main`, `gate`: rows of the `Told` that they see then (gate -1: none). `verdict`: by the known
    value; `afresh`: true or not by what is held, known or not, as an opening gate takes it.
    `open`: whether the gate is.
    """

    owner: Ints
    at: Ints
    main: Ints
    gate: Ints
    verdict: Ints
    afresh: Bools
    open: Bools


class Moves(msgspec.Struct, frozen=True, eq=False):
    """Raises and returns, shape (moves,): place in `who`, instant, how, and since when true."""

    owner: Ints
    at: Ints
    how: Ints
    since: Ints


def instants_of(columns: Columns, who: Ints, told: Told) -> Instants:
    """Return what conditions are told; all that happens at one instant is one row."""
    owner, main = _seen(told, columns.main[who])
    gated = np.flatnonzero(columns.gate[who] >= 0)
    if len(gated):
        mine, gate = _seen(told, columns.gate[who[gated]])
        owner, main, gate = _joined(told, (owner, main), (gated[mine], gate))
        gate[columns.gate[who[owner]] < 0] = -1
        at = np.maximum(told.at[main], np.where(gate < 0, BEFORE, told.at[gate]))
    else:
        gate, at = np.full(len(owner), -1), told.at[main]
    verdict, afresh = _judged(columns, who[owner], told, main)
    opened = _opened(columns, who[owner], told, gate)
    return Instants(owner, at, main, gate, verdict, afresh, opened)


def run(columns: Columns, who: Ints, states: States, instants: Instants, frontier: int) -> Moves:
    """Decide every instant up to and including `frontier`; `states` (of `who`) go along."""
    return _Run(columns, who, states, instants).until(frontier)


def _seen(told: Told, points: Ints) -> tuple[Ints, Ints]:
    """Return (place in `points`, row of `told`) for all that each point is told."""
    place = told.places(points)
    return spread(told.first[place], told.first[place + 1] - told.first[place])


def _joined(
    told: Told, mains: tuple[Ints, Ints], gates: tuple[Ints, Ints]
) -> tuple[Ints, Ints, Ints]:
    """Return (owner, main row, gate row) as they stand after each instant of either."""
    owner = np.concatenate((mains[0], gates[0]))
    row = np.concatenate((mains[1], gates[1]))
    is_gate = np.arange(len(row)) >= len(mains[1])
    at = told.at[row]
    order = np.lexsort((is_gate, at, owner))
    owner, row, is_gate, at = owner[order], row[order], is_gate[order], at[order]
    # Both slots of an owner begin with a row at BEFORE, so neither looks past its own owner.
    place = np.arange(len(row))
    main = row[np.maximum.accumulate(np.where(is_gate, 0, place))]
    gate = row[np.maximum.accumulate(np.where(is_gate, place, 0))]
    closes = np.ones(len(row), dtype=np.bool_)
    closes[:-1] = (owner[1:] != owner[:-1]) | (at[1:] != at[:-1])
    return owner[closes], main[closes], gate[closes]


def _judged(columns: Columns, who: Ints, told: Told, main: Ints) -> tuple[Ints, Bools]:
    """Return the verdicts, and what an opening gate takes afresh; shape (rows,) as `who`."""
    unknown, silent = told.unknown[main], columns.is_silent(who)
    verdict = columns.by_value(who, told.value[main], told.has[main])
    verdict[silent] = np.where(unknown[silent], TRUE, FALSE)
    afresh = verdict == TRUE
    verdict[(unknown | told.blind[main]) & ~silent] = UNDECIDED
    return verdict, afresh


def _opened(columns: Columns, who: Ints, told: Told, gate: Ints) -> Bools:
    """Return whether gates are open: none, unknown, never seen, or in their sets."""
    opened = np.ones(len(gate), dtype=np.bool_)
    gated = np.flatnonzero(gate >= 0)
    row = gate[gated]
    held = columns.holds(columns.opening[who[gated]], told.value[row])
    opened[gated] = told.unknown[row] | ~told.has[row] | held
    return opened


class _Run:
    """The rounds of one advance; all arrays are by place in `who`."""

    def __init__(self, columns: Columns, who: Ints, states: States, instants: Instants) -> None:
        self.on_ms, self.off_ms = columns.on_ms[who], columns.off_ms[who]
        self.states = states
        # What says the same as the instant before changes nothing, so it needs no round.
        owner, verdict, opened = instants.owner, instants.verdict, instants.open
        changes = np.ones(len(owner), dtype=np.bool_)
        changes[1:] = (
            (owner[1:] != owner[:-1]) | (verdict[1:] != verdict[:-1]) | (opened[1:] != opened[:-1])
        )
        changes &= instants.at != BEFORE
        # One row more, never reached, so that a condition with nothing to come can look.
        self.at = np.append(instants.at[changes], NEVER)
        self.verdict = np.append(verdict[changes], UNDECIDED)
        self.afresh = np.append(instants.afresh[changes], False)
        self.opens = np.append(opened[changes], True)
        count = np.bincount(owner[changes], minlength=len(who))
        self.end = np.cumsum(count)
        self.place = self.end - count
        self.moves: list[tuple[Ints, Ints, Ints, Ints]] = []

    def until(self, frontier: int) -> Moves:
        live = np.arange(len(self.place))
        while len(live):
            row = np.where(self.place[live] < self.end[live], self.place[live], len(self.at) - 1)
            coming = self.at[row]
            now = np.minimum(coming, self.states.timers(live))
            going = now <= frontier
            live, row, now, touched = live[going], row[going], now[going], (coming == now)[going]
            self._touch(live[touched], row[touched], now[touched])
            self._run_out(live, now)
            self.place[live[touched]] += 1
        parts = zip(*self.moves, strict=True) if self.moves else [[np.zeros(0, np.int64)]] * 4
        return Moves(*(np.concatenate(list(part)) for part in parts))

    def _touch(self, who: Ints, row: Ints, now: Ints) -> None:
        """Let what is told at an instant pass the gate and settle the raw state."""
        was, opens = self.states.open[who], self.opens[row]
        self.states.open[who] = opens
        closing, opening, going_on = was & ~opens, opens & ~was, opens & was
        self._close(who[closing], now[closing])
        self._open(who[opening], now[opening], self.afresh[row[opening]])
        self._settle(who[going_on], now[going_on], self.verdict[row[going_on]])

    def _close(self, who: Ints, now: Ints) -> None:
        states = self.states
        returning = states.raised[who] != NEVER
        self._move(who[returning], now[returning], CLOSED)
        states.raw[who] = False
        for instants in (states.since, states.due, states.off_due, states.raised):
            instants[who] = NEVER

    def _open(self, who: Ints, now: Ints, afresh: Bools) -> None:
        states = self.states
        states.raw[who] = afresh
        lit, now = who[afresh], now[afresh]
        states.since[lit] = now
        states.due[lit] = now + self.on_ms[lit]

    def _settle(self, who: Ints, now: Ints, verdict: Ints) -> None:
        states = self.states
        true = (verdict == TRUE) | ((verdict == KEEP) & states.raw[who])
        undecided = verdict == UNDECIDED
        false = ~true & ~undecided
        # Unknown clears nothing: it stops an off-delay, the next known false begins it anew.
        states.off_due[who[true | undecided]] = NEVER
        self._turn_true(who[true], now[true])
        self._turn_false(who[false], now[false])

    def _turn_true(self, who: Ints, now: Ints) -> None:
        states = self.states
        rising = ~states.raw[who]
        who, now = who[rising], now[rising]
        states.raw[who] = True
        states.since[who] = now
        free = states.raised[who] == NEVER
        states.due[who[free]] = now[free] + self.on_ms[who[free]]

    def _turn_false(self, who: Ints, now: Ints) -> None:
        states = self.states
        states.raw[who] = False
        states.since[who] = states.due[who] = NEVER
        falling = (states.raised[who] != NEVER) & (states.off_due[who] == NEVER)
        who, now = who[falling], now[falling]
        states.off_due[who] = now + self.off_ms[who]

    def _run_out(self, who: Ints, now: Ints) -> None:
        """End the delays that end now."""
        states = self.states
        returning = states.off_due[who] == now
        self._move(who[returning], now[returning], RETURNED)
        states.off_due[who[returning]] = states.raised[who[returning]] = NEVER
        raising = states.due[who] == now
        who, now = who[raising], now[raising]
        self._move(who, now, RAISED)
        states.due[who], states.raised[who] = NEVER, now

    def _move(self, who: Ints, now: Ints, how: int) -> None:
        if len(who):
            self.moves.append((who, now, np.full(len(who), how), self.states.since[who]))
