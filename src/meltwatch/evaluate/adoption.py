"""A plant's evaluation under another plan: its islands joined, brought over, and parted anew.

A change of configuration may let sources belong together that did not, or part them. Engines of
islands share nothing, so joining them is putting their states side by side. May not decide
anything: what the new plan says of held values is decided when the islands go on. What was decided
under the former plan stays: a correction reaches no further back than the change.
"""

from __future__ import annotations

from collections.abc import Sequence

from meltwatch.evaluate.coverage import Coverage
from meltwatch.evaluate.island import Island
from meltwatch.evaluate.kept import EvaluationState, IslandState, Kept
from meltwatch.evaluate.kernel import Kernel
from meltwatch.evaluate.node import NOT_APPLICABLE, Transition
from meltwatch.evaluate.plan import Plan, islands_of
from meltwatch.evaluate.twin import Twin, TwinState
from meltwatch.model.ids import ConditionId, SourceId


def adopted(
    former: Plan, parts: Sequence[Island], state: EvaluationState, plan: Plan, told_at: int
) -> tuple[EvaluationState, list[Transition]]:
    """Return the state under the new plan, and what has returned or turned by that."""
    coverage = {
        source: state.coverage.get(source) or Coverage(advanced_at=told_at)
        for source in plan.plant.sources
    }
    front = _joined(former, [one.front.to_twin() for one in parts])
    gone = front.adopt(plan)
    returned = [
        Transition(told_at if at is None else at, name, False, (NOT_APPLICABLE,))
        for name, at in gone.items()
    ]
    returned += _bring_offline(front, coverage, told_at)
    sure = _joined(former, [one.sure.to_twin() for one in parts])
    sure.adopt(plan)
    _bring_offline(sure, coverage, told_at)
    kept = _Kept(state.islands)
    islands = [_island(part, coverage, front.state, sure.state, kept) for part in islands_of(plan)]
    return EvaluationState(islands=islands, coverage=coverage, clock=state.clock), returned


class _Kept:
    """What all islands keep of sources and conditions."""

    def __init__(self, islands: Sequence[IslandState]) -> None:
        self.provisional: dict[ConditionId, Transition] = {}
        self.ahead: dict[SourceId, list[Kept]] = {}
        for one in islands:
            self.provisional |= one.provisional
            self.ahead |= one.ahead


def _joined(plan: Plan, states: Sequence[TwinState]) -> Twin:
    """Return one engine of the whole plan that stands as those of its islands."""
    joined = TwinState(
        signals={code: one for state in states for code, one in state.signals.items()},
        nodes={name: one for state in states for name, one in state.nodes.items()},
        frontiers={source: at for state in states for source, at in state.frontiers.items()},
        clock=max((one.clock for one in states if one.clock is not None), default=None),
    )
    return Twin(plan, joined)


def _bring_offline(
    engine: Twin, coverage: dict[SourceId, Coverage], told_at: int
) -> list[Transition]:
    """Make every `offline` condition of an engine what its source is."""
    found: list[Transition] = []
    for name, source in engine.plan.offline.items():
        offline = coverage[source].offline_since is not None
        if offline is not (engine.state.nodes[name].raised is not None):
            found.append(engine.turn_offline(name, told_at, offline=offline))
    return found


def _island(
    part: Plan, coverage: dict[SourceId, Coverage], front: TwinState, sure: TwinState, kept: _Kept
) -> IslandState:
    """Return what one island of the new plan keeps.

    Where nothing is missing, what is published is the truth: it begins there.
    """
    own = part.plant.sources
    missing = {
        source
        for source in own
        if coverage[source].offline_since is not None
        or (source in sure.frontiers and coverage[source].gaps(sure.frontiers[source]))
    }
    live, true = _parted(part, front), _parted(part, sure)
    shown = Twin(part, live).clone().state
    for name, sources in part.sources.items():
        if missing.isdisjoint(sources):
            true.nodes[name] = shown.nodes[name]
    for code, point in part.plant.points.items():
        if point.source not in missing:
            true.signals[code] = shown.signals[code]
    ahead = {source: kept.ahead[source] for source in own if source in kept.ahead}
    if not missing:
        now = Kernel.from_twin(part, live).state
        return IslandState(sure=now, anchors=[now], ahead=ahead)
    begun = Kernel.from_twin(part, true).state
    return IslandState(
        sure=begun,
        live=Kernel.from_twin(part, live).state,
        anchors=[begun],
        ahead=ahead,
        provisional={
            name: one for name, one in kept.provisional.items() if name in part.plant.conditions
        },
    )


def _parted(part: Plan, state: TwinState) -> TwinState:
    """Return what belongs to one island."""
    return TwinState(
        signals={code: state.signals[code] for code in part.plant.points},
        nodes={name: state.nodes[name] for name in part.plant.conditions},
        frontiers={
            source: state.frontiers[source]
            for source in part.plant.sources
            if source in state.frontiers
        },
        clock=state.clock,
    )
