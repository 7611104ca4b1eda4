"""The journey of a record through the pure middle: whoever has read this has seen the system.

    record -> evaluate -> alarm -> handling -> risk -> effects

One enterprise's log, in order, is all that comes in; effects are all that goes out. The same
steps run live, in recovery, for late data, in back-tests and in stories. Nothing here awaits,
logs, or reads a clock or the environment: records tell the time.
"""

from __future__ import annotations

import msgspec

from meltwatch.alarm.board import Board, episodes_of
from meltwatch.alarm.occurrence import AlarmEvent
from meltwatch.errors import Bug, CommandRefused, Problem
from meltwatch.evaluate.evaluation import Evaluation
from meltwatch.evaluate.kept import EvaluationState, GivenUp, Outcome
from meltwatch.evaluate.node import NOT_APPLICABLE, Transition
from meltwatch.evaluate.plan import Plan, plan_of
from meltwatch.handling.case import CaseEvent
from meltwatch.handling.desk import Desk
from meltwatch.model.condition import Level
from meltwatch.model.ids import CommandId, ConditionId, EnterpriseId, PointCode, SourceId
from meltwatch.model.log import (
    Acknowledge,
    AnyCommand,
    CommandRecord,
    ConfigRecord,
    ConfirmHazard,
    EventsRecord,
    Happening,
    LayoutRecord,
    Record,
    ResolveHazard,
    SamplesRecord,
    TickRecord,
    told_at,
)
from meltwatch.model.plant import Plant
from meltwatch.model.reason import Params
from meltwatch.model.risk_model import RiskModel
from meltwatch.risk.causes import Cause, Hazard, causes_of
from meltwatch.risk.colour import RiskEvent, RiskState, assess, next_change

HOUR_MS = 3_600_000
CLOSED_KEPT_MS = 7 * 24 * HOUR_MS
"""How long the journey keeps a closed case: as long as a hole is waited for, since what comes out
of one may reopen it. The record of it stays in the store for good."""


class TooOld(msgspec.Struct, frozen=True, kw_only=True, tag="too_old"):
    """Corrections came for instants that can no longer be evaluated: stored, and said aloud."""

    told_at: int
    source: SourceId
    samples: tuple[tuple[PointCode, int], ...]


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """What became of a command: obeyed, or refused with every reason."""

    told_at: int
    command: CommandId
    problems: tuple[Problem, ...] = ()


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag="notice"):
    """Something happened that is no alarm of the plant and must be seen: a conflict of frames."""

    told_at: int
    happening: Happening


Effect = AlarmEvent | CaseEvent | RiskEvent | TooOld | CommandAnswer | Notice


class JourneyState(msgspec.Struct):
    """All that an enterprise's journey keeps between records: plain data, one encoding."""

    enterprise: EnterpriseId
    board: Board
    desk: Desk = msgspec.field(default_factory=Desk)
    risk: RiskState = msgspec.field(default_factory=RiskState)
    hazards: dict[str, Hazard] = {}
    plant: Plant | None = None
    risk_model: RiskModel | None = None
    evaluation: EvaluationState | None = None
    told: int = 0


