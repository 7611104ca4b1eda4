"""One enterprise's feed: committed records and effects become a picture and the deltas behind it.

The core tells it of every commit; it notes what has changed and sends that on at most
`DELTAS_A_SECOND` times a second: several changes of one thing are one, and the last counts. Whoever
listens gets a picture first. Without listeners it only notes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import msgspec

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence
from meltwatch.handling.case import Case, CaseEvent
from meltwatch.journey import Effect, JourneyState
from meltwatch.model.ids import CaseId, EnterpriseId, OccurrenceId, PointCode, SourceId
from meltwatch.model.log import ConfigRecord, Record, RequeuedRecord, SamplesRecord
from meltwatch.present.live.listener import Listener
from meltwatch.present.live.newest import Newest
from meltwatch.present.live.picture import KEPT_MS, Delta, Latest, Line, Picture, apply
from meltwatch.risk.colour import Assessment, RiskEvent

DELTAS_A_SECOND = 5
IDLE_S = 1.0
"""How long changes gather while nobody listens."""
LOOK_EVERY_S = 60.0
"""How often what is old leaves the picture though nothing happens."""


class Feed:
    """Notes what is committed of one enterprise, and tells it to listeners."""

    def __init__(self, enterprise: EnterpriseId, now: Callable[[], int]) -> None:
        """Begin with an empty picture; `now`: the owner's wall clock, ms UTC."""
        self.enterprise = enterprise
        self._now = now
        self._state: JourneyState | None = None
        self._picture = Picture(enterprise=enterprise)
        self._renewed = True
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self._newest = Newest()
        self._heard_at: dict[SourceId, int] = {}
        self._ended_at: dict[str, int] = {}
        self._occurrences: dict[OccurrenceId, Occurrence] = {}
        self._cases: dict[CaseId, Case] = {}
        self._assessment: Assessment | None = None

    # what the core tells

    def committed(self, record: Record, effects: Sequence[Effect]) -> None:
        """Note a record and what followed from it."""
        match record:
            case SamplesRecord():
                self.remember(record)
            case ConfigRecord():
                self._renewed = True
            case _:
                pass
        for effect in effects:
            match effect:
                case AlarmEvent(occurrence=one, told_at=at):
                    self._occurrences[one.id] = one
                    self._note_end(one.id, at if one.settled else None)
                case CaseEvent(case=case, told_at=at):
                    self._cases[case.id] = case
                    self._note_end(case.id, None if case.open else at)
                case RiskEvent(assessment=assessment):
                    self._assessment = assessment
                case _:
                    pass
        self._changed.set()

    def taken_up(self, state: JourneyState) -> None:
        """Believe a state that was taken up from disk; listeners get a new picture."""
        self._state = state
        self._renewed = True
        self._changed.set()

    def remember(self, record: SamplesRecord) -> None:
        """Note the newest values of a frame, and that its gateway was heard."""
        if not isinstance(record, RequeuedRecord):  # that is the node's own doing: nobody was heard
            heard = max(record.received_at, self._heard_at.get(record.source, record.received_at))
            self._heard_at[record.source] = heard
        if record.mark == "real":
            self._newest.note(record.samples)

    # what listeners are told

    def listen(self, listener: Listener) -> None:
        """Give a listener the picture, then every delta behind it until it has ended."""
        self.flush()
        self._listeners.append(listener)
        listener.put(self.picture())

    def leave(self, listener: Listener) -> None:
        """Tell a listener nothing more."""
        self._listeners = [one for one in self._listeners if one is not listener]

    def picture(self) -> Picture:
        """Return a copy of the picture as of the last delta."""
        own = self._picture
        return msgspec.structs.replace(
            own,
            values=dict(own.values),
            lines=dict(own.lines),
            occurrences=dict(own.occurrences),
            cases=dict(own.cases),
        )

    def flush(self) -> None:
        """Carry the picture on by what has changed, and tell it."""
        now = self._now()
        if self._renewed:
            self._renew(now)
            for listener in self._listeners:
                listener.put(self.picture())
        elif (delta := self._delta(now)) is not None:
            apply(self._picture, delta)
            for listener in self._listeners:
                listener.put(delta)
        self._listeners = [one for one in self._listeners if not one.ended]

    async def run(self) -> None:
        """Flush whenever something has changed, at the most `DELTAS_A_SECOND` times a second."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            self.flush()
            await asyncio.sleep(1 / DELTAS_A_SECOND if self._listeners else IDLE_S)

    # inside

    def _delta(self, now: int) -> Delta | None:
        """Return what has changed, and note it no more; None for nothing."""
        own = self._picture
        gone = self._gone(now)
        lines = {name: one for name, one in self._lines() if own.lines.get(name) != one}
        occurrences = tuple(one for one in self._occurrences.values() if one.id not in gone)
        cases = tuple(one for one in self._cases.values() if one.id not in gone)
        values = self._of_plant(self._newest.changed())
        leaving = tuple(one for one in sorted(gone) if one in own.occurrences or one in own.cases)
        assessment = self._assessment
        self._note_nothing()
        if not (values or lines or occurrences or cases or leaving or assessment is not None):
            return None
        return Delta(
            enterprise=self.enterprise,
            number=own.number + 1,
            now=now,
            values=values,
            lines=lines,
            occurrences=occurrences,
            cases=cases,
            gone=leaving,
            assessment=assessment,
        )

    def _renew(self, now: int) -> None:
        """Make the picture anew from the state, and from what only the feed remembers."""
        state, former = self._state, self._picture
        occurrences = {one.id: one for one in former.occurrences.values() if one.settled}
        cases = {one.id: one for one in former.cases.values() if not one.open}
        occurrences |= {one.id: one for one in self._occurrences.values() if one.settled}
        cases |= {one.id: one for one in self._cases.values() if not one.open}
        if state is not None:
            occurrences |= state.board.occurrences
            cases |= state.desk.cases
        for one in occurrences.values():
            ended = one.visible_at if one.returned is None else max(one.visible_at, one.returned)
            self._note_known_end(one.id, ended if one.settled else None)
        for case in cases.values():
            self._note_known_end(case.id, None if case.open else _ended(case))
        gone = self._gone(now)
        self._note_nothing()
        self._renewed = False
        self._picture = Picture(
            enterprise=self.enterprise,
            number=former.number,
            now=now,
            plant=None if state is None else state.plant,
            risk_model=None if state is None else state.risk_model,
            occurrences={name: one for name, one in occurrences.items() if name not in gone},
            cases={name: one for name, one in cases.items() if name not in gone},
            assessment=None if state is None else state.risk.latest,
            lines=dict(self._lines()),
            values=self._of_plant(self._newest.known()),
        )

    def _lines(self) -> Iterator[tuple[SourceId, Line]]:
        """Yield the gateways of the plant in force as the core hears them now."""
        state = self._state
        if state is None or state.evaluation is None:
            return
        for name, coverage in state.evaluation.coverage.items():
            advanced = None if coverage.run_end is None else coverage.advanced_at
            yield (
                name,
                Line(
                    complete_to=coverage.run_end,
                    heard_at=self._heard_at.get(name, advanced),
                    offline_since=coverage.offline_since,
                ),
            )

    def _of_plant(self, values: dict[PointCode, Latest]) -> dict[PointCode, Latest]:
        """Return those of points that the plant in force has."""
        plant = None if self._state is None else self._state.plant
        if plant is None:
            return {}
        if values.keys() <= plant.points.keys():
            return values
        return {code: one for code, one in values.items() if code in plant.points}

    def _note_end(self, name: str, at: int | None) -> None:
        """Note since when nothing is asked of anyone there; None: something is."""
        if at is None:
            self._ended_at.pop(name, None)
        else:
            self._ended_at[name] = at

    def _note_known_end(self, name: str, at: int | None) -> None:
        """Note it of what was taken up, unless it was heard of before."""
        self._note_end(name, None if at is None else self._ended_at.get(name, at))

    def _gone(self, now: int) -> set[str]:
        """Return what has been over for so long that it leaves, and note it no more."""
        gone = {name for name, at in self._ended_at.items() if now - at > KEPT_MS}
        for name in gone:
            del self._ended_at[name]
        return gone

    def _note_nothing(self) -> None:
        self._occurrences, self._cases = {}, {}
        self._assessment = None


def _ended(case: Case) -> int:
    if case.closed_at is not None:
        return case.closed_at
    return case.deeds[-1].at if case.deeds else case.opened_at
