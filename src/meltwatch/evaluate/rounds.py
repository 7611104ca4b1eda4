"""Conditions in columns through gate, raw state and delays: the columns' twin of `step`.

All conditions go at once, each to its own next instant: something told, or the end of a delay.
The loop is over rounds, as many as the busiest condition has instants at which it changes.
"""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.columns import (
    BEFORE,
    KEEP,
    LEAVE,
    NEVER,
    STUCK,
    TRUE,
    UNDECIDED,
    Bools,
    Columns,
    Floats,
    Ints,
)
from meltwatch.evaluate.instants import Instants, changing
from meltwatch.evaluate.node import Node

RETURNED, CLOSED, RAISED = 0, 1, 2
"""How a condition moves; `CLOSED`: it returns because its gate closes."""


class States(msgspec.Struct, eq=False):
    """The states of conditions, shape (conditions,); as in `node.Node`, `NEVER` for none.

    `referred`: whether there is a `reference`. `begin`: a `rate` remembers nothing before it.
    """

    open: Bools
    raw: Bools
    marked: Bools
    since: Ints
    due: Ints
    off_due: Ints
    raised: Ints
    reference: Floats
    referred: Bools
    begin: Ints

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


def fresh_states(conditions: int) -> States:
    """Return the states of conditions that have seen nothing: a gate never seen is open."""
    never = np.full(conditions, NEVER)
    return States(
        open=np.ones(conditions, dtype=np.bool_),
        raw=np.zeros(conditions, dtype=np.bool_),
        marked=np.zeros(conditions, dtype=np.bool_),
        since=never,
        due=never.copy(),
        off_due=never.copy(),
        raised=never.copy(),
        reference=np.zeros(conditions),
        referred=np.zeros(conditions, dtype=np.bool_),
        begin=np.full(conditions, BEFORE),
    )


def read_node(states: States, place: int, node: Node) -> None:
    """Let a node stand as its column tells."""
    node.open, node.raw = bool(states.open[place]), bool(states.raw[place])
    node.marked = bool(states.marked[place])
    node.since, node.due = _instant(states.since[place]), _instant(states.due[place])
    node.off_due, node.raised = _instant(states.off_due[place]), _instant(states.raised[place])
    node.reference = float(states.reference[place]) if states.referred[place] else None


def write_node(states: States, place: int, node: Node) -> None:
    """Let a column stand as its node tells."""
    states.open[place], states.raw[place] = node.open, node.raw
    states.marked[place] = node.marked
    states.referred[place] = node.reference is not None
    states.reference[place] = 0.0 if node.reference is None else node.reference
    for column, at in (
        (states.since, node.since),
        (states.due, node.due),
        (states.off_due, node.off_due),
        (states.raised, node.raised),
    ):
        column[place] = NEVER if at is None else at


def _instant(told: np.int64) -> int | None:
    return None if told == NEVER else int(told)


class Moves(msgspec.Struct, frozen=True, eq=False):
    """Raises and returns, shape (moves,): place in `who`, instant, how, since when true, reference.

    The reference counts for `stuck` only.
    """

    owner: Ints
    at: Ints
    how: Ints
    since: Ints
    reference: Floats


class Heard(msgspec.Struct, frozen=True, eq=False):
    """How watched conditions change for their readers, by owner and instant, shape (changes,).

    `owner`: place in `who`; the rest as in `judge.Member`.
    """

    owner: Ints
    at: Ints
    true: Bools
    marked: Bools
    raised: Bools


def run(
    columns: Columns,
    who: Ints,
    states: States,
    instants: Instants,
    frontier: int,
    watched: Bools,
) -> tuple[Moves, Heard]:
    """Decide every instant up to and including `frontier`; `states` (of `who`) go along.

    `watched`, shape as `who`: those of which the changes are to be heard.
    """
    return _Run(columns, who, states, instants, watched).until(frontier)


