"""Lines that go down: grace, offline, holes, corrections (`SEMANTICS`, Late data). Seconds.

Values come every second in frames of a second; each test says which frames are held back.
"""

from __future__ import annotations

from typing import Any

import pytest

from meltwatch.alarm.occurrence import AlarmEvent, Told
from meltwatch.model.quality import Quality
from tests.telling import Signals, Telling, every, plant_of, rows_of, tell

Table = dict[str, dict[str, Any]]
HIGH: Table = {
    "t.H": {"kind": "high", "point": "t", "limit": 60, "on_delay_s": 4, "off_delay_s": 3},
    "gateway.offline": {"kind": "offline"},
}
OFFLINE = "gateway.offline"


def live(telling: Telling, signals: Signals, first: int, last: int, epoch: str = "1") -> None:
    for second in range(first, last + 1):
        rows = rows_of(signals, second - 1, second)
        telling.frame(rows, second, since=second - 1, epoch=epoch)


def drain(telling: Telling, signals: Signals, first: int, last: int, at: float) -> None:
    for second in range(first, last + 1):
        rows = rows_of(signals, second - 1, second)
        telling.frame(rows, second, since=second - 1, at=at, epoch="1", backfill=True)


def told(telling: Telling, condition: str) -> list[tuple[Told, float]]:
    return [
        (effect.told, effect.told_at / 1000)
        for effect in telling.effects
        if isinstance(effect, AlarmEvent) and effect.occurrence.condition == condition
    ]


def outage(path: list[tuple[float, float | None]], down: int, back: int, until: int) -> Telling:
    """Tell a path with the line down from `down` to `back`, drained at once when back."""
    signals: Signals = {"t": every(1, path, until)}
    telling = Telling(plant_of(HIGH))
    live(telling, signals, 0, down - 1)
    live(telling, signals, back, back, epoch="2")
    drain(telling, signals, down, back - 1, at=back)
    live(telling, signals, back + 1, until, epoch="2")
    telling.pass_time(until * 1000 + 1)
    return telling


def test_a_delay_that_ends_while_coverage_lags_is_published_under_grace() -> None:
    telling = outage([(0, 50), (8, 61)], down=10, back=30, until=40)
    assert told(telling, "t.H") == [(Told.RAISED, 17), (Told.AMENDED, 30)], "12 + grace 5"
    assert telling.out() == [("t.H", 12, None, ("late",))]


def test_what_grace_published_and_back_fill_does_not_confirm_is_withdrawn() -> None:
    telling = outage([(0, 50), (8, 61), (11, 50)], down=10, back=30, until=40)
    assert told(telling, "t.H") == [(Told.RAISED, 17), (Told.WITHDRAWN, 30)]
    assert telling.out() == []


def test_a_lag_without_a_hole_is_confirmed_and_not_late() -> None:
    """The same epoch goes on in order: frames were only slow, nothing was back-filled."""
    signals: Signals = {"t": every(1, [(0, 50), (8, 61)], 40)}
    telling = Telling(plant_of(HIGH))
    live(telling, signals, 0, 9)
    for second in range(10, 41):
        rows = rows_of(signals, second - 1, second)
        telling.frame(rows, second, at=max(second, 25), since=second - 1)
    assert told(telling, "t.H") == [(Told.RAISED, 17), (Told.AMENDED, 25)]
    assert telling.out() == [("t.H", 12, None, ())]


def test_a_lag_that_confirms_nothing_withdraws() -> None:
    signals: Signals = {"t": every(1, [(0, 50), (8, 61), (11, 50)], 40)}
    telling = Telling(plant_of(HIGH))
    live(telling, signals, 0, 9)
    for second in range(10, 41):
        rows = rows_of(signals, second - 1, second)
        telling.frame(rows, second, at=max(second, 25), since=second - 1)
    assert telling.out() == []
    assert told(telling, "t.H") == [(Told.RAISED, 17), (Told.WITHDRAWN, 25)]


def test_an_interlock_under_a_cause_under_grace_is_published_too() -> None:
    conditions: Table = {
        **HIGH,
        "lock": {
            "kind": "interlock",
            "cause": "t.H",
            "effects": [{"point": "v", "in": [1]}],
            "within_s": 2,
        },
    }
    signals: Signals = {"t": every(1, [(0, 50), (8, 61)], 40), "v": every(1, [(0, 0)], 40)}
    telling = Telling(plant_of(conditions))
    live(telling, signals, 0, 9)
    telling.pass_time(30_000)
    assert telling.out() == [
        ("t.H", 12, None, ("unconfirmed",)),
        ("lock", 14, None, ("unconfirmed",)),
    ]
    assert told(telling, "lock") == [(Told.RAISED, 19)]


def test_an_event_wholly_in_the_hole_comes_out_late_and_without_sound() -> None:
    telling = outage([(0, 50), (20, 61), (40, 50)], down=10, back=80, until=100)
    assert telling.out() == [
        ("t.H", 24, 43, ("late",)),
        (OFFLINE, 39, 80, ()),
    ]
    raised = [one for one in telling.effects if isinstance(one, AlarmEvent)]
    late = next(one for one in raised if one.occurrence.condition == "t.H")
    assert late.told_at == 80_000
    assert not late.sounds


def test_a_late_occurrence_that_is_still_active_sounds() -> None:
    telling = outage([(0, 50), (20, 61)], down=10, back=80, until=100)
    late = next(
        one
        for one in telling.effects
        if isinstance(one, AlarmEvent) and one.occurrence.condition == "t.H"
    )
    assert late.sounds


