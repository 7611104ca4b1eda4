"""Cases: opened by occurrences, worked by people, closed by a person, a measure and a cause."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from meltwatch.errors import CommandRefused
from meltwatch.handling.case import Case, CaseEvent
from meltwatch.handling.progress import Move, Progress, after
from meltwatch.journey import CommandAnswer
from meltwatch.model.ids import CaseId, CommandId
from meltwatch.model.log import (
    Acknowledge,
    AnyCommand,
    Close,
    CommandRecord,
    Handle,
    TickRecord,
    Verify,
)
from tests.telling import Telling, every, plant_of, rows_of

P, M = Progress, Move
EXPECTED = {
    (P.OPEN, M.VERIFY): P.VERIFIED,
    (P.OPEN, M.VOID): P.VOID,
    (P.VERIFIED, M.HANDLE): P.HANDLED,
    (P.VERIFIED, M.VOID): P.VOID,
    (P.HANDLED, M.HANDLE): P.HANDLED,
    (P.HANDLED, M.CLOSE): P.CLOSED,
    (P.HANDLED, M.VOID): P.VOID,
    (P.CLOSED, M.REOPEN): P.OPEN,
    (P.VOID, M.REOPEN): P.OPEN,
}
WHO: dict[str, Any] = {"who": "li", "role": "shift", "node": "plant", "origin": "desk", "why": ""}


@pytest.mark.parametrize(("progress", "move"), list(itertools.product(Progress, Move)))
def test_every_pair_of_progress_and_move(progress: Progress, move: Move) -> None:
    if (progress, move) in EXPECTED:
        assert after(progress, move) is EXPECTED[progress, move]
    else:
        with pytest.raises(CommandRefused):
            after(progress, move)


class Work:
    """A plant whose one alarm follows a path, and people who work on it."""

    def __init__(self, path: list[tuple[float, float | None]], until: int) -> None:
        high = {"kind": "high", "point": "t", "limit": 60, "level": 1}
        self.telling = Telling(plant_of({"t.H": high}))
        self.signals = {"t": every(1, path, until)}
        self.now = -1

    def run(self, to: int) -> None:
        while self.now < to:
            self.now += 1
            self.telling.frame(rows_of(self.signals, self.now - 1, self.now), self.now)

    def case(self, place: int = -1) -> Case:
        cases = {one.case.id: one.case for one in self.events()}
        return list(cases.values())[place]

    def events(self) -> list[CaseEvent]:
        return [one for one in self.telling.effects if isinstance(one, CaseEvent)]

    def say(self, command: AnyCommand) -> tuple[str, ...]:
        effects = self.telling.take(CommandRecord(received_at=self.now * 1000, command=command))
        answers = [one for one in effects if isinstance(one, CommandAnswer)]
        return tuple(problem.key for problem in answers[0].problems)

    def verify(self, found: str = "leak seen") -> tuple[str, ...]:
        return self.say(Verify(id=CommandId("v"), case=self.case().id, found=found, **WHO))

    def handle(self, measure: str = "valve replaced") -> tuple[str, ...]:
        return self.say(Handle(id=CommandId("h"), case=self.case().id, measure=measure, **WHO))

    def close(self, cause: str = "worn seal") -> tuple[str, ...]:
        return self.say(Close(id=CommandId("c"), case=self.case().id, cause=cause, **WHO))


def test_verify_handle_close_in_order_with_who_when_and_words() -> None:
    work = Work([(0, 50), (2, 61), (5, 50)], 20)
    work.run(10)
    assert (work.verify(), work.handle(), work.close()) == ((), (), ())
    case = work.case()
    assert case.progress is Progress.CLOSED
    assert [(deed.move, deed.by, deed.at, deed.words) for deed in case.deeds] == [
        (Move.VERIFY, "li", 10_000, "leak seen"),
        (Move.HANDLE, "li", 10_000, "valve replaced"),
        (Move.CLOSE, "li", 10_000, "worn seal"),
    ]


def test_a_returned_value_closes_nothing() -> None:
    work = Work([(0, 50), (2, 61), (5, 50)], 20)
    work.run(20)
    assert work.case().open


def test_acknowledging_silences_the_horn_and_nothing_else() -> None:
    work = Work([(0, 50), (2, 61)], 20)
    work.run(5)
    before = work.telling.occurrences()[0]
    ack = Acknowledge(id=CommandId("a"), occurrence=before.id, **WHO)
    assert work.say(ack) == ()
    after_it = work.telling.occurrences()[0]
    assert (after_it.raised, after_it.returned, after_it.flags) == (2000, None, ())
    assert after_it.standing.value == "acknowledged"
    assert work.case().progress is Progress.OPEN
    assert work.say(ack) == ("no_such_transition",), "twice is refused, and changes nothing"
    assert work.telling.occurrences()[0] == after_it


def test_a_case_is_not_closed_while_its_condition_is_raised() -> None:
    work = Work([(0, 50), (2, 61)], 20)
    work.run(5)
    assert (work.verify(), work.handle()) == ((), ())
    assert work.close() == ("still_raised",)
    assert work.case().open


def test_no_step_is_skipped_and_no_words_are_missing() -> None:
    work = Work([(0, 50), (2, 61), (5, 50)], 20)
    work.run(10)
    assert work.handle() == ("no_such_transition",)
    assert work.close() == ("no_such_transition",)
    assert work.verify(found="  ") == ("words_missing",)
    assert work.case().progress is Progress.OPEN


def test_a_new_occurrence_joins_the_open_case_and_opens_another_after_closing() -> None:
    work = Work([(0, 50), (2, 61), (5, 50), (8, 61), (9, 50), (15, 61)], 20)
    work.run(10)
    assert len(work.case().occurrences) == 2
    assert (work.verify(), work.handle(), work.close()) == ((), (), ())
    work.run(16)
    assert work.case().open
    assert len({one.case.id for one in work.events()}) == 2


def test_an_unknown_case_is_refused() -> None:
    work = Work([(0, 50), (2, 61)], 5)
    work.run(3)
    strange = Verify(id=CommandId("v"), case=CaseId("none"), found="x", **WHO)
    assert work.say(strange) == ("unknown_case",)


def test_a_closed_case_is_let_go_after_a_week_and_an_open_one_never() -> None:
    work = Work([(0, 50), (2, 61), (5, 50), (8, 61)], 9)
    work.run(6)
    assert (work.verify(), work.handle(), work.close()) == ((), (), ())
    work.run(9)
    week_later = 8 * 24 * 3_600_000
    work.telling.take(TickRecord(at=week_later))
    kept = work.telling.journey.state.desk.cases
    assert [case.open for case in kept.values()] == [True]
