"""Conditions in columns that are decided up to the same frontier, and the points they read.

A batch in which nothing changes costs a few comparisons: each known point has a band of values
that leaves all its conditions as they are. Whatever is not surely calm (a value outside the band,
bad quality, a point growing stale, a mark, a delay that ends) goes the exact way, `told` and
`rounds`, with every condition that reads such a point, and all samples that those read.
"""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate.columns import NEVER, Bools, Columns, Ints
from meltwatch.evaluate.judge import Input
from meltwatch.evaluate.node import (
    GATE_UNKNOWN,
    NOT_APPLICABLE,
    UNCONFIRMED,
    Node,
    Transition,
)
from meltwatch.evaluate.reasons import reason_of
from meltwatch.evaluate.rounds import (
    CLOSED,
    RAISED,
    Instants,
    Moves,
    States,
    fresh_states,
    instants_of,
    run,
)
from meltwatch.evaluate.signal import Turn
from meltwatch.evaluate.told import Held, Rows, Told, tell
from meltwatch.model.ids import EpochId
from meltwatch.model.quality import Quality


class Waiting(msgspec.Struct, frozen=True, eq=False):
    """Samples of one batch that wait for their coverage, in the order sent."""

    epoch: EpochId
    seq: int
    rows: Rows


class Lane:
    """The conditions of one lane through time."""

    def __init__(self, columns: Columns, held: Held | None = None, states: States | None = None):
        """Take up states, or begin with points and conditions that have seen nothing."""
        self.columns = columns
        self.place = {code: place for place, code in enumerate(columns.points)}
        self.held = held or _unheld(columns)
        self.states = states or fresh_states(len(columns.names))
        self.waiting: list[Waiting] = []
        self.marks: list[tuple[int, int, int]] = []
        everything = np.arange(len(columns.points))
        self.low, self.high = np.zeros(len(everything)), np.zeros(len(everything))
        self._set_bands(everything)
        self.timing = self.states.timers(np.arange(len(columns.names))) != NEVER
        self.timed = np.flatnonzero(self.timing)
        self.oldest = int(self.held.stale_at.min(initial=NEVER))
        """No point grows stale before this instant; `timing` and `timed`: whose delays run."""

    def clone(self) -> Lane:
        """Return a lane in the same state that shares nothing that changes."""
        twin = Lane.__new__(Lane)
        twin.columns, twin.place = self.columns, self.place
        twin.timing, twin.timed = self.timing.copy(), self.timed
        twin.oldest = self.oldest
        twin.held, twin.states = self.held.clone(), self.states.clone()
        twin.waiting, twin.marks = self.waiting.copy(), self.marks.copy()
        twin.low, twin.high = self.low.copy(), self.high.copy()
        return twin

    def begin(self, source: int, first: int) -> None:
        """Count the source's points never seen as last seen at its first instant."""
        columns = self.columns
        unseen = (columns.source == source) & (columns.first_at == NEVER)
        self.held.stale_at[unseen] = first + columns.stale_ms[unseen]
        self.oldest = int(self.held.stale_at.min(initial=NEVER))

    def mark(self, source: int, at: int, turn: Turn, *, begun: bool) -> None:
        """Let all points of a source turn blind or unknown at an instant."""
        self.marks.append((at, source, int(turn)))
        if turn is Turn.UNKNOWN and not begun:
            self.held.stale_at[self.columns.source == source] = NEVER

    def feed(self, epoch: EpochId, seq: int, rows: Rows, decided: Ints) -> None:
        """Let samples wait that are not decided already.

        `decided`, shape (sources,): up to where each source is complete.
        """
        fresh = rows.at > decided[self.columns.source[rows.point] if len(decided) > 1 else 0]
        if not fresh.all():
            rows = rows.take(fresh)
        if len(rows):
            self.waiting.append(Waiting(epoch, seq, rows))

    def advance(self, frontier: int, silent_until: Ints) -> list[Transition]:
        """Decide every instant up to and including `frontier`; return the transitions, unsorted.

        `silent_until`, shape (sources,): up to where each source's silence counts.
        """
        rows = self._due(frontier)
        fresh_until = rows.at + self.columns.stale_ms[rows.point]
        calm = self._calm(rows)
        stirred = self._stirred(rows.point[~calm], frontier)
        ending = self.timed[self.states.timers(self.timed) <= frontier]
        if not len(stirred) and not len(ending):
            self._hold(rows, fresh_until)
            return []
        who, points = self._reached(stirred, ending)
        reached = np.zeros(len(self.columns.points), dtype=np.bool_)
        reached[points] = True
        exact = reached[rows.point]
        stale_until = np.minimum(silent_until[self.columns.source[points]], frontier)
        told = tell(
            self.columns, self.held, points, rows.take(exact), stale_until, self._marks(frontier)
        )
        self._hold(rows.take(~exact), fresh_until[~exact])
        return self._decide(who, told, frontier)

    def dues(self) -> list[int]:
        """Return the ends of all running on-delays."""
        due = self.states.due[self.timed]
        ends: list[int] = due[due != NEVER].tolist()
        return ends

    # samples

    def _due(self, frontier: int) -> Rows:
        """Take the samples up to the frontier out of those that wait, sorted by instant.

        Of one instant the later sent is last.
        """
        self.waiting.sort(key=lambda one: (one.epoch, one.seq))
        due: list[Rows] = []
        left: list[Waiting] = []
        for one in self.waiting:
            ready = one.rows.at <= frontier
            if ready.all():
                due.append(one.rows)
                continue
            left.append(Waiting(one.epoch, one.seq, one.rows.take(~ready)))
            if ready.any():
                due.append(one.rows.take(ready))
        self.waiting = left
        rows = due[0] if len(due) == 1 else _concatenated(due)
        if (rows.at[1:] < rows.at[:-1]).any():
            rows = rows.take(np.argsort(rows.at, kind="stable"))
        return rows

    def _calm(self, rows: Rows) -> Bools:
        """Return which samples surely change no condition, shape (rows,).

        Staleness is no matter here: whoever would be stale by the frontier with a newer value
        would be so with the old one, and is stirred as a whole.
        """
        point, value = rows.point, rows.value
        calm: Bools = (value >= self.low[point]) & (value <= self.high[point])
        calm &= (rows.quality & int(Quality.BAD)) == 0
        return calm

    def _hold(self, rows: Rows, fresh_until: Ints) -> None:
        """Let points hold calm samples: of several the last rules."""
        self.held.value[rows.point] = rows.value
        self.held.stale_at[rows.point] = fresh_until
        self.oldest = min(self.oldest, int(fresh_until.min(initial=NEVER)))

    # what is not calm

    def _stirred(self, points: Ints, frontier: int) -> Ints:
        """Return the points with samples that are not calm, growing stale, or marked."""
        parts = [points]
        if self.oldest <= frontier:
            parts.append(np.flatnonzero(self.held.stale_at <= frontier))
            later = self.held.stale_at[self.held.stale_at > frontier]
            self.oldest = int(later.min(initial=NEVER))
        for at, source, _ in self.marks:
            if at <= frontier:
                parts.append(np.flatnonzero(self.columns.source == source))
        return np.concatenate(parts) if len(parts) > 1 else points

    def _marks(self, frontier: int) -> tuple[tuple[int, int, int], ...]:
        """Take the marks up to the frontier out of those that wait."""
        due = tuple(mark for mark in self.marks if mark[0] <= frontier)
        self.marks = [mark for mark in self.marks if mark[0] > frontier]
        return due

    def _reached(self, stirred: Ints, ending: Ints) -> tuple[Ints, Ints]:
        """Return the conditions that must be decided exactly, and all points that they read."""
        columns = self.columns
        deciding = np.zeros(len(columns.names), dtype=np.bool_)
        deciding[columns.readers_of(stirred)[1]] = True
        deciding[ending] = True
        who = np.flatnonzero(deciding)
        gate = columns.gate[who]
        read = np.zeros(len(columns.points), dtype=np.bool_)
        read[columns.main[who]] = True
        read[gate[gate >= 0]] = True
        return who, np.flatnonzero(read)

    def _decide(self, who: Ints, told: Told, frontier: int) -> list[Transition]:
        instants = instants_of(self.columns, who, told)
        states = self.states.take(who)
        moves = run(self.columns, who, states, instants, frontier)
        self.states.put(who, states)
        told.write(self.held)
        self._set_bands(told.points)
        self.oldest = min(self.oldest, int(self.held.stale_at[told.points].min(initial=NEVER)))
        self.timing[who] = self.states.timers(who) != NEVER
        self.timed = np.flatnonzero(self.timing)
        return self._transitions(who, told, instants, moves)

    def _set_bands(self, points: Ints) -> None:
        """Find anew which values of some points are calm."""
        columns, held, states = self.columns, self.held, self.states
        owner, who = columns.readers_of(points)
        low, high = columns.calm_values(who, states.raw[who], states.open[who])
        lowest, highest = np.full(len(points), -np.inf), np.full(len(points), np.inf)
        np.maximum.at(lowest, owner, low)
        np.minimum.at(highest, owner, high)
        exact = columns.exact[points]
        lowest[exact] = highest[exact] = held.value[points[exact]]
        unsure = held.unknown[points] | held.blind[points] | ~held.has[points]
        lowest[unsure], highest[unsure] = np.inf, -np.inf
        self.low[points], self.high[points] = lowest, highest

    # transitions

    def _transitions(
        self, who: Ints, told: Told, instants: Instants, moves: Moves
    ) -> list[Transition]:
        if not len(moves.at):
            return []
        seen = _seen_at(instants, moves)
        columns = zip(
            who[moves.owner].tolist(),
            moves.at.tolist(),
            moves.how.tolist(),
            moves.since.tolist(),
            instants.main[seen].tolist(),
            instants.gate[seen].tolist(),
            strict=True,
        )
        return [
            self._raise(condition, at, since, told, (main, gate))
            if how == RAISED
            else self._return(condition, at, how)
            for condition, at, how, since, main, gate in columns
        ]

    def _return(self, condition: int, at: int, how: int) -> Transition:
        flags = (NOT_APPLICABLE,) if how == CLOSED else ()
        return Transition(at, self.columns.names[condition], False, flags)

    def _raise(
        self, condition: int, at: int, since: int, told: Told, seen: tuple[int, int]
    ) -> Transition:
        main, gate = seen
        flags = [GATE_UNKNOWN] if gate >= 0 and (told.unknown[gate] or not told.has[gate]) else []
        silent = self.columns.is_silent(np.array([condition]))[0]
        if (told.unknown[main] or told.blind[main]) and not silent:
            flags.append(UNCONFIRMED)
        value = float(told.value[main]) if told.has[main] else None
        node = Node(inputs=[Input(value)], members=[], since=since)
        reason = reason_of(self.columns.conditions[condition], node)
        return Transition(at, self.columns.names[condition], True, tuple(flags), reason)


