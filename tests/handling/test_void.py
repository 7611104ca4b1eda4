"""A case is void when all its occurrences were withdrawn, and reopens when one comes back."""

from __future__ import annotations

from meltwatch.handling.case import CaseEvent
from meltwatch.handling.progress import Progress
from tests.telling import Telling, every, plant_of, rows_of


def test_a_correction_that_takes_the_alarm_away_voids_its_case_and_one_back_reopens_it() -> None:
    telling = Telling(plant_of({"t.H": {"kind": "high", "point": "t", "limit": 60}}))
    signals = {"t": every(1, [(0, 50), (3, 61), (5, 50)], 9)}
    for second in range(10):
        telling.frame(rows_of(signals, second - 1, second), second)
    telling.frame([("t", 3, 50.0), ("t", 4, 50.0)], 10)
    telling.frame([("t", 3, 62.0), ("t", 4, 62.0)], 11)
    steps = [one.case.progress for one in telling.effects if isinstance(one, CaseEvent)]
    assert steps == [Progress.OPEN, Progress.VOID, Progress.OPEN]
    assert telling.out() == [("t.H", 3, 5, ())]
