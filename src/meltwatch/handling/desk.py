"""The desk: cases fed by alarm events and by people's commands."""

from __future__ import annotations

import msgspec

from meltwatch.alarm.occurrence import AlarmEvent, Occurrence, Told
from meltwatch.errors import CommandRefused, Problem
from meltwatch.handling.case import Case, CaseEvent, Deed
from meltwatch.handling.progress import Move
from meltwatch.model.ids import CaseId, ConditionId, OccurrenceId, case_id
from meltwatch.model.log import Close, Handle, Verify

NOBODY = ""
"""Who does what follows from the samples alone."""


class Desk(msgspec.Struct):
    """Cases by id; `current`: each condition's latest; `active`: occurrences raised now."""

    cases: dict[CaseId, Case] = {}
    current: dict[ConditionId, CaseId] = {}
    active: dict[OccurrenceId, CaseId] = {}
    withdrawn: dict[OccurrenceId, CaseId] = {}

    def hear(self, event: AlarmEvent) -> list[CaseEvent]:
        """Open, join, reopen or void the case that an alarm event concerns."""
        one = event.occurrence
        match event.told:
            case Told.RAISED:
                return [self._take_up(one, event.told_at)]
            case Told.WITHDRAWN:
                return self._let_go(one, event.told_at)
            case Told.AMENDED if one.active:
                return self._look_again(one, event.told_at)
            case Told.RETURNED | Told.AMENDED:
                self.active.pop(one.id, None)
        return []

    def obey(self, command: Verify | Handle | Close, told_at: int) -> CaseEvent:
        """Take a person's step.

        Raises CommandRefused when there is no such case, the step does not fit, a word is
        missing, or a case is to be closed while its condition is still raised.
        """
        case = self.cases.get(command.case)
        if case is None:
            raise CommandRefused([Problem("case", "unknown_case", {"id": command.case})])
        move, words = _said(command)
        if not words.strip() or not command.who.strip():
            raise CommandRefused([Problem("case", "words_missing", {"move": move.value})])
        if move is Move.CLOSE and any(one in self.active for one in case.occurrences):
            raise CommandRefused([Problem("case", "still_raised", {"condition": case.condition})])
        deed = Deed(move=move, by=command.who, at=told_at, words=words)
        return self._put(case.move(deed), told_at)

    def open_cases(self) -> list[Case]:
        """Return the cases that people still have work on, oldest first."""
        found = [case for case in self.cases.values() if case.open]
        return sorted(found, key=lambda case: (case.opened_at, case.id))

    def forget(self, before: int) -> None:
        """Drop cases that were closed or void before an instant of the owner's clock.

        They stay in the store of records; the journey needs them no more.
        """
        for case in list(self.cases.values()):
            ended = case.closed_at if case.closed_at is not None else case.opened_at
            if not case.open and ended < before:
                del self.cases[case.id]
                if self.current.get(case.condition) == case.id:
                    del self.current[case.condition]
                for one in case.occurrences:
                    self.withdrawn.pop(one, None)

    # inside

    def _take_up(self, one: Occurrence, told_at: int) -> CaseEvent:
        known = self.current.get(one.condition)
        case = self.cases.get(known) if known is not None else None
        if case is not None and case.open:
            joined = tuple(dict.fromkeys((*case.occurrences, one.id)))
            level = min(case.level, one.level)
            case = msgspec.structs.replace(case, occurrences=joined, level=level)
        else:
            identity = case_id(one.id)
            if identity in self.cases:  # the same occurrence, withdrawn once and back
                return self._reopen(self.cases[identity], one, told_at)
            case = Case(
                id=identity,
                condition=one.condition,
                level=one.level,
                opened_at=one.visible_at,
                occurrences=(one.id,),
            )
        if one.active:
            self.active[one.id] = case.id
        self.withdrawn.pop(one.id, None)
        self.current[one.condition] = case.id
        return self._put(case, told_at)

    def _let_go(self, one: Occurrence, told_at: int) -> list[CaseEvent]:
        self.active.pop(one.id, None)
        case = self._case_of(one)
        if case is None:
            return []
        self.withdrawn[one.id] = case.id
        if case.open and all(each in self.withdrawn for each in case.occurrences):
            deed = Deed(move=Move.VOID, by=NOBODY, at=told_at, words="")
            return [self._put(case.move(deed), told_at)]
        return []

    def _look_again(self, one: Occurrence, told_at: int) -> list[CaseEvent]:
        case = self._case_of(one)
        if case is None:
            return [self._take_up(one, told_at)]
        self.active[one.id] = case.id
        return [] if case.open else [self._reopen(case, one, told_at)]

    def _reopen(self, case: Case, one: Occurrence, told_at: int) -> CaseEvent:
        deed = Deed(move=Move.REOPEN, by=NOBODY, at=told_at, words="")
        if one.active:
            self.active[one.id] = case.id
        self.withdrawn.pop(one.id, None)
        self.current[one.condition] = case.id
        return self._put(case.move(deed), told_at)

    def _case_of(self, one: Occurrence) -> Case | None:
        known = self.active.get(one.id) or self.withdrawn.get(one.id)
        if known is not None:
            return self.cases.get(known)
        found = (case for case in self.cases.values() if one.id in case.occurrences)
        return next(found, None)

    def _put(self, case: Case, told_at: int) -> CaseEvent:
        self.cases[case.id] = case
        return CaseEvent(told_at=told_at, case=case)


def _said(command: Verify | Handle | Close) -> tuple[Move, str]:
    match command:
        case Verify(found=words):
            return Move.VERIFY, words
        case Handle(measure=words):
            return Move.HANDLE, words
        case Close(cause=words):
            return Move.CLOSE, words
