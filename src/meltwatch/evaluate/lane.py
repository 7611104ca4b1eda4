"""Conditions that are decided up to the same frontier, and the points they read.

A batch in which nothing changes costs a few comparisons: each known point has a band of values
that leaves all its conditions as they are. Whatever is not surely calm (a value outside the band,
bad quality, a point growing stale, a mark, a delay that ends) goes the exact way, `told`,
`instants` and `rounds`, with every condition that reads such a point, and all samples that those
read.
"""

from __future__ import annotations

import msgspec
import numpy as np

from meltwatch.evaluate import calm
from meltwatch.evaluate.agenda import Agenda
from meltwatch.evaluate.columns import BEFORE, NEVER, RATE, Bools, Columns, Ints
from meltwatch.evaluate.instants import instants_of
from meltwatch.evaluate.judge import Member
from meltwatch.evaluate.moving import Moved, Moving
from meltwatch.evaluate.node import Node, Transition
from meltwatch.evaluate.past import Past, PastState, reaches
from meltwatch.evaluate.plain import PassOn, Plain
from meltwatch.evaluate.published import transitions_of
from meltwatch.evaluate.rounds import (
    Heard,
    States,
    fresh_states,
    run,
)
from meltwatch.evaluate.signal import Turn
from meltwatch.evaluate.standing import settle
from meltwatch.evaluate.told import Held, Rows, Told, tell
from meltwatch.evaluate.waiting import Waiting, take_due
from meltwatch.model.condition import Interlock, Vote
from meltwatch.model.ids import ConditionId, EpochId
from meltwatch.model.quality import Quality


class _Asked(msgspec.Struct, frozen=True, eq=False):
    """What must be decided exactly in one advance.

    `stirred`: points; `ending`: conditions; the rest as `Lane.advance` has it.
    """

    rows: Rows
    stirred: Ints
    ending: Ints
    frontier: int
    silent_until: Ints