class Journey:
    """One enterprise's fold: step by step over its log."""

    def __init__(self, state: JourneyState) -> None:
        """Go on from a state; `begin` makes the first one."""
        self.state = state
        self._plan: Plan | None = None
        self._levels: dict[ConditionId, Level] = {}
        self._evaluation: Evaluation | None = None
        if state.plant is not None and state.evaluation is not None:
            self._plan, self._levels = plan_of(state.plant), _levels_of(state.plant)
            self._evaluation = Evaluation(self._plan, state.evaluation)
            self._evaluation.look_ahead(state.told - state.plant.grace_ms)  # what to wait for

    @classmethod
    def begin(cls, enterprise: EnterpriseId) -> Journey:
        """Return the journey of an enterprise whose log is empty."""
        return cls(JourneyState(enterprise=enterprise, board=Board(enterprise)))

    def freeze(self) -> JourneyState:
        """Return the state with all that the engines of evaluation hold: to be stored."""
        if self._evaluation is not None:
            self._evaluation.freeze()
        return self.state

    def step(self, record: Record) -> list[Effect]:
        """Take one record; return what follows from it, in order.

        Raises PlantRefused for a config record that breaks a rule: such a one must not have
        entered the log.
        """
        before, now = self.state.told, max(self.state.told, told_at(record))
        self.state.told = now
        if before // HOUR_MS != now // HOUR_MS:
            self.state.desk.forget(now - CLOSED_KEPT_MS)
        effects: list[Effect] = []
        match record:
            case ConfigRecord():
                effects += self._configure(record, now)
            case SamplesRecord(mark="real"):
                effects += self._evaluate(record, now)
            case TickRecord():
                effects += self._tick(record, now)
            case CommandRecord(command=command):
                effects += self._obey(command, now)
            case EventsRecord(events=events):
                effects += [Notice(told_at=now, happening=one) for one in events]
            case SamplesRecord() | LayoutRecord():
                pass  # samples marked `test` never touch the real state; layouts are for readers
        effects += self._look_ahead(now)
        effects += self._assess(now)
        return effects

    def wake_at(self) -> int | None:
        """Return the next instant of the owner's clock at which a tick may change something.

        `offline` is left out: it is due by the receiver's monotonic clock (`offline_due`).
        """
        if self._evaluation is None or self._plan is None:
            return None
        candidates = [
            self._evaluation.wake_at(self.state.told),
            next_change(self.state.risk, self._causes(), self.state.told),
        ]
        known = [at for at in candidates if at is not None and at > self.state.told]
        return min(known, default=None)

    def offline_due(self) -> dict[SourceId, int]:
        """Return when each source that is not offline would be, unless its run advances."""
        if self._evaluation is None or self._plan is None:
            return {}
        found = {
            source: self._evaluation.offline_due(source) for source in self._plan.plant.sources
        }
        return {source: at for source, at in found.items() if at is not None}

    # evaluate -> alarm

    def _configure(self, record: ConfigRecord, now: int) -> list[Effect]:
        plan, told = plan_of(record.plant), list[AlarmEvent]()
        state = self.state
        state.plant, state.risk_model = record.plant, record.risk_model
        if self._evaluation is None:
            self._evaluation = Evaluation.begin(plan, now)
            outcome = Outcome()
        else:
            told = self._fill(self._evaluation.let_go(), now)
            self._evaluation, outcome = self._evaluation.adopt(plan, now)
            outcome.transitions += self._told_and_gone(plan, outcome, now)
        self._plan, self._levels = plan, _levels_of(record.plant)
        state.evaluation = self._evaluation.state
        return [*self._hear(told), *self._publish(outcome, now)]

    def _told_and_gone(self, plan: Plan, outcome: Outcome, now: int) -> list[Transition]:
        """Return the ends of what is shown and nothing can end any more under the plan.

        Grace, or an open hole, has told it, and the new plan does not have it, or not so.
        """
        assert self._evaluation is not None
        told = {one.condition for one in outcome.transitions}
        return [
            Transition(now, one.condition, False, (NOT_APPLICABLE,))
            for one in self.state.board.occurrences.values()
            if one.active
            and one.condition not in told
            and (
                one.condition not in plan.plant.conditions
                or not (one.graced or self._evaluation.is_raised(one.condition))
            )
        ]

    def _evaluate(self, record: SamplesRecord, now: int) -> list[Effect]:
        if self._evaluation is None:
            raise Bug("samples before the first config record")
        if record.source not in self._evaluation.state.coverage:
            gone = Happening(at=record.received_at, subject=record.source, key="source_gone")
            return [Notice(told_at=now, happening=gone)]
        outcome = self._evaluation.take(record)
        effects = self._publish(outcome, now)
        if outcome.too_old:
            told = tuple(outcome.too_old)
            effects.append(TooOld(told_at=now, source=record.source, samples=told))
        return effects

    def _tick(self, record: TickRecord, now: int) -> list[Effect]:
        if self._evaluation is None:
            return []
        return self._publish(self._evaluation.tick(record.at, record.offline), now)

    def _publish(self, outcome: Outcome, now: int) -> list[Effect]:
        """Bring the board to an outcome, then the desk to the board."""
        assert self._evaluation is not None and self._plan is not None
        evaluation, board = self._evaluation, self.state.board
        levels, proven = self._levels, evaluation.is_proven
        events: list[AlarmEvent] = []
        if outcome.since is None:
            events += board.publish(outcome.transitions, levels, now, proven=proven)
        else:
            since, transitions = outcome.since, outcome.transitions
            by_clock = [one for one in transitions if one.condition not in since]
            events += board.publish(by_clock, levels, now, proven=proven)
            before = {name: one.raised for name, one in since.items() if one.raised is not None}
            rest = (one for one in transitions if one.condition in since)
            events += board.replace_since(
                {name: one.at for name, one in since.items()},
                episodes_of(before, rest),
                levels,
                now,
                late=evaluation.is_late,
                proven=proven,
            )
        events += self._fill(outcome.filled, now)
        events += board.settle_grace(proven, evaluation.is_provisional, now)
        settled = evaluation.settle()
        events += self._fill(settled.filled, now)
        effects = self._hear(events)
        effects += [_given_up(one, now) for one in settled.given_up]
        board.forget(evaluation.anchored_at)
        return effects

    def _fill(self, filled: list[Transition], now: int) -> list[AlarmEvent]:
        assert self._evaluation is not None
        late, proven = self._evaluation.is_late, self._evaluation.is_proven
        return self.state.board.fill(filled, self._levels, now, late=late, proven=proven)

    def _look_ahead(self, now: int) -> list[Effect]:
        """Publish under grace what coverage should have decided by now."""
        if self._evaluation is None or self._plan is None:
            return []
        raises = self._evaluation.look_ahead(now - self._plan.plant.grace_ms)
        return self._hear(self.state.board.publish_under_grace(raises, self._levels, now))

    # alarm -> handling

    def _hear(self, events: list[AlarmEvent]) -> list[Effect]:
        effects: list[Effect] = []
        for event in events:
            effects.append(event)
            effects += self.state.desk.hear(event)
        return effects

    def _obey(self, command: AnyCommand, now: int) -> list[Effect]:
        """Obey a command, or answer why not; a refused one changes nothing."""
        answer = CommandAnswer(told_at=now, command=command.id)
        try:
            done = self._do(command, now)
        except CommandRefused as refused:
            return [msgspec.structs.replace(answer, problems=refused.problems)]
        return [*done, answer]

    def _do(self, command: AnyCommand, now: int) -> list[Effect]:
        state = self.state
        match command:
            case Acknowledge(occurrence=which, who=who):
                return [state.board.acknowledge(which, who, now)]
            case ConfirmHazard(hazard=hazard, article=article, who=who):
                if hazard in state.hazards:
                    raise CommandRefused([Problem("hazard", "already_open", {"id": hazard})])
                state.hazards[hazard] = Hazard(id=hazard, article=article, since=now, by=who)
                return []
            case ResolveHazard(hazard=hazard):
                if hazard not in state.hazards:
                    raise CommandRefused([Problem("hazard", "unknown_hazard", {"id": hazard})])
                del state.hazards[hazard]
                return []
            case _:
                return [state.desk.obey(command, now)]

    # handling -> risk

    def _causes(self) -> list[Cause]:
        state = self.state
        if state.risk_model is None or state.plant is None:
            return []
        return causes_of(
            state.risk_model,
            state.plant.conditions,
            state.board.occurrences.values(),
            state.desk.cases.values(),
            state.hazards.values(),
        )

    def _assess(self, now: int) -> list[Effect]:
        state = self.state
        if state.risk_model is None or self._evaluation is None:
            return []
        latest = assess(
            state.risk_model, state.risk, self._causes(), now, has_data=self._evaluation.has_data()
        )
        if latest == state.risk.latest:
            return []
        state.risk.latest = latest
        return [RiskEvent(told_at=now, assessment=latest)]


def _levels_of(plant: Plant) -> dict[ConditionId, Level]:
    return {name: one.level for name, one in plant.conditions.items()}


def _given_up(one: GivenUp, now: int) -> Notice:
    told: Params = {"from": one.hole[0], "to": one.hole[1]}
    happening = Happening(at=now, subject=one.source, key="hole_given_up", params=told)
    return Notice(told_at=now, happening=happening)
