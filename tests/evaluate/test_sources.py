"""Several gateways: a condition waits for those it reads, and for no others. Seconds."""

from __future__ import annotations

from typing import Any

from tests.telling import Telling, plant_of

CONDITIONS: dict[str, dict[str, Any]] = {
    "a.H": {"kind": "high", "point": "a", "limit": 10, "on_delay_s": 1},
    "b.H": {"kind": "high", "point": "b", "limit": 10, "on_delay_s": 1},
    "both": {"kind": "vote", "of": ["a.H", "b.H"], "m": 2, "off_delay_s": 2},
    "b.offline": {"kind": "offline", "source": "second"},
}


def begin() -> Telling:
    return Telling(plant_of(CONDITIONS, source_of={"b": "second"}))


def both(telling: Telling, second: int, a: float, b: float) -> None:
    telling.frame([("a", second, a)], second)
    telling.frame([("b", second, b)], second, source="second")


def test_a_condition_of_one_source_does_not_wait_for_the_other() -> None:
    telling = begin()
    both(telling, 0, 11, 11)
    telling.frame([("a", 1, 11)], 1)
    assert telling.out() == [("both", 0, None, ()), ("a.H", 1, None, ())]
    telling.frame([("b", 1, 11)], 1, source="second")
    assert telling.out() == [("both", 0, None, ()), ("a.H", 1, None, ()), ("b.H", 1, None, ())]


def test_an_offline_source_holds_nobody_back_and_its_hole_is_made_good() -> None:
    """b goes at 5; the vote goes on undecided with b unknown, and is right once b is drained."""
    telling = begin()
    for second in range(6):
        both(telling, second, 0, 0)
    for second in range(6, 51):
        telling.frame([("a", second, 11 if second >= 10 else 0)], second)
    assert telling.out() == [("a.H", 11, None, ()), ("b.offline", 35, None, ())]
    telling.frame([("b", 51, 0)], 51, since=50, source="second", epoch="2")
    telling.frame([("a", 51, 11)], 51)
    for second in range(6, 51):
        value = 11 if 20 <= second < 30 else 0
        telling.frame(
            [("b", second, value)], second, at=51, since=second - 1, source="second", backfill=True
        )
    assert telling.out() == [
        ("a.H", 11, None, ()),
        ("both", 20, 32, ("late",)),
        ("b.H", 21, 30, ("late",)),
        ("b.offline", 35, 51, ()),
    ]


def test_a_hole_of_one_source_does_not_make_the_other_late() -> None:
    telling = begin()
    for second in range(6):
        both(telling, second, 0, 0)
    telling.frame([("b", 20, 0)], 20, since=19, source="second", epoch="2")
    for second in range(6, 21):
        telling.frame([("a", second, 11 if second >= 8 else 0)], second, at=20)
    for second in range(6, 20):
        telling.frame(
            [("b", second, 0)], second, at=20, since=second - 1, source="second", backfill=True
        )
    assert telling.out() == [("a.H", 9, None, ())]
