"""One island of a plant over the frames and ticks that its sources bring.

Two engines say what holds. `sure` has run over complete samples only: each source up to its first
gap. While some source has a gap or is offline, `live` goes on from there without what is missing,
and what it says beyond `sure` is provisional. As a hole fills, `sure` moves into it; when nothing
is missing any more, `sure` has caught up and `live` is gone. A correction behind `sure` runs it
again from an *anchor*, what it was one to two minutes ago, over the samples kept since.

Long because: every way of a frame moves the same two engines, and their order is the meaning.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from itertools import chain

from meltwatch.evaluate.corrections import corrections_of
from meltwatch.evaluate.coverage import Coverage
from meltwatch.evaluate.kept import (
    ANCHOR_EVERY_MS,
    HOLE_GIVEN_UP_MS,
    LONG_AGO,
    MOST_AHEAD,
    MOST_BEHIND,
    GivenUp,
    IslandState,
    Kept,
    OfflineTurn,
    Outcome,
    Settled,
    Since,
)
from meltwatch.evaluate.kernel import Kernel
from meltwatch.evaluate.node import Transition
from meltwatch.evaluate.plan import Plan
from meltwatch.evaluate.through import begin, go_unknown, run_through
from meltwatch.model.condition import Silent, Stuck
from meltwatch.model.ids import ConditionId, SourceId
from meltwatch.model.log import Interval, SamplesRecord


class Island:
    """Evaluate what its sources bring, in the order of the log."""

    def __init__(
        self,
        plan: Plan,
        state: IslandState,
        coverage: Mapping[SourceId, Coverage],
        sure: Kernel | None = None,
    ) -> None:
        """Go on from a state; `coverage` is the plant's, shared; `sure` if it is made already."""
        self.plan = plan
        self.state = state
        self.coverage = coverage
        self.sure = sure or Kernel(plan, state.sure)
        self.live = None if state.live is None else self.sure.at(state.live)
        self.anchors = [self.sure.at(one) for one in state.anchors]
        self.look_again: int | None = None
        self._rows_behind, self._rows_ahead = _rows(state.behind), _rows(state.ahead)
        self._by_clock = any(
            not sources and name not in plan.offline for name, sources in plan.sources.items()
        )

    @property
    def front(self) -> Kernel:
        """Return the engine that is furthest: what holds now as far as is known."""
        return self.live or self.sure

    @property
    def sources(self) -> Iterable[SourceId]:
        """Return the island's sources."""
        return self.plan.plant.sources

    # what comes in

    def take(self, record: SamplesRecord, clock: int) -> Outcome:
        """Return what a frame of the real lane decides; `clock`: the latest instant ever told."""
        source = record.source
        coverage = self.coverage[source]
        corrections = corrections_of(
            record,
            coverage.covered,
            oldest=self.anchors[0].frontiers.get(source, LONG_AGO),
            sure=self.proven_to(source),
            kept=chain(self.state.behind.get(source, ()), self.state.ahead.get(source, ())),
        )
        back = coverage.offline_since is not None and coverage.advances(record)
        turns = self._come_back(record, coverage) if back else []
        opens = coverage.begins_run(record)
        drained_first = coverage.run_end is None and bool(coverage.covered)
        gaps, start = self._gaps(source), self._start(source)
        lacked = self._lacks_its_beginning(source)
        coverage.take(record)
        after = self._gaps(source)
        reaches_back = not self._lacks_its_beginning(source) and (
            lacked or (source in self.sure.frontiers and self._start(source) < start)
        )
        self._pass_clock(clock)
        if corrections.sure or reaches_back:
            outcome = self._again(record, clock)
        elif (
            back
            or corrections.beyond
            or drained_first
            or any(_closed(gap, after) for gap in gaps)
            or (opens and self._complete_to(source) != self.proven_to(source))
            or (after and self.live is None and not opens and not record.backfill)
        ):
            outcome = self._rebuild(record, clock)
        elif opens:
            outcome = self._open(record, clock)
        else:
            outcome = self._go_on(record, clock)
        outcome.transitions = _in_order([*turns, *outcome.transitions])
        outcome.too_old = corrections.too_old
        return outcome

    def tick(self, at: int, offline: Iterable[SourceId], clock: int) -> Outcome:
        """Return what the receiver's clock decides: sources gone offline, delays run out there."""
        self._pass_clock(clock)
        turns: list[Transition] = []
        gone = [one for one in offline if self.coverage[one].offline_since is None]
        for source in gone:
            coverage = self.coverage[source]
            turns += self._turn(source, at, offline=True)
            run_end = coverage.run_end
            coverage.offline_since = at if run_end is None else max(at, run_end + 1)
            coverage.offline_marks.append(coverage.offline_since)
            live = self._part()
            if run_end is not None:
                live.blind(source, run_end + 1)
            turns += self._note(go_unknown(live, source, coverage.offline_since))
        filled: list[Transition] = []
        if self.live is not None:
            filled = [one for one in self.sure.advance({}) if one.condition in self.state.parted]
            turns += self._note(self.live.advance(self._frontiers(clock)))
        elif self._by_clock:
            turns += self.sure.advance({})
        return Outcome(turns, filled=self._tell(filled))

    def take_up(self, clock: int) -> list[Transition]:
        """Decide what a new plan says of the values that are held.

        While something is missing `sure` decides that when it goes on.
        """
        if self.live is None:
            return self.sure.advance({})
        return self._note(self._part().advance(self._frontiers(clock)))

    def look_ahead(self, horizon: int) -> list[Transition]:
        """Return the raises that would come by `horizon` if the lagging sources said no more.

        The unsafe mistake is the silent one: an on-delay that has ended while coverage lags is
        told under grace, `unconfirmed`. Staleness proves nothing here, so it is left out.
        """
        plant, frontiers = self.plan.plant, self.front.frontiers
        lagging = [
            source
            for source, frontier in frontiers.items()
            if frontier < horizon and plant.sources[source].clock == "live"
        ]
        self.look_again = None
        due = self.front.first_due() if lagging else None
        if due is None or due > horizon:
            return []
        ahead = self.front.clone()
        for source in lagging:
            ahead.blind(source, frontiers[source] + 1)
        found = ahead.advance(dict.fromkeys(lagging, horizon), stale=False)
        self.look_again = ahead.first_due()
        conditions = plant.conditions
        return [
            one for one in found if one.rises and not isinstance(conditions[one.condition], Silent)
        ]

    def wake_at(self, told: int) -> int | None:
        """Return the next instant of the receiver's clock at which waiting may decide something."""
        grace_ms = self.plan.plant.grace_ms
        waits_ms = 0 if self.anything_offline() else grace_ms
        first = self.front.first_due()
        if first is None or first + waits_ms > told:
            dues = [] if first is None else [first]
        elif all(one.clock == "recorded" for one in self.plan.plant.sources.values()):
            dues = []  # long past by now: nobody waits for a recording
        else:
            dues = self.front.dues()
        found = [due + waits_ms for due in dues] + [due + grace_ms for due in dues]
        if self.look_again is not None:
            found.append(self.look_again + grace_ms)
        return min((at for at in found if at > told), default=None)

    def settle(self, settled: Settled) -> None:
        """Take a new anchor once it is far enough to the last; give up holes never closed.

        To be called when what was decided is published.
        """
        self._give_up(settled)
        newest, frontiers = self.anchors[-1], self.sure.frontiers
        far = [frontiers[source] - end for source, end in newest.frontiers.items()]
        if not frontiers or any(self._lacks_its_beginning(one) for one in self.sources):
            return
        if min(far, default=ANCHOR_EVERY_MS) < ANCHOR_EVERY_MS and not self._holds_too_much():
            return
        self.anchors = [newest, self.sure.clone()]
        self._forget()

    def let_go(self) -> list[Transition]:
        """Return what nobody was told yet of what `sure` has decided inside open holes.

        Left out is what is raised, and so shown, beside them.
        """
        untold, self.state.untold = self.state.untold, {}
        return [one for name, told in untold.items() if not self._is_raised(name) for one in told]

    def freeze(self) -> None:
        """Let the state tell how the engines stand."""
        state = self.state
        state.sure, state.anchors = self.sure.state, [one.state for one in self.anchors]
        state.live = None if self.live is None else self.live.state

    # what others ask

    def proven_to(self, source: SourceId) -> int:
        """Return up to where what a source decides is final but for corrections."""
        return self.sure.frontiers.get(source, LONG_AGO)

    def anything_offline(self) -> bool:
        """Return whether some source is offline now."""
        return any(self.coverage[one].offline_since is not None for one in self.sources)

    def is_provisional(self) -> bool:
        """Return whether something is missing, so that what goes on goes on without it."""
        return self.anything_offline() or any(self._gaps(one) for one in self.sources)

    # the ways of a frame

    def _go_on(self, record: SamplesRecord, clock: int) -> Outcome:
        """Take a frame that goes on where its source was, or that fills a hole from its start."""
        if self.live is None and record.backfill:
            # from before the source's first run, or of a hole that no new run has shown yet
            waits = record.complete_to > self.proven_to(record.source)
            self._put(self.state.ahead if waits else self.state.behind, record)
            return Outcome()
        if self.live is None:
            self._put(self.state.behind, record)
            self.sure.feed(record.samples, record.epoch, record.seq)
            return Outcome(self._move(self.sure, record.source))
        self._put(self.state.ahead, record)
        filled = [
            one for one in self._catch_up(record.source) if one.condition in self.state.parted
        ]
        found: list[Transition] = []
        if not record.backfill:
            self.live.feed(record.samples, record.epoch, record.seq)
            found = self._note(self.live.advance(self._frontiers(clock)))
        return Outcome(found, filled=self._tell(filled))

    def _tell(self, filled: list[Transition]) -> list[Transition]:
        """Return what can be told now of what `sure` has decided inside open holes.

        What `live` has raised is shown already, and what is known not to hold now sounds no horn
        for the past: both wait, the one until the hole is closed, the other for its return.
        """
        self.state.filled += filled
        untold = self.state.untold
        for one in filled:
            untold.setdefault(one.condition, []).append(one)
        told: list[Transition] = []
        for name in sorted({one.condition for one in filled}):
            stands = self.sure.is_raised(name)
            if not self._is_raised(name) and not (stands and self._is_over(name)):
                told += untold.pop(name)
        return _in_order(told)

    def _is_raised(self, name: ConditionId) -> bool:
        return self.front.is_raised(name)

    def _is_over(self, name: ConditionId) -> bool:
        """Return whether a condition is known not to hold now, nor to be about to."""
        node = self.front.node(name)
        stuck = isinstance(self.plan.plant.conditions[name], Stuck)
        return not (node.raw or node.marked or stuck)

    def _open(self, record: SamplesRecord, clock: int) -> Outcome:
        """Let a new run begin behind a hole: `live` goes on through it."""
        live = self._part()
        self._put(self.state.ahead, record)
        live.feed(record.samples, record.epoch, record.seq)
        found = self._run(live, record.source)
        found += live.advance(self._frontiers(clock))
        return Outcome(self._note(found))

    def _rebuild(self, record: SamplesRecord, clock: int) -> Outcome:
        """Let `sure` run as far as it can, and make `live` anew from there if it is needed."""
        since = _since(self.sure) if self.live is None else self.state.parted
        found, early = self.state.filled, self._decide_by_clock()
        self._put(self.state.ahead, record)
        found += [one for source in self.sources for one in self._catch_up(source)]
        found += self._derive(clock)
        found = [*early, *(one for one in found if one.condition in since)]
        return Outcome(_in_order(found), since=since)

    def _decide_by_clock(self) -> list[Transition]:
        """Decide now what reads no source: no sample changes that, and nothing is run again."""
        found = self.front.advance({})
        return [one for one in found if not self.plan.sources[one.condition]]

    def _again(self, record: SamplesRecord, clock: int) -> Outcome:
        """Run `sure` again from the anchor over everything kept since."""
        anchor = self.anchors[0]
        since = _since(anchor)
        found, early = list[Transition](), self._decide_by_clock()
        for name, parted in self.state.parted.items():
            if parted.at < since[name].at:
                reached, since[name] = since[name].at, parted
                found += [
                    one for one in self.state.filled if one.condition == name and one.at <= reached
                ]
        self._put(self.state.ahead, record)
        engine = anchor.clone()
        for turn in self.state.turns:
            for name in self._offline_conditions(turn.source):
                engine.turn_offline(name, turn.at, offline=turn.offline)
        for kept in self.state.behind.values():
            for one in kept:
                engine.feed(one.samples, one.epoch, one.seq)
        engine.pass_clock(clock)
        self.sure = engine
        found += [one for source in self.sources for one in self._catch_up(source)]
        found += engine.advance({})
        found += self._derive(clock)
        found = [*early, *(one for one in found if one.condition in since)]
        return Outcome(_in_order(found), since=since)

    def _derive(self, clock: int) -> list[Transition]:
        """Make `live` anew from `sure`: through every gap, without what is offline."""
        state = self.state
        self.live = None
        state.provisional, state.parted, state.filled, state.untold = {}, {}, [], {}
        if not self.is_provisional():
            return []
        live = self._part()
        found = [one for source in self.sources for one in self._run(live, source)]
        found += live.advance(self._frontiers(clock))
        return self._note(_in_order(found))

    def _part(self) -> Kernel:
        """Return `live`, made from `sure` if the two were one.

        Whatever something is missing for stands apart from now on.
        """
        if self.live is None:
            self.live = self.sure.clone()
            for kept in self.state.ahead.values():
                for one in kept:
                    self.live.feed(one.samples, one.epoch, one.seq)
        missing = {one for one in self.sources if self._is_missing(one)}
        for name, sources in self.plan.sources.items():
            if not missing.isdisjoint(sources) and name not in self.state.parted:
                self.state.parted[name] = _since_of(self.sure, name)
        return self.live

    def _note(self, found: list[Transition]) -> list[Transition]:
        """Remember how `live` has raised what it has."""
        for one in found:
            if one.rises:
                self.state.provisional[one.condition] = one
            else:
                self.state.provisional.pop(one.condition, None)
        return found

    # how far a source has come

    def _catch_up(self, source: SourceId) -> list[Transition]:
        """Feed `sure` what has become complete of a source, and decide it."""
        reached = self._complete_to(source)
        if reached is None:
            return []
        ahead = self.state.ahead.get(source, [])
        many = next((n for n, one in enumerate(ahead) if one.first > reached), len(ahead))
        for one in ahead[:many]:
            self.sure.feed(one.samples, one.epoch, one.seq)
        if many:
            rows = sum(len(one.samples) for one in ahead[:many])
            self._rows_behind, self._rows_ahead = self._rows_behind + rows, self._rows_ahead - rows
            self.state.behind.setdefault(source, []).extend(ahead[:many])
            del ahead[:many]
        return self._move(self.sure, source)

    def _move(self, engine: Kernel, source: SourceId) -> list[Transition]:
        """Let an engine decide a source as far as it is complete."""
        reached = self._complete_to(source)
        if reached is None:
            return []
        return [
            *begin(engine, source, self.coverage[source], reached),
            *engine.advance({source: reached}),
        ]

    def _complete_to(self, source: SourceId) -> int | None:
        """Return up to where everything of a source is complete: its first gap, if it has one."""
        gaps = self._gaps(source)
        return gaps[0][0] if gaps else self.coverage[source].run_end

    def _run(self, engine: Kernel, source: SourceId) -> list[Transition]:
        """Run one source through its gaps, from where an engine is."""
        reached = engine.frontiers.get(source, self._start(source))
        return run_through(engine, source, self.coverage[source], reached)

    def _frontiers(self, clock: int) -> dict[SourceId, int]:
        """Return how far each source has come; one that is offline holds nobody back."""
        found: dict[SourceId, int] = {}
        for source in self.sources:
            coverage = self.coverage[source]
            if coverage.offline_since is not None:
                found[source] = max(clock, coverage.offline_since)
            elif coverage.run_end is not None:
                found[source] = coverage.run_end
        return found

    def _start(self, source: SourceId) -> int:
        """Return the instant after which the anchor knows nothing of a source."""
        anchored = self.anchors[0].frontiers.get(source)
        if anchored is not None:
            return anchored
        covered = self.coverage[source].covered
        return covered[0][0] if covered else LONG_AGO

    def _gaps(self, source: SourceId) -> list[Interval]:
        """Return what is missing behind what `sure` has seen of a source."""
        seen = self.sure.frontiers.get(source)
        return self.coverage[source].gaps(self._start(source) if seen is None else seen)

    def _is_missing(self, source: SourceId) -> bool:
        return self.coverage[source].offline_since is not None or bool(self._gaps(source))

    def _lacks_its_beginning(self, source: SourceId) -> bool:
        """Return whether something from before a source's first run is on its way.

        It can only be taken in while the anchor knows nothing of the source.
        """
        seen = self.sure.frontiers.get(source)
        if seen is None or source in self.anchors[0].frontiers:
            return False
        return any(gap[1] <= seen for gap in self.coverage[source].gaps(self._start(source)))

    # what is kept

    def _put(self, kept: dict[SourceId, list[Kept]], record: SamplesRecord) -> None:
        if not len(record.samples):
            return
        at = record.samples.at
        one = Kept(int(at.min()), int(at.max()), record.epoch, record.seq, record.samples)
        told = kept.setdefault(record.source, [])
        if kept is self.state.ahead:
            insort(told, one, key=lambda one: one.first)
            self._rows_ahead += len(at)
        else:
            told.append(one)
            self._rows_behind += len(at)

    def _holds_too_much(self) -> bool:
        return 2 * self._rows_behind > MOST_BEHIND

    def _give_up(self, settled: Settled) -> None:
        """Count gaps as never closed that are too old, or that hold back too much."""
        if self.live is None:
            return
        behind, now = self.sure.frontiers, self.live.frontiers
        far = max((now[source] - end for source, end in behind.items()), default=0)
        if far < HOLE_GIVEN_UP_MS and self._rows_ahead <= MOST_AHEAD:
            return
        settled.given_up += [GivenUp(one, gap) for one in self.sources for gap in self._gaps(one)]
        settled.filled += self.let_go()
        self.sure, self.live = self.live, None
        state = self.state
        state.provisional = {}
        self.anchors = [self.sure.clone()]
        state.behind, state.ahead = {}, {}
        self._rows_ahead = 0
        state.parted, state.filled, state.untold = {}, [], {}
        self._forget()
        if self.is_provisional():
            self._part()

    def _forget(self) -> None:
        """Drop what lies before the first anchor."""
        state, anchor = self.state, self.anchors[0]
        for source in self.sources:
            reached = anchor.frontiers.get(source, LONG_AGO)
            if kept := state.behind.get(source):
                state.behind[source] = [one for one in kept if one.last > reached]
            self.coverage[source].forget(reached)
        self._rows_behind = _rows(state.behind)
        clock = anchor.clock
        state.turns = [one for one in state.turns if clock is None or one.at > clock]

    # sources offline

    def _come_back(self, record: SamplesRecord, coverage: Coverage) -> list[Transition]:
        coverage.offline_since = None
        return self._turn(record.source, record.received_at, offline=False)

    def _turn(self, source: SourceId, at: int, *, offline: bool) -> list[Transition]:
        self.state.turns.append(OfflineTurn(source, at, offline))
        names = self._offline_conditions(source)
        told = [self.sure.turn_offline(name, at, offline=offline) for name in names]
        if self.live is not None:
            for name in names:
                self.live.turn_offline(name, at, offline=offline)
        return told

    def _offline_conditions(self, source: SourceId) -> list[ConditionId]:
        return [name for name, read in self.plan.offline.items() if read == source]

    def _pass_clock(self, clock: int) -> None:
        self.sure.pass_clock(clock)
        if self.live is not None:
            self.live.pass_clock(clock)


def _since(engine: Kernel) -> dict[ConditionId, Since]:
    """Return where an engine's conditions stand, but for those that the clock alone decides."""
    return {name: _since_of(engine, name) for name, one in engine.plan.sources.items() if one}


def _since_of(engine: Kernel, name: ConditionId) -> Since:
    until = engine.until(name)
    return Since(LONG_AGO if until is None else until, engine.raised_at(name))


def _closed(gap: Interval, after: list[Interval]) -> bool:
    """Return whether nothing of a gap is left."""
    return not any(start < gap[1] and gap[0] < end for start, end in after)


def _rows(kept: dict[SourceId, list[Kept]]) -> int:
    return sum(len(one.samples) for told in kept.values() for one in told)


def _in_order(transitions: list[Transition]) -> list[Transition]:
    return sorted(transitions, key=lambda one: one.at)