class _Run:
    """The rounds of one advance; all arrays are by place in `who`."""

    def __init__(
        self, columns: Columns, who: Ints, states: States, instants: Instants, watched: Bools
    ) -> None:
        self.on_ms, self.off_ms = columns.on_ms[who], columns.off_ms[who]
        self.band, self.stuck = columns.band[who], columns.kind[who] == STUCK
        self.has_stuck = bool(self.stuck.any())
        self.states = states
        self.watched = watched
        # What says the same as the instant before changes nothing, so it needs no round.
        changes = changing(instants, self.stuck)
        # One row more, never reached, so that a condition with nothing to come can look.
        self.at = np.append(instants.at[changes], NEVER)
        self.verdict = np.append(instants.verdict[changes], UNDECIDED)
        self.marked = np.append(instants.marked[changes], False)
        self.afresh = np.append(instants.afresh[changes], False)
        self.opens = np.append(instants.open[changes], True)
        self.value = np.append(instants.value[changes], 0.0)
        self.unknown = np.append(instants.unknown[changes], False)
        self.fresh = np.append(instants.fresh[changes], False)
        self.known = np.append(instants.known[changes], False)
        self.forgets = np.append(instants.forgets[changes], False)
        count = np.bincount(instants.owner[changes], minlength=len(who))
        self.end = np.cumsum(count)
        self.place = self.end - count
        self.moves: list[tuple[Ints, Ints, Ints, Ints, Floats]] = []
        self.looks: list[tuple[Ints, Ints, Bools, Bools, Bools]] = []

    def until(self, frontier: int) -> tuple[Moves, Heard]:
        live = np.arange(len(self.place))
        hearing = bool(self.watched.any())
        if hearing:
            self._look(live, np.full(len(live), BEFORE))
        while len(live):
            row = np.where(self.place[live] < self.end[live], self.place[live], len(self.at) - 1)
            coming = self.at[row]
            ends = np.minimum(self.states.due[live], self.states.off_due[live])
            now = np.minimum(coming, ends)
            going = now <= frontier
            live, row, now, touched = live[going], row[going], now[going], (coming == now)[going]
            self._touch(live[touched], row[touched], now[touched])
            self._run_out(live, now)
            if hearing:
                self._look(live, now)
            self.place[live[touched]] += 1
        return _moves(self.moves), _heard(self.looks)

    def _look(self, who: Ints, now: Ints) -> None:
        """Note how the watched among some conditions stand now."""
        seen = self.watched[who]
        who, now = who[seen], now[seen]
        states = self.states
        raised = states.raised[who] != NEVER
        true = np.where(self.stuck[who], raised, states.raw[who])
        self.looks.append((who, now, true, states.marked[who], raised))

    def _touch(self, who: Ints, row: Ints, now: Ints) -> None:
        """Let what is told at an instant pass the gate and settle the raw state."""
        was, opens = self.states.open[who], self.opens[row]
        self.states.open[who] = opens
        self.states.marked[who] = opens & self.marked[row]
        if self.has_stuck:
            self._forget(who[self.forgets[row] & (self.states.raised[who] == NEVER)])
        closing, opening, going_on = was & ~opens, opens & ~was, opens & was
        self._close(who[closing], now[closing])
        self._open(who[opening], now[opening], self.afresh[row[opening]])
        if self.has_stuck:
            stuck = self.stuck[who]
            self._begin_stuck(*(one[opening & stuck & self.known[row]] for one in (who, row, now)))
            self._settle_stuck(*(one[going_on & stuck] for one in (who, row, now)))
            going_on &= ~stuck
        self._settle(who[going_on], now[going_on], self.verdict[row[going_on]])

    def _close(self, who: Ints, now: Ints) -> None:
        states = self.states
        returning = states.raised[who] != NEVER
        self._move(who[returning], now[returning], CLOSED)
        states.raw[who] = states.referred[who] = False
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
        false = ~true & ~undecided & (verdict != LEAVE)
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

    # stuck

    def _forget(self, who: Ints) -> None:
        who = who[self.stuck[who]]
        self.states.referred[who] = False
        self.states.since[who] = self.states.due[who] = NEVER

    def _begin_stuck(self, who: Ints, row: Ints, now: Ints) -> None:
        """Take values as references."""
        states = self.states
        states.reference[who], states.referred[who] = self.value[row], True
        states.since[who], states.due[who] = now, now + self.on_ms[who]

    def _settle_stuck(self, who: Ints, row: Ints, now: Ints) -> None:
        states = self.states
        raised, referred = states.raised[who] != NEVER, states.referred[who]
        self._forget(who[self.unknown[row] & ~raised])
        fresh = self.fresh[row]
        # Raised under another definition: this value is the one that ends it.
        bare = fresh & ~referred & raised
        states.reference[who[bare]], states.referred[who[bare]] = self.value[row[bare]], True
        with np.errstate(invalid="ignore", over="ignore"):
            leaves = np.abs(self.value[row] - states.reference[who]) > self.band[who]
        leaves &= fresh & referred
        ending = leaves & raised
        states.off_due[who[ending]] = now[ending]
        anew = leaves | (fresh & ~referred & ~raised)
        self._begin_stuck(who[anew], row[anew], now[anew])

    # timers

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
            since, reference = self.states.since[who], self.states.reference[who]
            self.moves.append((who, now, np.full(len(who), how), since, reference))


def _moves(found: list[tuple[Ints, Ints, Ints, Ints, Floats]]) -> Moves:
    if not found:
        none = np.zeros(0, dtype=np.int64)
        return Moves(none, none, none, none, np.zeros(0))
    owner, at, how, since, reference = (
        np.concatenate(list(part)) for part in zip(*found, strict=True)
    )
    return Moves(owner, at, how, since, reference)


def _heard(looks: list[tuple[Ints, Ints, Bools, Bools, Bools]]) -> Heard:
    """Return what differs from the look before; the first one tells how all stood at first."""
    if not looks:
        none = np.zeros(0, dtype=np.int64)
        return Heard(none, none, none != 0, none != 0, none != 0)
    owner, at, true, marked, raised = (
        np.concatenate(list(part)) for part in zip(*looks, strict=True)
    )
    order = np.argsort(owner, kind="stable")
    heard = Heard(owner[order], at[order], true[order], marked[order], raised[order])
    differs = np.zeros(len(owner), dtype=np.bool_)
    for column in (heard.true, heard.marked, heard.raised):
        differs[1:] |= column[1:] != column[:-1]
    differs &= heard.at != BEFORE
    return Heard(*(getattr(heard, name)[differs] for name in heard.__struct_fields__))
