"""What an undisturbed run must give: `SEMANTICS` written down once more, slowly and plainly.

This evaluator knows one source, all of its samples, complete up to `until`. It walks every instant
of the grid on which samples, delays and staleness lie, and at each does everything anew in the
documented order of one instant: samples, staleness, gates, raw states, votes, timers, interlocks.
It shares no code with the product's evaluation, only the types of the model, and is meant to be
checked against the text sentence by sentence, not to be fast.

`offline` is decided on the receiver's clock and not here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from meltwatch.model.condition import (
    Condition,
    Difference,
    High,
    Interlock,
    Low,
    Offline,
    PointIn,
    Rate,
    Silent,
    State,
    Stuck,
    Vote,
)
from meltwatch.model.ids import ConditionId, PointCode
from meltwatch.model.instant import SECOND_MS
from meltwatch.model.plant import Plant
from meltwatch.model.quality import Quality
from meltwatch.model.sample import Row

LONG_BEFORE = -(10**15)


class Happened(NamedTuple):
    """One occurrence: raised and returned in ms, None while raised, flags sorted."""

    raised: int
    condition: str
    returned: int | None
    flags: tuple[str, ...]


def undisturbed(plant: Plant, rows: Iterable[Row], until: int) -> list[Happened]:
    """Return the occurrences of a plant whose samples all came, decided up to `until`."""
    run = _Run(plant, list(rows))
    for at in range(run.start, until + 1, run.step):
        run.live_through(at)
    return sorted(run.happened())


class _Signals:
    """What is known of each point at an instant. Bad samples set no value and are left out."""

    def __init__(self, plant: Plant, rows: list[Row], start: int) -> None:
        self.plant, self.start = plant, start
        self.values: dict[PointCode, list[tuple[int, float]]] = {one: [] for one in plant.points}
        for point, at, value, quality in rows:
            if not quality & Quality.BAD:
                self.values[point].append((at, value))
        for known in self.values.values():
            known.sort()
            assert len({at for at, _ in known}) == len(known), "one value a point and instant"

    def upto(self, point: PointCode, at: int) -> list[tuple[int, float]]:
        """Return the values of a point at or before an instant."""
        return [one for one in self.values[point] if one[0] <= at]

    def held(self, point: PointCode, at: int) -> float | None:
        """Return the held value; None: never seen."""
        seen = self.upto(point, at)
        return seen[-1][1] if seen else None

    def comes(self, point: PointCode, at: int) -> bool:
        """Return whether a value of the point comes at exactly this instant."""
        return any(one == at for one, _ in self.values[point])

    def unknown(self, point: PointCode, at: int) -> bool:
        """Return whether the point is unknown: its last value is `stale_s` old or older.

        Never seen counts as last seen at the source's first instant.
        """
        stale = self.plant.points[point].stale_ms
        if stale is None:
            return False
        seen = self.upto(point, at)
        last = seen[-1][0] if seen else self.start
        return at >= last + stale

    def in_set(self, wanted: PointIn, at: int) -> bool:
        """Return whether the held value is in the set; never seen is not."""
        return self.held(wanted.point, at) in wanted.values


class _Node:
    """One condition as it stands."""

    def __init__(self, name: ConditionId, condition: Condition) -> None:
        self.name, self.condition = name, condition
        self.occurrences: list[tuple[int, int | None, set[str]]] = []
        self.is_open, self.opens, self.opened_at = True, False, LONG_BEFORE
        self.forget()

    def forget(self) -> None:
        """Forget everything about the raw state: the condition does not apply."""
        self.raw = self.was = self.unknown = False
        self.since: int | None = None  # since when the raw state is true (stuck: the reference's)
        self.off_since: int | None = None  # since when the off-delay runs
        self.known_false = False  # this instant brought a known value that leaves it false
        self.reference: float | None = None  # of `stuck`

    @property
    def raised(self) -> bool:
        """Return whether it is raised."""
        return bool(self.occurrences) and self.occurrences[-1][1] is None

    def raise_(self, at: int, flags: set[str]) -> None:
        """Begin an occurrence."""
        self.occurrences.append((at, None, flags))

    def return_(self, at: int, flag: str | None = None) -> None:
        """End the occurrence."""
        raised, _, flags = self.occurrences[-1]
        self.occurrences[-1] = (raised, at, flags | ({flag} if flag else set()))
        self.off_since = None

    @property
    def counts(self) -> bool:
        """Return whether it is true as a member: its raw state; `stuck` while raised."""
        return self.raised if isinstance(self.condition, Stuck) else self.raw


class _Run:
    """The plant's conditions, walked from instant to instant."""

    def __init__(self, plant: Plant, rows: list[Row]) -> None:
        (source,) = plant.sources.values()
        assert source.first_at is not None
        self.plant, self.start = plant, source.first_at
        self.signals = _Signals(plant, rows, self.start)
        self.step = _grid(plant, rows, self.start)
        self.nodes = {
            name: _Node(name, condition)
            for name, condition in plant.conditions.items()
            if not isinstance(condition, Offline)
        }
        self.votes = list(_by_dependency(plant))

    def happened(self) -> Iterator[Happened]:
        """Yield all occurrences."""
        for node in self.nodes.values():
            for raised, returned, flags in node.occurrences:
                yield Happened(raised, node.name, returned, tuple(sorted(flags)))

    def live_through(self, at: int) -> None:
        """Do one instant. Samples and staleness are looked up; the rest follows in order."""
        for node in self.nodes.values():
            self.gate(node, at)
        for node in self.nodes.values():
            if node.is_open:
                self.raw_state(node, at)
        for name in self.votes:
            if self.nodes[name].is_open:
                self.vote(self.nodes[name])
        for node in self.nodes.values():
            if node.is_open and not isinstance(node.condition, Interlock | Stuck):
                self.timers(node, at)
        for node in self.nodes.values():
            if node.is_open and isinstance(node.condition, Interlock):
                self.interlock(node, at)

    # gates

    def gate_unknown(self, node: _Node, at: int) -> bool:
        """Return whether the gate's point is unknown or never seen."""
        when = node.condition.when
        if when is None:
            return False
        return self.signals.held(when.point, at) is None or self.signals.unknown(when.point, at)

    def gate(self, node: _Node, at: int) -> None:
        """Close or open. A closed gate drops a pending delay and returns what is raised."""
        when, was_open = node.condition.when, node.is_open
        node.is_open = when is None or self.gate_unknown(node, at) or self.signals.in_set(when, at)
        node.opens = node.is_open and not was_open
        if node.opens:
            node.opened_at = at
        if was_open and not node.is_open:
            if node.raised:
                node.return_(at, "not_applicable")
            node.forget()

    # raw states

    def raw_state(self, node: _Node, at: int) -> None:
        """Take the raw state of a condition on points; on opening afresh from the held value."""
        signals, condition = self.signals, node.condition
        node.was = node.raw and not node.opens
        node.known_false = False
        match condition:
            case High() | Low() | State():
                node.unknown = signals.unknown(condition.point, at)
                value = signals.held(condition.point, at)
                if value is not None and (node.opens or signals.comes(condition.point, at)):
                    self.judge(node, value)
            case Difference(of=(a, b)):
                node.unknown = signals.unknown(a, at) or signals.unknown(b, at)
                held_a, held_b = signals.held(a, at), signals.held(b, at)
                comes = signals.comes(a, at) or signals.comes(b, at)
                told = node.opens or (comes and not node.unknown)
                if told and held_a is not None and held_b is not None:
                    self.judge(node, held_a - held_b)
            case Rate():
                node.unknown = signals.unknown(condition.point, at)
                if signals.comes(condition.point, at):
                    change = self.rate(node, condition, at)
                    if change is not None:
                        self.judge(node, change)
            case Silent():
                node.raw = signals.unknown(condition.point, at)
                node.known_false = not node.raw
            case Stuck():
                self.stuck(node, condition, at)

    def judge(self, node: _Node, value: float) -> None:
        """Compare a value; inside the deadband the raw state stays as it was (afresh: false)."""
        condition = node.condition
        if isinstance(condition, State):
            node.raw = value in condition.values
        else:
            assert isinstance(condition, High | Low | Difference | Rate)
            if isinstance(condition, Difference | Rate):
                high = condition.side == "high"
            else:
                high = isinstance(condition, High)
            limit, deadband = condition.limit, condition.deadband
            if value >= limit if high else value <= limit:
                node.raw = True
            elif value < limit - deadband if high else value > limit + deadband:
                node.raw = False
        node.known_false = not node.raw and not node.unknown

    def rate(self, node: _Node, condition: Rate, at: int) -> float | None:
        """Return the change per second of the value that comes now; None: without a j."""
        seen = self.signals.upto(condition.point, at)
        value, window = seen[-1][1], condition.window_ms
        earlier = [
            one
            for one in seen
            if at - 2 * window <= one[0] <= at - window and one[0] >= node.opened_at
        ]
        if not earlier:
            return None
        return (value - earlier[-1][1]) / ((at - earlier[-1][0]) / SECOND_MS)

    def stuck(self, node: _Node, condition: Stuck, at: int) -> None:
        """Hold the reference; raise and return at once, so that votes of this instant see it."""
        value = self.signals.held(condition.point, at)
        node.unknown = self.signals.unknown(condition.point, at)
        if self.signals.comes(condition.point, at) or (node.opens and not node.unknown):
            far = (
                value is not None
                and node.reference is not None
                and abs(value - node.reference) > condition.band
            )
            if far and node.raised:
                node.return_(at)
            if value is not None and (far or node.reference is None):
                node.reference, node.since = value, at
        if node.unknown and not node.raised:
            node.reference = node.since = None
        if node.since is not None and not node.raised and at >= node.since + condition.on_delay_ms:
            node.raise_(at, self.flags(node, at))

    # votes

    def vote(self, node: _Node) -> None:
        """Count the members: true, and unknown ones (false and marked unknown)."""
        condition = node.condition
        assert isinstance(condition, Vote)
        members = [self.nodes[name] for name in condition.of]
        true = sum(1 for one in members if one.is_open and one.counts)
        unknown = sum(1 for one in members if one.is_open and not one.counts and one.unknown)
        if condition.unknown_counts:
            true, unknown = true + unknown, 0
        node.was = node.raw = node.raw and not node.opens
        node.unknown = False
        if true >= condition.m:
            node.raw = True
        elif true + unknown < condition.m:
            node.raw = False
        else:
            node.unknown = True
        node.known_false = not node.raw and not node.unknown

    # timers

    def timers(self, node: _Node, at: int) -> None:
        """Raise at exactly s + d; return at r + e unless true again or unknown until then."""
        condition = node.condition
        if node.raw and not node.was:
            node.since = at
        if not node.raised:
            node.off_since = None
            if node.raw and node.since is not None and at >= node.since + condition.on_delay_ms:
                node.raise_(at, self.flags(node, at))
            return
        if node.raw or node.unknown:
            node.off_since = None
        elif node.was or (node.off_since is None and node.known_false):
            node.off_since = at
        if node.off_since is not None and at >= node.off_since + condition.off_delay_ms:
            node.return_(at)

    def flags(self, node: _Node, at: int) -> set[str]:
        """Return the flags of a raise now."""
        marked = node.unknown
        if isinstance(node.condition, Vote):
            for one in (self.nodes[name] for name in node.condition.of):
                if one.is_open and (one.counts or node.condition.unknown_counts):
                    marked = marked or one.unknown
        found = {"unconfirmed"} if marked else set[str]()
        return found | ({"gate_unknown"} if self.gate_unknown(node, at) else set())

    # interlocks

    def interlock(self, node: _Node, at: int) -> None:
        """True while the cause is raised and the effects are not all true together."""
        condition = node.condition
        assert isinstance(condition, Interlock)
        effects = condition.effects
        node.unknown = any(self.signals.unknown(one.point, at) for one in effects)
        acted = all(
            self.signals.in_set(one, at) and not self.signals.unknown(one.point, at)
            for one in effects
        )
        was = node.raw and not node.opens
        node.raw = self.nodes[condition.cause].raised and not acted
        if not node.raw:
            if node.raised:
                node.return_(at)
            return
        if not was:
            node.since = at
        assert node.since is not None
        if not node.raised and at >= node.since + condition.on_delay_ms:
            node.raise_(at, self.flags(node, at))


def _by_dependency(plant: Plant) -> Iterator[ConditionId]:
    """Yield the votes, each after the votes among its members."""
    waiting = {name: one for name, one in plant.conditions.items() if isinstance(one, Vote)}
    while waiting:
        ready = [name for name, one in waiting.items() if not set(one.of) & set(waiting)]
        assert ready, "votes in a circle"
        for name in ready:
            del waiting[name]
            yield name


def _grid(plant: Plant, rows: list[Row], start: int) -> int:
    """Return the step of the grid on which every instant at which anything can happen lies."""
    lengths = [row[1] - start for row in rows]
    lengths += [one.stale_ms or 0 for one in plant.points.values()]
    for condition in plant.conditions.values():
        lengths += [condition.on_delay_ms, condition.off_delay_ms]
    return math.gcd(*lengths) or SECOND_MS