class Lane:
    """The conditions of one lane through time.

    `watched`, shape (conditions,): those that votes or interlocks read. `frontier`: up to where
    all is decided. `marks`: (instant, place of the source, turn) that wait for their coverage.
    """

    def __init__(
        self,
        columns: Columns,
        watched: Bools,
        held: Held | None = None,
        states: States | None = None,
        nodes: dict[int, Node] | None = None,
        past: PastState | None = None,
    ) -> None:
        """Take up states, or begin with points and conditions that have seen nothing."""
        self.columns, self.watched = columns, watched
        self.held = held or _unheld(columns)
        self.states = states or fresh_states(len(columns.names))
        self.plain = Plain(columns, nodes)
        self.frontier: int | None = None
        self.advanced = False
        self.waiting: list[Waiting] = []
        self.marks: list[tuple[int, int, int]] = []
        everything = np.arange(len(columns.points))
        self.scratch = np.zeros(len(everything), dtype=np.bool_)
        rates = np.flatnonzero(columns.kind == RATE)
        main, window_ms = columns.main[rates], columns.window_ms[rates]
        self.moving = Moving(columns, Past(reaches(len(everything), main, window_ms)))
        if past is not None:
            self.moving.past.unpack(past)
        self.part()
        self.low, self.high = np.zeros(len(everything)), np.zeros(len(everything))
        self.set_bands(everything)
        self.stale = Agenda(len(everything))
        self.stale.add(everything, self._stale_at(everything))
        whoever = np.arange(len(columns.names))
        self.on, self.off = Agenda(len(whoever)), Agenda(len(whoever))
        self.await_ends(whoever)
        self.moving.settle(whoever, self.states)
        self.deciding = np.zeros(len(whoever), dtype=np.bool_)

    def clone(self) -> Lane:
        """Return a lane in the same state that shares nothing that changes."""
        twin = Lane.__new__(Lane)
        twin.columns, twin.watched, twin.frontier = self.columns, self.watched, self.frontier
        twin.in_columns, twin.closely = self.in_columns, self.closely
        twin.unsettled, twin.advanced = self.unsettled, self.advanced
        twin.held, twin.states, twin.plain = (
            self.held.clone(),
            self.states.clone(),
            self.plain.clone(),
        )
        twin.moving, twin.deciding = self.moving.clone(), self.deciding.copy()
        twin.waiting, twin.marks = self.waiting.copy(), self.marks.copy()
        twin.low, twin.high, twin.scratch = self.low.copy(), self.high.copy(), self.scratch.copy()
        twin.stale, twin.on, twin.off = self.stale.clone(), self.on.clone(), self.off.clone()
        return twin

    def begin(self, source: int, first: int) -> None:
        """Count the source's points never seen as last seen at its first instant."""
        unseen = (self.columns.source == source) & (self.held.last == BEFORE)
        self.held.last[unseen] = first
        points = np.flatnonzero(unseen)
        self.stale.add(points, self._stale_at(points))

    def mark(self, source: int, at: int, turn: Turn, *, begun: bool) -> None:
        """Let all points of a source turn blind or unknown at an instant, or be taken afresh."""
        own = self.columns.source == source
        if own.any():
            self.marks.append((at, source, int(turn)))
            if turn is Turn.UNKNOWN and not begun:
                self.held.last[own] = BEFORE

    def feed(self, epoch: EpochId, seq: int, rows: Rows, decided: Ints) -> None:
        """Let samples wait that are not decided already.

        `decided`, shape (sources,): up to where each source is complete.
        """
        fresh = rows.at > decided[self.columns.source[rows.point] if len(decided) > 1 else 0]
        if not fresh.all():
            rows = rows.take(fresh)
        if len(rows):
            self.waiting.append(Waiting(epoch, seq, rows))

    def advance(self, frontier: int, silent_until: Ints, pass_on: PassOn) -> list[Transition]:
        """Decide every instant up to and including `frontier`; return the transitions, unsorted.

        `silent_until`, shape (sources,): up to where each source's silence counts. `pass_on`
        hears how watched conditions change.
        """
        rows = self._due(frontier)
        found: list[Transition] = []
        loud = rows.point[~self._calm(rows)]
        moved: Moved | None = None
        if self.moving and len(rows):
            moved = self._move(rows, loud, frontier)
            loud = np.concatenate((loud, moved.loud)) if len(moved.loud) else loud
        stirred = self._stirred(loud, frontier)
        ending = self._ending(frontier)
        if len(stirred) or len(ending):
            asked = _Asked(rows, stirred, ending, frontier, silent_until)
            found = self._exactly(asked, moved, pass_on)
        else:
            self._hold(rows)
            if moved is not None:
                moved.put(self.states)
        if self.plain.awake:
            found += self.plain.run(frontier, pass_on)
        self.frontier, self.advanced = frontier, True
        if self.unsettled:
            settle(self)
        return found

    def dues(self) -> list[int]:
        """Return the ends of all running on-delays."""
        due = self.states.due
        ends: list[int] = due[due != NEVER].tolist()
        return ends + self.plain.dues()

    def first_due(self) -> int:
        """Return the end of the on-delay that ends first, `NEVER` if none runs."""
        first = self.on.first(lambda who: self.states.due[who])
        return min([first, *self.plain.dues()])

    # one by one, for questions and changes of configuration

    def is_raised(self, place: int) -> bool:
        """Return whether a condition is raised."""
        node = self.plain.nodes.get(place)
        return bool(self.states.raised[place] != NEVER) if node is None else node.raised is not None

    def raised_at(self, place: int) -> int | None:
        """Return since when a condition is raised; None if it is not."""
        if (node := self.plain.nodes.get(place)) is not None:
            return node.raised
        raised = int(self.states.raised[place])
        return None if raised == NEVER else raised

    def until_at(self, place: int) -> int | None:
        """Return up to where a condition is decided (None: not at all yet)."""
        node = self.plain.nodes.get(place)
        return self.frontier if node is None else self.until(node)

    def decided_until(self) -> list[int | None]:
        """Return for each condition up to where it is decided (None: not at all yet)."""
        until = [self.frontier] * len(self.columns.names)
        for place, node in self.plain.nodes.items():
            until[place] = self.until(node)
        return until

    def until(self, node: Node) -> int | None:
        """Return up to where a node is decided: one of another plan may be elsewhere."""
        if not self.advanced:
            return node.frontier
        known = [one for one in (self.frontier, node.frontier) if one is not None]
        return max(known, default=None)

    # samples

    def _due(self, frontier: int) -> Rows:
        """Take the samples up to the frontier out of those that wait."""
        rows, self.waiting = take_due(self.waiting, frontier)
        return rows

    def _calm(self, rows: Rows) -> Bools:
        """Return which samples surely change no condition, shape (rows,).

        Staleness is no matter here: whoever would be stale by the frontier with a newer value
        would be so with the old one, and is stirred as a whole.
        """
        point, value = rows.point, rows.value
        quiet: Bools = (value >= self.low[point]) & (value <= self.high[point])
        quiet &= (rows.quality & int(Quality.BAD)) == 0
        return quiet

    def _hold(self, rows: Rows) -> None:
        """Let points hold calm samples: of several the last rules."""
        self.held.value[rows.point] = rows.value
        self.held.last[rows.point] = rows.at

    # what is not calm

    def _stale_at(self, points: Ints) -> Ints:
        return self.held.stale_at(self.columns, points)

    def _stirred(self, points: Ints, frontier: int) -> Ints:
        """Return the points with samples that are not calm, growing stale, or marked."""
        parts = [points, self.stale.due(frontier, self._stale_at)]
        parts += [
            np.flatnonzero(self.columns.source == source)
            for at, source, _ in self.marks
            if at <= frontier
        ]
        return np.concatenate(parts)

    def _ending(self, frontier: int) -> Ints:
        """Return the conditions in columns whose delays end."""
        on = self.on.due(frontier, lambda who: self.states.due[who])
        off = self.off.due(frontier, lambda who: self.states.off_due[who])
        return np.concatenate((on, off))

    def await_ends(self, who: Ints) -> None:
        """Note the ends of delays of some conditions."""
        self.on.add(who, self.states.due[who])
        self.off.add(who, self.states.off_due[who])

    def _marks(self, frontier: int) -> tuple[tuple[int, int, int], ...]:
        """Take the marks up to the frontier out of those that wait."""
        due = tuple(mark for mark in self.marks if mark[0] <= frontier)
        self.marks = [mark for mark in self.marks if mark[0] > frontier]
        return due

    def _move(self, rows: Rows, loud: Ints, frontier: int) -> Moved:
        """Let calm values move rates and stucks; as `Moving.look`."""
        if len(loud):
            rows = rows.take(~self._among(loud, rows.point))
        return self.moving.look(rows, self.states, frontier)

    def _exactly(self, asked: _Asked, moved: Moved | None, pass_on: PassOn) -> list[Transition]:
        """Decide who reads a stirred point or has a delay that ends; all others go on calmly."""
        columns, rows, frontier = self.columns, asked.rows, asked.frontier
        readers = columns.reader[columns.readings_of(asked.stirred)[1]]
        reached = np.unique(np.concatenate((readers, asked.ending)))
        who = reached[self.in_columns[reached]]
        seen = np.concatenate((columns.main[who], columns.second[who], columns.gate[who]))
        points = np.unique(np.concatenate((asked.stirred, seen[seen >= 0])))
        exact = self._among(points, rows.point)
        stale_until = np.minimum(asked.silent_until[columns.source[points]], frontier)
        marks = self._marks(frontier)
        told = tell(columns, self.held, points, rows.take(exact), stale_until, marks)
        self._hold(rows.take(~exact))
        if moved is not None:
            self.deciding[who] = True
            moved.put_but(self.states, self.deciding)
            self.deciding[who] = False
        if self.moving.rates.layers:
            self._remember(told, points[:0] if moved is None else moved.remembered)
        found = self._decide(who, told, frontier, pass_on) if len(who) else []
        told.write(self.held)
        self.set_bands(points)
        self.moving.settle(who, self.states)
        self.stale.add(points, self._stale_at(points))
        self.await_ends(who)
        self.plain.tell(reached[~self.in_columns[reached]], told)
        return found

    def _among(self, points: Ints, those: Ints) -> Bools:
        """Return which of `those` are among some points."""
        self.scratch[points] = True
        found: Bools = self.scratch[those]
        self.scratch[points] = False
        return found

    def _remember(self, told: Told, remembered: Ints) -> None:
        """Remember the values that the calm way has not."""
        point = np.repeat(told.points, np.diff(told.first))
        anew = np.flatnonzero(told.fresh & ~self._among(remembered, point))
        self.moving.push(point[anew], told.at[anew], told.value[anew])

    def _decide(self, who: Ints, told: Told, frontier: int, pass_on: PassOn) -> list[Transition]:
        columns, past = self.columns, self.moving.past
        states = self.states.take(who)
        instants = instants_of(columns, who, told, states.begin, past)
        moves, heard = run(columns, who, states, instants, frontier, self.watched[who])
        last = np.append(np.flatnonzero(np.diff(instants.owner)), len(instants.owner) - 1)
        states.begin = instants.begin[last]
        self.states.put(who, states)
        for name, changes in self._changes(who, heard).items():
            pass_on(name, changes)
        return transitions_of(columns, past, who, told, instants, moves)

    def _changes(self, who: Ints, heard: Heard) -> dict[ConditionId, list[tuple[int, Member]]]:
        """Return what readers must hear, by condition in the plan's order."""
        found: dict[ConditionId, list[tuple[int, Member]]] = {}
        columns = (who[heard.owner], heard.at, heard.true, heard.marked, heard.raised)
        for place, at, true, marked, raised in zip(*(one.tolist() for one in columns), strict=True):
            name = self.columns.names[place]
            found.setdefault(name, []).append((at, Member(true, marked, raised)))
        return found

    def set_bands(self, points: Ints) -> None:
        """Find anew which values of some points are calm."""
        self.low[points], self.high[points] = calm.bands(
            self.columns, self.held, self.states, points, self.closely
        )

    def part(self) -> None:
        """Tell who is decided in columns, and whose points have no calm value meanwhile."""
        self.in_columns = np.ones(len(self.columns.names), dtype=np.bool_)
        self.in_columns[list(self.plain.nodes)] = False
        self.unsettled = [
            place
            for place in self.plain.nodes
            if not isinstance(self.columns.conditions[place], Vote | Interlock)
        ]
        self.closely = np.zeros(len(self.columns.names), dtype=np.bool_)
        self.closely[self.unsettled] = True


def _unheld(columns: Columns) -> Held:
    """Return points that have never been seen, last seen at their source's first instant."""
    points = len(columns.points)
    return Held(
        value=np.zeros(points),
        has=np.zeros(points, dtype=np.bool_),
        unknown=np.zeros(points, dtype=np.bool_),
        blind=np.zeros(points, dtype=np.bool_),
        last=np.where(columns.first_at == NEVER, BEFORE, columns.first_at),
    )
