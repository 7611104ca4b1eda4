"""A hole is decided as it fills, and costs nobody who does not read its source. Seconds.

One second of signal is one frame; each test says when the held back ones are drained.
"""

from __future__ import annotations

import pytest

from meltwatch.alarm.occurrence import AlarmEvent, Told
from meltwatch.evaluate import island as island_module
from meltwatch.evaluate.plan import islands_of, plan_of
from meltwatch.journey import Notice
from tests.evaluate.test_late import HIGH, OFFLINE, Table, drain, live, told
from tests.telling import Signals, Telling, every, plant_of


def raised_at(telling: Telling, condition: str) -> list[tuple[Told, float, float | None]]:
    """Return (told, raised, returned) of every event of a condition, in order."""
    return [
        (
            one.told,
            one.occurrence.raised / 1000,
            None if one.occurrence.returned is None else one.occurrence.returned / 1000,
        )
        for one in telling.effects
        if isinstance(one, AlarmEvent) and one.occurrence.condition == condition
    ]


def begun(path: list[tuple[float, float | None]]) -> tuple[Telling, Signals]:
    """Tell up to 9, go dark, come back with the newest second at 600."""
    signals: Signals = {"t": every(1, path, 700)}
    telling = Telling(plant_of(HIGH))
    live(telling, signals, 0, 9)
    telling.pass_time(600_000)
    live(telling, signals, 600, 600, epoch="2")
    return telling, signals


def test_an_alarm_in_a_long_hole_is_told_as_soon_as_its_samples_are_there() -> None:
    """Raised at 104, still high at the hole's end: told when 104 is drained, not at the close."""
    telling, signals = begun([(0, 50), (100, 61)])
    live(telling, signals, 601, 610, epoch="2")
    assert raised_at(telling, "t.H") == [(Told.RAISED, 604, None)]
    drain(telling, signals, 10, 103, at=610)
    assert raised_at(telling, "t.H") == [(Told.RAISED, 604, None)]
    drain(telling, signals, 104, 599, at=611)
    assert telling.out() == [(OFFLINE, 39, 600, ()), ("t.H", 104, None, ("late",))]
    ids = {one.occurrence.id for one in telling.effects if isinstance(one, AlarmEvent)}
    assert len(ids) == 2, "the one that was shown is the same one, from the right instant on"


def test_what_was_raised_and_returned_in_the_hole_is_told_with_its_return() -> None:
    telling, signals = begun([(0, 50), (100, 61), (120, 50)])
    drain(telling, signals, 10, 122, at=600)
    assert told(telling, "t.H") == []
    drain(telling, signals, 123, 123, at=600)
    assert raised_at(telling, "t.H") == [(Told.RAISED, 104, 123)]
    assert not [one for one in telling.effects if isinstance(one, AlarmEvent) and one.sounds][1:]
    drain(telling, signals, 124, 599, at=601)
    assert telling.out() == [(OFFLINE, 39, 600, ()), ("t.H", 104, 123, ("late",))]


def test_what_is_raised_in_the_hole_of_a_line_that_went_again_sounds() -> None:
    """Nothing is known of now: it is shown as it stood last."""
    telling, signals = begun([(0, 50), (100, 61), (120, 50)])
    telling.pass_time(640_000)  # one frame came, then the line went again
    drain(telling, signals, 10, 104, at=640)
    (event,) = [
        one
        for one in telling.effects
        if isinstance(one, AlarmEvent) and one.occurrence.condition == "t.H"
    ]
    assert event.sounds
    assert event.occurrence.raised == 104_000


TWO: Table = {
    "a.H": {"kind": "high", "point": "a", "limit": 10},
    "b.H": {"kind": "high", "point": "b", "limit": 10},
    "a.offline": {"kind": "offline", "source": "gateway"},
    "b.offline": {"kind": "offline", "source": "second"},
}


def test_sources_that_no_condition_reads_together_are_islands() -> None:
    apart = plant_of(TWO, source_of={"b": "second"})
    assert [sorted(one.plant.sources) for one in islands_of(plan_of(apart))] == [
        ["gateway"],
        ["second"],
    ]
    vote = {"both": {"kind": "vote", "of": ["a.H", "b.offline"], "m": 2}}
    joined = plant_of({**TWO, **vote}, source_of={"b": "second"})
    assert len(islands_of(plan_of(joined))) == 1


def test_an_open_hole_of_one_gateway_holds_back_nothing_of_another() -> None:
    """The second gateway's samples of an hour are not kept for the first one's hole."""
    telling = Telling(plant_of(TWO, source_of={"b": "second"}))
    telling.frame([("a", 0, 1.0)], 0)
    telling.frame([("a", 60, 1.0)], 60, since=50, epoch="2")  # (0, 50] stays open
    for minute in range(60):
        second = 120 + minute * 60
        telling.frame([("b", second, 1.0)], second, since=second - 60, source="second")
        telling.frame([("a", second, 1.0)], second, since=second - 60, epoch="2")
    evaluation = telling.journey.freeze().evaluation
    assert evaluation is not None
    first, second_island = evaluation.islands
    assert first.live is not None
    assert second_island.live is None
    assert sum(len(kept) for kept in second_island.behind.values()) <= 4


def test_a_hole_older_than_an_outbox_holds_is_waited_for_no_more_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(island_module, "HOLE_GIVEN_UP_MS", 60_000)
    telling, _ = begun([(0, 50)])
    assert given_up(telling) == [(9_000, 599_000)]


def test_a_hole_that_holds_back_too_many_samples_is_given_up_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(island_module, "MOST_AHEAD", 30)
    telling, signals = begun([(0, 50), (100, 61), (120, 50)])
    drain(telling, signals, 10, 130, at=600)
    live(telling, signals, 601, 640, epoch="2")
    assert given_up(telling) == [(130_000, 599_000)]
    assert ("t.H", 104, 123, ("late",)) in telling.out(), "what was drained until then is told"


def given_up(telling: Telling) -> list[tuple[object, object]]:
    notices = [one.happening for one in telling.effects if isinstance(one, Notice)]
    assert {one.key for one in notices} <= {"hole_given_up"}
    return [(one.params["from"], one.params["to"]) for one in notices]