def _unheld(columns: Columns) -> Held:
    """Return points that have never been seen, last seen at their source's first instant."""
    points = len(columns.points)
    begun = columns.first_at != NEVER
    return Held(
        value=np.zeros(points),
        has=np.zeros(points, dtype=np.bool_),
        unknown=np.zeros(points, dtype=np.bool_),
        blind=np.zeros(points, dtype=np.bool_),
        stale_at=np.where(begun, np.where(begun, columns.first_at, 0) + columns.stale_ms, NEVER),
    )


def _concatenated(parts: list[Rows]) -> Rows:
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Rows(none, none, np.zeros(0), none.astype(np.uint16))
    return Rows(
        np.concatenate([one.point for one in parts]),
        np.concatenate([one.at for one in parts]),
        np.concatenate([one.value for one in parts]),
        np.concatenate([one.quality for one in parts]),
    )


def _seen_at(instants: Instants, moves: Moves) -> Ints:
    """Return for each move the row of `instants` that its condition saw last, shape (moves,)."""
    ends = np.unique(moves.at)
    # An instant is at or before ends[i] if and only if its rank is at most i.
    key = instants.owner * (len(ends) + 1) + np.searchsorted(ends, instants.at)
    wanted = moves.owner * (len(ends) + 1) + np.searchsorted(ends, moves.at)
    return np.searchsorted(key, wanted, "right") - 1
