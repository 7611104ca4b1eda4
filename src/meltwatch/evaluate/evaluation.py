"""A plant's conditions over frames as they come: live, late, corrected, under grace.

The live engine is always decided as far as coverage allows. When something arrives that changes
what was already decided (a hole closes, a correction, a source back after an outage), the engine
is run again from an *anchor*, a copy of it taken before anything that is still open, over the
samples kept since. The outcome then carries the whole truth since the anchor, and `alarm`
compares it with what it has published.
"""

from __future__ import annotations

from meltwatch.evaluate.coverage import Coverage
from meltwatch.evaluate.kept import (
    ANCHOR_EVERY_MS,
    HOLE_GIVEN_UP_MS,
    LONG_AGO,
    EvaluationState,
    Kept,
    OfflineTurn,
    Outcome,
)
from meltwatch.evaluate.node import NOT_APPLICABLE, Transition
from meltwatch.evaluate.plan import Plan
from meltwatch.evaluate.twin import Twin
from meltwatch.model.condition import Silent
from meltwatch.model.ids import ConditionId, PointCode, SourceId
from meltwatch.model.log import Interval, SamplesRecord
from meltwatch.model.quality import Quality


class Evaluation:
    """Evaluate one plant's frames and ticks, in the order of its log."""

    def __init__(self, plan: Plan, state: EvaluationState) -> None:
        """Go on from a state; `begin` makes the first one."""
        self.plan = plan
        self.state = state
        self.live = Twin(plan, state.live)
        self.look_again: int | None = None

    @classmethod
    def begin(cls, plan: Plan, told_at: int) -> Evaluation:
        """Return the evaluation of a plant configured at `told_at` that has no samples yet."""
        live = Twin(plan)
        coverage = {source: Coverage(advanced_at=told_at) for source in plan.plant.sources}
        anchors = [live.clone().state]
        return cls(plan, EvaluationState(live=live.state, anchors=anchors, coverage=coverage))

    # what comes in

    def take(self, record: SamplesRecord) -> Outcome:
        """Return what a frame of the real lane decides."""
        coverage = self.state.coverage[record.source]
        too_old, corrected = self._corrections(record, coverage)
        back = coverage.offline_since is not None and coverage.advances(record)
        turns = self._come_back(record, coverage) if back else []
        drained_first = coverage.run_end is None and bool(coverage.covered)
        again = corrected or back or coverage.begins_run(record) or drained_first
        gaps, start = self._gaps(record.source), self._start(record.source)
        coverage.take(record)
        after = self._gaps(record.source)
        reaches_back = LONG_AGO < self._start(record.source) < start and not after
        again = again or reaches_back or any(_closed(gap, after) for gap in gaps)
        self._keep(record)
        self._pass_clock(max(record.received_at, record.complete_to))
        if again:
            outcome = self._run_again()
        elif record.backfill:
            outcome = Outcome()  # the hole is not closed yet: its samples wait in `kept`
        else:
            self.live.feed(record.samples, record.epoch, record.seq)
            outcome = Outcome(self.live.advance(self._frontiers()))
            if not after:
                coverage.prove(self._start(record.source))
        outcome.transitions = _in_order([*turns, *outcome.transitions])
        outcome.too_old = too_old
        return outcome

    def tick(self, at: int, offline: tuple[SourceId, ...]) -> Outcome:
        """Return what the receiver's clock decides: sources gone offline, delays run out there."""
        self._pass_clock(at)
        turns: list[Transition] = []
        for source in offline:
            coverage = self.state.coverage.get(source)
            if coverage is None or coverage.offline_since is not None:
                continue
            turns += self._turn(source, at, offline=True)
            run_end = coverage.run_end
            coverage.offline_since = at if run_end is None else max(at, run_end + 1)
            coverage.offline_marks.append(coverage.offline_since)
            if run_end is not None:
                self.live.blind(source, run_end + 1)
            turns += self._go_unknown(self.live, source, coverage.offline_since)
        turns += self.live.advance(self._frontiers())
        return Outcome(_in_order(turns))

    def adopt(self, plan: Plan, told_at: int) -> Outcome:
        """Go on under another plan from this place in the log on.

        A raised condition goes on under its new definition until known values end it; one that
        the new plan does not have any more returns. An `offline` condition that is new is what its
        source is.
        """
        was_open = any(self._gaps(source) for source in self.state.coverage)
        returned = [
            Transition(told_at if at is None else at, name, False, (NOT_APPLICABLE,))
            for name, at in self.live.adopt(plan).items()
        ]
        anchors = [Twin(self.plan, anchor) for anchor in self.state.anchors]
        for anchor in anchors:
            anchor.adopt(plan)
        coverage = self.state.coverage
        self.state.coverage = {
            source: coverage.get(source) or Coverage(advanced_at=told_at)
            for source in plan.plant.sources
        }
        self.state.kept = [one for one in self.state.kept if one.source in plan.plant.sources]
        self.state.turns = [one for one in self.state.turns if one.source in plan.plant.sources]
        self.plan, self.state.live = plan, self.live.state
        for anchor in anchors:
            self._bring_offline(anchor, self._clock_of(anchor))
        returned += self._bring_offline(self.live, told_at)
        self.state.anchors = [anchor.state for anchor in anchors]
        if not was_open and not self.anything_offline():
            self.state.anchors = [self.live.clone().state]
        return Outcome([*returned, *self.live.advance(self._frontiers())])

    def look_ahead(self, horizon: int) -> list[Transition]:
        """Return the raises that would come by `horizon` if the lagging sources said no more.

        The unsafe mistake is the silent one: an on-delay that has ended while coverage lags is
        told under grace, `unconfirmed`. Staleness proves nothing here, so it is left out.
        """
        plant, frontiers = self.plan.plant, self.live.state.frontiers
        lagging = [
            source
            for source, frontier in frontiers.items()
            if frontier < horizon and plant.sources[source].clock == "live"
        ]
        self.look_again = None
        due = min(self.live.dues(), default=None) if lagging else None
        if due is None or due > horizon:
            return []
        ahead = self.live.clone()
        for source in lagging:
            ahead.blind(source, frontiers[source] + 1)
        found = ahead.advance(dict.fromkeys(lagging, horizon), stale=False)
        self.look_again = min(ahead.dues(), default=None)
        conditions = plant.conditions
        return [
            one for one in found if one.rises and not isinstance(conditions[one.condition], Silent)
        ]

    def wake_at(self, told: int) -> int | None:
        """Return the next instant of the receiver's clock at which waiting decides something."""
        dues = [*self.live.dues(), *([] if self.look_again is None else [self.look_again])]
        candidates = [due + self.plan.plant.grace_ms for due in dues]
        if self.anything_offline():
            candidates += dues
        return min((at for at in candidates if at > told), default=None)

    # what others ask

    def offline_due(self, source: SourceId) -> int | None:
        """Return when the source is offline unless its live run advances; None while it is."""
        coverage = self.state.coverage[source]
        if coverage.offline_since is not None:
            return None
        return coverage.advanced_at + self.plan.plant.sources[source].offline_ms

    def is_proven(self, condition: ConditionId, at: int) -> bool:
        """Return whether an instant of a condition is decided on complete samples.

        Nothing more will come for a condition that the plan does not have: it counts as decided.
        """
        sources = self.plan.sources.get(condition, frozenset())
        reached = (self.state.coverage[source].proven for source in sources)
        return all(proven is not None and at <= proven for proven in reached)

    def is_late(self, condition: ConditionId, at: int) -> bool:
        """Return whether an instant lies in a closed hole of a source of the condition."""
        sources = self.plan.sources[condition]
        return self.is_proven(condition, at) and any(
            self.state.coverage[source].in_hole(at) for source in sources
        )

    def has_data(self) -> bool:
        """Return whether some source is delivering: without one the plant is unassessed."""
        return any(
            one.run_end is not None and one.offline_since is None
            for one in self.state.coverage.values()
        )

    def anchored_at(self) -> dict[ConditionId, int]:
        """Return for each condition the instant before which nothing will change any more.

        Those that the receiver's clock decides are left out: they never change.
        """
        return {
            name: LONG_AGO if one.frontier is None else one.frontier
            for name, one in self.state.anchors[0].nodes.items()
            if name not in self.plan.offline
        }

    def anything_offline(self) -> bool:
        """Return whether some source is offline now."""
        return any(one.offline_since is not None for one in self.state.coverage.values())

    # inside

    def _bring_offline(self, engine: Twin, at: int) -> list[Transition]:
        """Make every `offline` condition of an engine what its source was at `at`."""
        found: list[Transition] = []
        for name, source in self.plan.offline.items():
            offline = self._was_offline(source, at)
            if offline is not (engine.state.nodes[name].raised is not None):
                found.append(engine.turn_offline(name, at, offline=offline))
        return found

    def _was_offline(self, source: SourceId, at: int) -> bool:
        """Return whether a source was offline at an instant that the turns kept reach back to."""
        later = (one.offline for one in self.state.turns if one.source == source and one.at > at)
        return not next(later, self.state.coverage[source].offline_since is None)

    def _clock_of(self, engine: Twin) -> int:
        return LONG_AGO if engine.state.clock is None else engine.state.clock

    def _corrections(
        self, record: SamplesRecord, coverage: Coverage
    ) -> tuple[list[tuple[PointCode, int]], bool]:
        """Return corrections that come too old, and whether there are others."""
        oldest = self._anchor_frontier(record.source)
        late = [
            (code, at, value, quality)
            for code, at, value, quality in record.samples.rows()
            if at <= oldest or coverage.contains(at)
        ]
        if not late:
            return [], False
        known: dict[tuple[PointCode, int], list[tuple[float, int]]] = {}
        for kept in self.state.kept:
            if kept.source == record.source:
                for code, at, value, quality in kept.samples.rows():
                    known.setdefault((code, at), []).append((value, quality))
        too_old = [(code, at) for code, at, _, _ in late if at <= oldest]
        others = any(
            _changes(known.get((code, at), []), value, quality)
            for code, at, value, quality in late
            if at > oldest
        )
        return too_old, others

    def _come_back(self, record: SamplesRecord, coverage: Coverage) -> list[Transition]:
        coverage.offline_since = None
        return self._turn(record.source, record.received_at, offline=False)

    def _turn(self, source: SourceId, at: int, *, offline: bool) -> list[Transition]:
        self.state.turns.append(OfflineTurn(source, at, offline))
        return [
            self.live.turn_offline(name, at, offline=offline)
            for name, read in self.plan.offline.items()
            if read == source
        ]

    def _keep(self, record: SamplesRecord) -> None:
        if len(record.samples):
            kept = Kept(record.source, record.epoch, record.seq, record.samples)
            self.state.kept.append(kept)

    def _pass_clock(self, told: int) -> None:
        self.state.clock = told if self.state.clock is None else max(self.state.clock, told)
        self.live.pass_clock(self.state.clock)

    def _frontiers(self) -> dict[SourceId, int]:
        """Return how far each source is complete; one that is offline holds nobody back."""
        found: dict[SourceId, int] = {}
        for source, coverage in self.state.coverage.items():
            if coverage.offline_since is not None:
                assert self.state.clock is not None
                found[source] = max(self.state.clock, coverage.offline_since)
            elif coverage.run_end is not None:
                found[source] = coverage.run_end
        return found

    def _anchor_frontier(self, source: SourceId) -> int:
        return self.state.anchors[0].frontiers.get(source, LONG_AGO)

    def _start(self, source: SourceId) -> int:
        """Return the instant after which the anchor knows nothing of a source."""
        anchored = self.state.anchors[0].frontiers.get(source)
        covered = self.state.coverage[source].covered
        if anchored is None:
            return covered[0][0] if covered else LONG_AGO
        return anchored

    def _gaps(self, source: SourceId) -> list[Interval]:
        return self.state.coverage[source].gaps(self._start(source))

    def settle(self) -> None:
        """Take a new anchor once the live engine has run far enough with nothing open.

        To be called when what was decided is published.
        """
        state = self.state
        newest, frontiers = state.anchors[-1], self.live.state.frontiers
        far = [frontiers[source] - end for source, end in newest.frontiers.items()]
        if self.anything_offline() or any(self._gaps(source) for source in frontiers):
            if max(far, default=0) < HOLE_GIVEN_UP_MS:
                return
        elif not frontiers or min(far, default=ANCHOR_EVERY_MS) < ANCHOR_EVERY_MS:
            return
        state.anchors = [newest, self.live.clone().state][-2:]
        state.kept = [
            kept
            for kept in state.kept
            if int(kept.samples.at.max()) > self._anchor_frontier(kept.source)
        ]
        for source, coverage in state.coverage.items():
            coverage.forget(self._anchor_frontier(source))
        clock = state.anchors[0].clock
        state.turns = [one for one in state.turns if clock is None or one.at > clock]

    def _run_again(self) -> Outcome:
        """Run the engine again from the anchor over everything kept since."""
        anchor = self.state.anchors[0]
        engine = Twin(self.plan, anchor).clone()
        for turn in self.state.turns:
            for name, read in self.plan.offline.items():
                if read == turn.source:
                    engine.turn_offline(name, turn.at, offline=turn.offline)
        for kept in self.state.kept:
            engine.feed(kept.samples, kept.epoch, kept.seq)
        if self.state.clock is not None:
            engine.pass_clock(self.state.clock)
        transitions: list[Transition] = []
        for source in self.state.coverage:
            transitions += self._run_source(engine, source)
        transitions += engine.advance(self._frontiers())
        for source, coverage in self.state.coverage.items():
            coverage.prove(self._start(source))
        self.live = engine
        self.state.live = engine.state
        return Outcome(_in_order(transitions), anchored=anchor)

    def _run_source(self, engine: Twin, source: SourceId) -> list[Transition]:
        """Run one source through its gaps, blind and unknown where nothing is complete."""
        coverage = self.state.coverage[source]
        found: list[Transition] = []
        for start, end in self._gaps(source):
            found += engine.advance({source: start})
            engine.blind(source, start + 1)
            marks = [mark for mark in coverage.offline_marks if start < mark <= end]
            found += self._go_unknown(engine, source, min([*marks, end]))
            found += engine.advance({source: end - 1})
            engine.make_afresh(source, end)
            found += engine.advance({source: end})
        if coverage.run_end is not None:
            found += engine.advance({source: coverage.run_end})
        if coverage.offline_since is not None:
            if coverage.run_end is not None:
                engine.blind(source, coverage.run_end + 1)
            found += self._go_unknown(engine, source, coverage.offline_since)
        return found

    def _go_unknown(self, engine: Twin, source: SourceId, at: int) -> list[Transition]:
        found = engine.advance({source: at - 1})
        engine.make_unknown(source, at)
        return found


def _changes(known: list[tuple[float, int]], value: float, quality: int) -> bool:
    """Return whether a sample says something that its equals of one instant do not."""
    equal = [grade for other, grade in known if other == value]
    last = known[-1][0] if known else None
    return last != value or (
        not quality & Quality.BAD and all(grade & Quality.BAD for grade in equal)
    )


def _closed(gap: Interval, after: list[Interval]) -> bool:
    """Return whether nothing of a gap is left."""
    return not any(start < gap[1] and gap[0] < end for start, end in after)


def _in_order(transitions: list[Transition]) -> list[Transition]:
    return sorted(transitions, key=lambda one: one.at)
