"""The plain engine: every kind, one condition after another, obvious before fast.

Samples wait in their signals until coverage reaches them; each condition is decided up to the
least frontier of the sources that it reads. The fast kernels are held equal to this one.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from meltwatch.evaluate.node import Node, Transition, node_of
from meltwatch.evaluate.plan import Plan
from meltwatch.evaluate.signal import Event, Signal, Turn
from meltwatch.evaluate.step import Step
from meltwatch.model.condition import members
from meltwatch.model.ids import ConditionId, EpochId, PointCode, SourceId
from meltwatch.model.reason import Reason
from meltwatch.model.sample import SampleBatch


class TwinState(msgspec.Struct):
    """All that the engine keeps: plain data, encoded as it is into a checkpoint.

    `frontiers`: how far each source's samples are complete (absent before its first frame).
    `clock`: the latest instant that any record has told, for what no source decides.
    """

    signals: dict[PointCode, Signal]
    nodes: dict[ConditionId, Node]
    frontiers: dict[SourceId, int] = {}
    clock: int | None = None


class Twin:
    """The conditions of one plant over the samples of its sources."""

    def __init__(self, plan: Plan, state: TwinState | None = None) -> None:
        """Take up a state, or begin with one that has seen nothing."""
        self.plan = plan
        self.state = state or TwinState(
            signals={
                code: Signal(
                    stale_ms=point.stale_ms, last=plan.plant.sources[point.source].first_at
                )
                for code, point in plan.plant.points.items()
            },
            nodes={name: node_of(one) for name, one in plan.plant.conditions.items()},
        )

    def clone(self) -> Twin:
        """Return an engine in the same state that shares nothing that changes."""
        state = self.state
        return Twin(
            self.plan,
            TwinState(
                signals={code: one.clone() for code, one in state.signals.items()},
                nodes={name: one.clone() for name, one in state.nodes.items()},
                frontiers=state.frontiers.copy(),
                clock=state.clock,
            ),
        )

    def adopt(self, plan: Plan) -> dict[ConditionId, int | None]:
        """Go on under another plan; return the raised conditions that it does not have any more.

        With each the instant up to which it was decided. A condition that is defined as before
        keeps its state. One that is defined otherwise begins anew with the held values; while
        raised it stays so until known values end it: a new limit clears nothing by itself. What
        was or becomes `offline` is decided by another clock: such a one is gone, and is new.
        """
        old, fresh = self.state, Twin(plan).state
        by_clock = self.plan.offline.keys() | plan.offline.keys()
        for name in plan.order:
            if self.plan.plant.conditions.get(name) == plan.plant.conditions[name]:
                fresh.nodes[name] = old.nodes[name]
            elif name in old.nodes and name not in by_clock:
                fresh.nodes[name].carry_on(old.nodes[name])
        for code, signal in fresh.signals.items():
            if code in old.signals:
                old.signals[code].stale_ms = signal.stale_ms
                fresh.signals[code] = old.signals[code]
        for code, signal in fresh.signals.items():
            reached = old.frontiers.get(plan.plant.points[code].source)
            if reached is not None:  # a point of another source until now may have waited for that
                signal.waiting = [one for one in signal.waiting if one[0] > reached]
        sources = plan.plant.sources
        fresh.frontiers = {name: end for name, end in old.frontiers.items() if name in sources}
        fresh.clock = old.clock
        gone = {
            name: node.frontier
            for name, node in old.nodes.items()
            if node.raised is not None
            and (name not in fresh.nodes or fresh.nodes[name].raised is None)
        }
        kept = {name for name, node in fresh.nodes.items() if old.nodes.get(name) is node}
        self.plan, self.state = plan, fresh
        self._hand_held_values(set(plan.order) - kept)
        return gone

    def feed(self, samples: SampleBatch, epoch: EpochId, seq: int) -> None:
        """Let samples wait for their coverage.

        Left out: points that the plan does not have, and instants that are decided already (a
        correction makes the engine run again from before it).
        """
        signals, points = self.state.signals, self.plan.plant.points
        for row, (code, at, value, quality) in enumerate(samples.rows()):
            signal = signals.get(code)
            if signal is None:
                continue
            frontier = self.state.frontiers.get(points[code].source)
            if frontier is None or at > frontier:
                signal.waiting.append((at, (epoch, seq, row), value, quality))

    def advance(self, frontiers: dict[SourceId, int], *, stale: bool = True) -> list[Transition]:
        """Complete sources up to their new frontiers; return what was decided, in order.

        A frontier never goes back: a lesser one is no news.
        """
        state = self.state
        for source, frontier in frontiers.items():
            if source not in state.frontiers:
                self._begin(source, frontier)
            elif frontier <= state.frontiers[source]:
                continue
            state.frontiers[source] = frontier
            for code in self.plan.points_of.get(source, ()):
                self._tell(code, state.signals[code].advance(frontier, stale=stale))
        return self._decide()

    def pass_clock(self, clock: int) -> None:
        """Note the latest instant that any record has told."""
        self.state.clock = clock if self.state.clock is None else max(self.state.clock, clock)

    def blind(self, source: SourceId, at: int) -> None:
        """From `at` on nothing is known of the source: an open hole begins."""
        for code in self.plan.points_of[source]:
            signal = self.state.signals[code]
            if not signal.blind:
                signal.blind = True
                self._tell(code, [(at, Turn.BLIND, 0.0)])

    def make_unknown(self, source: SourceId, at: int) -> None:
        """From `at` on the source's points are unknown until their next value."""
        for code in self.plan.points_of[source]:
            signal = self.state.signals[code]
            if not signal.unknown:
                signal.unknown = True
                self._tell(code, [(at, Turn.UNKNOWN, 0.0)])

    def make_afresh(self, source: SourceId, at: int) -> None:
        """Let `rate` and `stuck` of the source's points forget, as a new run demands."""
        for code in self.plan.points_of[source]:
            self._tell(code, [(at, Turn.AFRESH, 0.0)])

    def turn_offline(self, name: ConditionId, at: int, *, offline: bool) -> Transition:
        """Raise or return an `offline` condition; it is decided by the receiver's clock alone."""
        node = self.state.nodes[name]
        node.raw, node.raised = offline, at if offline else None
        step = Step(name, self.plan.plant.conditions[name], node)
        step.tell(at)
        self._pass_on(name, step)
        reason = Reason("offline", {"source": self.plan.offline[name]}) if offline else None
        return Transition(at, name, offline, (), reason)

    def dues(self) -> list[int]:
        """Return the ends of all running on-delays, whatever the coverage."""
        return [node.due for node in self.state.nodes.values() if node.due is not None]

    def _begin(self, source: SourceId, frontier: int) -> None:
        for code in self.plan.points_of.get(source, ()):
            self.state.signals[code].begin(frontier)

    def _tell(self, code: PointCode, events: Iterable[Event]) -> None:
        for at, turn, value in events:
            for name, slot in self.plan.readers[code]:
                self.state.nodes[name].inbox.append((at, slot, turn, value, None))

    def _decide(self) -> list[Transition]:
        found: list[Transition] = []
        for name in self.plan.order:
            if name in self.plan.offline:
                continue
            node = self.state.nodes[name]
            frontier = self._frontier(name)
            if frontier is None or (node.frontier is not None and frontier < node.frontier):
                continue
            if not node.inbox and node.due is None and node.off_due is None:
                node.frontier = frontier
                continue
            step = Step(name, self.plan.plant.conditions[name], node)
            step.until(frontier)
            found += step.transitions
            self._pass_on(name, step)
        found.sort(key=lambda one: one.at)
        return found

    def _frontier(self, name: ConditionId) -> int | None:
        sources = self.plan.sources[name]
        if not sources:
            return self.state.clock
        known = [self.state.frontiers.get(source) for source in sources]
        return None if None in known else min(one for one in known if one is not None)

    def _pass_on(self, name: ConditionId, step: Step) -> None:
        for at, member in step.heard:
            for watcher, slot in self.plan.watchers[name]:
                self.state.nodes[watcher].inbox.append((at, slot, 0, 0.0, member))

    def _hand_held_values(self, names: set[ConditionId]) -> None:
        """Let conditions that begin anew know what their points and members hold."""
        state = self.state
        for name in names:
            frontier = self._frontier(name)
            for slot, member in enumerate(members(self.plan.plant.conditions[name])):
                if frontier is not None:
                    told = (frontier, slot, 0, 0.0, state.nodes[member].told)
                    state.nodes[name].inbox.append(told)
        for code, signal in state.signals.items():
            readers = [one for one in self.plan.readers[code] if one[0] in names]
            frontier = state.frontiers.get(self.plan.plant.points[code].source)
            if frontier is None:
                continue
            for name, slot in readers:
                inbox = state.nodes[name].inbox
                if signal.value is not None:
                    inbox.append((frontier, slot, Turn.VALUE, signal.value, None))
                if signal.unknown:
                    inbox.append((frontier, slot, Turn.UNKNOWN, 0.0, None))
                if signal.blind:
                    inbox.append((frontier, slot, Turn.BLIND, 0.0, None))
