"""A plant's conditions over frames as they come: live, late, corrected, under grace.

A plant is evaluated in islands (`plan.islands_of`), each for itself (`island.py`): what is missing,
late or corrected in one costs the others nothing. Here stands what is the whole plant's: whose a
frame is, the receiver's clock, and a new plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from meltwatch.evaluate.adoption import adopted
from meltwatch.evaluate.coverage import Coverage
from meltwatch.evaluate.island import Island
from meltwatch.evaluate.kept import (
    LONG_AGO,
    EvaluationState,
    IslandState,
    Outcome,
    Settled,
)
from meltwatch.evaluate.kernel import Kernel
from meltwatch.evaluate.node import Transition
from meltwatch.evaluate.plan import Plan, islands_of
from meltwatch.model.ids import ConditionId, SourceId
from meltwatch.model.log import SamplesRecord


class Evaluation:
    """Evaluate one plant's frames and ticks, in the order of its log."""

    def __init__(
        self, plan: Plan, state: EvaluationState, engines: Sequence[Kernel] | None = None
    ) -> None:
        """Go on from a state; `begin` makes the first one. `engines`: its, if they are made."""
        self.plan = plan
        self.state = state
        parts = [one.plan for one in engines] if engines else islands_of(plan)
        self.islands = [
            Island(part, one, state.coverage, engines[place] if engines else None)
            for place, (part, one) in enumerate(zip(parts, state.islands, strict=True))
        ]
        self._of_source = {source: one for one in self.islands for source in one.sources}
        self._of_condition = {name: one for one in self.islands for name in one.plan.order}

    @classmethod
    def begin(cls, plan: Plan, told_at: int) -> Evaluation:
        """Return the evaluation of a plant configured at `told_at` that has no samples yet."""
        engines = [Kernel(part) for part in islands_of(plan)]
        states = [one.state for one in engines]
        islands = [IslandState(sure=one, anchors=[one]) for one in states]
        coverage = {source: Coverage(advanced_at=told_at) for source in plan.plant.sources}
        return cls(plan, EvaluationState(islands=islands, coverage=coverage), engines)

    # what comes in

    def take(self, record: SamplesRecord) -> Outcome:
        """Return what a frame of the real lane decides."""
        clock = self._pass_clock(max(record.received_at, record.complete_to))
        return self._of_source[record.source].take(record, clock)

    def tick(self, at: int, offline: tuple[SourceId, ...]) -> Outcome:
        """Return what the receiver's clock decides: sources gone offline, delays run out there."""
        clock = self._pass_clock(at)
        outcome = Outcome()
        for island in self.islands:
            gone = [source for source in offline if self._of_source.get(source) is island]
            told = island.tick(at, gone, clock)
            outcome.transitions += told.transitions
            outcome.filled += told.filled
        outcome.transitions = _in_order(outcome.transitions)
        return outcome

    def let_go(self) -> list[Transition]:
        """Return what complete samples have decided inside open holes, untold and not shown yet."""
        return [one for island in self.islands for one in island.let_go()]

    def adopt(self, plan: Plan, told_at: int) -> tuple[Evaluation, Outcome]:
        """Return the evaluation under another plan from this place in the log on.

        To be called when what was decided so far is told (`let_go`). A raised condition goes on
        under its new definition until known values end it; one that the new plan does not have
        any more returns. An `offline` condition that is new is what its source is.
        """
        state, found = adopted(self.plan, self.islands, self.state, plan, told_at)
        next_one = Evaluation(plan, state)
        clock = LONG_AGO if state.clock is None else state.clock
        for island in next_one.islands:
            found += island.take_up(clock)
        return next_one, Outcome(_in_order(found))

    def look_ahead(self, horizon: int) -> list[Transition]:
        """Return the raises that would come by `horizon` if lagging sources said no more."""
        return _in_order([one for island in self.islands for one in island.look_ahead(horizon)])

    def wake_at(self, told: int) -> int | None:
        """Return the next instant of the receiver's clock at which waiting decides something."""
        wakes = (island.wake_at(told) for island in self.islands)
        return min((at for at in wakes if at is not None), default=None)

    def freeze(self) -> None:
        """Let the state tell how the engines stand: to be called before it is stored."""
        for island in self.islands:
            island.freeze()

    def settle(self) -> Settled:
        """Let go of what cannot change any more, and of holes that are waited for no more.

        To be called when what was decided is published.
        """
        settled = Settled()
        for island in self.islands:
            island.settle(settled)
        return settled

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
        return all(at <= self._of_source[source].proven_to(source) for source in sources)

    def is_late(self, condition: ConditionId, at: int) -> bool:
        """Return whether an instant lies in a closed hole of a source of the condition."""
        sources = self.plan.sources[condition]
        return self.is_proven(condition, at) and any(
            self.state.coverage[source].in_hole(at) for source in sources
        )

    def is_raised(self, condition: ConditionId) -> bool:
        """Return whether a condition of the plan is raised, by whatever is known."""
        island = self._of_condition[condition]
        engines = (island.sure, island.front)
        return any(one.is_raised(condition) for one in engines)

    def is_provisional(self, condition: ConditionId) -> bool:
        """Return whether a condition is raised only by what goes on beside an open hole."""
        island = self._of_condition.get(condition)
        return island is not None and condition in island.state.provisional

    def has_data(self) -> bool:
        """Return whether some source is delivering: without one the plant is unassessed."""
        return any(
            one.run_end is not None and one.offline_since is None
            for one in self.state.coverage.values()
        )

    def anchored_at(self, condition: ConditionId) -> int | None:
        """Return the instant before which nothing of a condition will change any more.

        None for one that the receiver's clock decides or the plan does not have.
        """
        island = self._of_condition.get(condition)
        if island is None or condition in self.plan.offline:
            return None
        frontier = island.anchors[0].until(condition)
        if frontier is None:
            return LONG_AGO
        parted = island.state.parted.get(condition)
        return frontier if parted is None else min(frontier, parted.at)

    def _pass_clock(self, told: int) -> int:
        state = self.state
        state.clock = told if state.clock is None else max(state.clock, told)
        return state.clock


def _in_order(transitions: list[Transition]) -> list[Transition]:
    return sorted(transitions, key=lambda one: one.at)