def test_an_occurrence_raised_before_the_hole_and_returned_in_it_is_the_same_one() -> None:
    telling = outage([(0, 50), (2, 61), (20, 50)], down=10, back=80, until=100)
    assert telling.out() == [("t.H", 6, 23, ()), (OFFLINE, 39, 80, ())]
    assert [one for one, _ in told(telling, "t.H")] == [Told.RAISED, Told.RETURNED]


@pytest.mark.parametrize("back", [11, 15, 39, 40, 41, 90])
def test_outages_of_any_length_end_as_the_undisturbed_run(back: int) -> None:
    path: list[tuple[float, float | None]] = [(0, 50), (7, 61), (30, 50), (33, 61), (60, 50)]
    undisturbed = tell(HIGH, {"t": every(1, path, 120)}, 120)
    telling = outage(path, down=10, back=back, until=120)
    plain = [(*one[:3], ()) for one in telling.out() if one[0] != OFFLINE]
    assert plain == undisturbed


def test_while_offline_points_are_unknown_and_silence_clears_nothing() -> None:
    """The line never comes back: offline stands, the silent point is told, nothing returns."""
    conditions: Table = {**HIGH, "t.silent": {"kind": "silent", "point": "t"}}
    signals: Signals = {"t": every(1, [(0, 50), (2, 61), (8, 50)], 9)}
    telling = Telling(plant_of(conditions))
    live(telling, signals, 0, 9)
    telling.pass_time(100_000)
    assert telling.out() == [
        ("t.H", 6, None, ()),
        ("t.silent", 19, None, ()),
        (OFFLINE, 39, None, ()),
    ]


def test_an_interval_declared_lost_is_complete_and_empty() -> None:
    conditions: Table = {**HIGH, "t.silent": {"kind": "silent", "point": "t"}}
    signals: Signals = {"t": every(1, [(0, 50)], 60)}
    telling = Telling(plant_of(conditions))
    live(telling, signals, 0, 9)
    live(telling, signals, 40, 40, epoch="2")
    telling.frame([], 39, since=9, at=40, epoch="1", backfill=True)
    live(telling, signals, 41, 45, epoch="2")
    assert telling.out() == [("t.silent", 19, 40, ("late",)), (OFFLINE, 39, 40, ())]


def test_a_correction_is_evaluated_anew_as_late_data() -> None:
    signals: Signals = {"t": every(1, [(0, 50)], 30)}
    telling = Telling(plant_of(HIGH))
    live(telling, signals, 0, 20)
    wrong = [("t", float(second), 61.0) for second in range(10, 16)]
    telling.frame([*wrong, ("t", 21.0, 50.0)], 21, since=20)
    assert telling.out() == [("t.H", 14, 19, ())]
    telling.frame([("t", float(second), 50.0) for second in range(10, 16)], 22, since=21)
    assert telling.out() == []


def test_a_correction_from_before_the_anchor_is_said_not_swallowed() -> None:
    signals: Signals = {"t": every(1, [(0, 50)], 300)}
    telling = Telling(plant_of(HIGH))
    live(telling, signals, 0, 299)
    effects = telling.take_correction("t", 5, 99.0, to=300)
    assert [type(one).__name__ for one in effects] == ["TooOld"]


@pytest.mark.parametrize("live_first", [True, False])
def test_what_is_drained_before_or_after_the_first_live_frame_lies_in_a_hole(
    live_first: bool,
) -> None:
    signals = {"t": every(1, [(0, 50), (5, 61), (15, 50)], 40)}
    telling = Telling(plant_of(HIGH))
    if live_first:
        live(telling, signals, 30, 30, epoch="2")
    drain(telling, signals, 0, 29, at=30)
    if not live_first:
        live(telling, signals, 30, 30, epoch="2")
    live(telling, signals, 31, 40, epoch="2")
    assert telling.out() == [("t.H", 9, 18, ("late",))]


@pytest.mark.parametrize(
    ("first", "second", "raised"),
    [("good", "bad", True), ("bad", "good", True), ("bad", "bad", False)],
)
def test_equal_values_of_one_instant_are_one_sample_and_count_if_any_is_not_bad(
    first: str, second: str, raised: bool
) -> None:
    """Between the readings of `equal values are one sample` the one that shows an alarm."""
    grade = {"good": Quality.GOOD, "bad": Quality.BAD}
    telling = Telling(plant_of({"t.H": {"kind": "high", "point": "t", "limit": 60}}))
    telling.rows([("t", 1, 61.0, grade[first])], 1)
    telling.rows([("t", 1, 61.0, grade[second])], 2)
    assert [one[0] for one in telling.out()] == (["t.H"] if raised else [])


def test_a_source_that_never_came_is_offline_and_its_points_are_silent_in_time() -> None:
    conditions: Table = {**HIGH, "t.silent": {"kind": "silent", "point": "t"}}
    telling = Telling(plant_of(conditions))
    telling.pass_time(60_000)
    assert telling.out() == [("t.silent", 10, None, ()), (OFFLINE, 30, None, ())]


def test_a_gateway_that_goes_and_comes_all_day_keeps_no_more_than_its_last_minutes() -> None:
    """One frame a minute: offline after 30 s, back at each frame, nothing left open."""
    telling = Telling(plant_of(HIGH))
    for minute in range(120):
        second = minute * 60
        telling.frame([("t", second, 50.0)], second, since=second - 60)
    state = telling.journey.state.evaluation
    assert state is not None
    (island,) = state.islands
    assert sum(len(kept) for kept in (*island.behind.values(), *island.ahead.values())) <= 4
    assert len(island.turns) <= 8
