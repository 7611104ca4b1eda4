"""A new config record: what is unchanged goes on, what is changed begins anew. Seconds."""

from __future__ import annotations

from typing import Any

import pytest

from meltwatch.apps.defaults import default_risk_model
from meltwatch.journey import Notice
from meltwatch.model.ids import SourceId
from meltwatch.model.log import ConfigRecord, TickRecord
from tests.telling import Telling, plant_of

HIGH: dict[str, Any] = {"kind": "high", "point": "t", "limit": 60, "on_delay_s": 4}


def reconfigure(telling: Telling, conditions: dict[str, dict[str, Any]], at: int) -> None:
    telling.take(
        ConfigRecord(
            received_at=at * 1000, plant=plant_of(conditions), risk_model=default_risk_model()
        )
    )


def run(telling: Telling, first: int, last: int, value: float) -> None:
    for second in range(first, last + 1):
        telling.frame([("t", second, value)], second)


def test_an_unchanged_condition_keeps_its_running_delay() -> None:
    telling = Telling(plant_of({"t.H": HIGH}))
    run(telling, 0, 2, 61)
    reconfigure(telling, {"t.H": HIGH, "t.HH": {**HIGH, "limit": 80}}, at=2)
    run(telling, 3, 6, 61)
    assert telling.out() == [("t.H", 4, None, ())]


def test_a_changed_limit_begins_anew_with_the_held_value() -> None:
    telling = Telling(plant_of({"t.H": HIGH}))
    run(telling, 0, 2, 61)
    reconfigure(telling, {"t.H": {**HIGH, "limit": 50}}, at=2)
    run(telling, 3, 8, 61)
    assert telling.out() == [("t.H", 6, None, ())], "since 2, where the new limit came in force"


def test_a_raised_condition_that_is_gone_returns_where_it_was_decided_up_to() -> None:
    telling = Telling(plant_of({"t.H": HIGH, "t.silent": {"kind": "silent", "point": "t"}}))
    run(telling, 0, 6, 61)
    reconfigure(telling, {"t.silent": {"kind": "silent", "point": "t"}}, at=6)
    run(telling, 7, 9, 61)
    assert telling.out() == [("t.H", 4, 6, ("not_applicable",))]


def test_a_new_vote_knows_what_its_members_are() -> None:
    telling = Telling(plant_of({"t.H": HIGH}))
    run(telling, 0, 6, 61)
    vote = {"kind": "vote", "of": ["t.H"], "m": 1, "on_delay_s": 1}
    reconfigure(telling, {"t.H": HIGH, "any": vote}, at=6)
    run(telling, 7, 9, 61)
    assert telling.out() == [("t.H", 4, None, ()), ("any", 7, None, ())]


def test_a_new_gate_is_closed_at_once_when_its_held_value_says_so() -> None:
    gated = {**HIGH, "when": {"point": "phase", "in": [3]}}
    spare = {"kind": "state", "point": "phase", "in": [9]}
    telling = Telling(plant_of({"t.H": HIGH, "spare": spare}))
    for second in range(7):
        telling.frame([("t", second, 61), ("phase", second, 0)], second)
    reconfigure(telling, {"t.H": gated, "spare": spare}, at=6)
    for second in range(7, 14):
        telling.frame([("t", second, 61), ("phase", second, 0)], second)
    assert telling.out() == [("t.H", 4, 6, ("not_applicable",))]


LOCKED: dict[str, dict[str, Any]] = {
    "p.LL": {"kind": "low", "point": "p", "limit": 5, "off_delay_s": 3},
    "lost": {"kind": "vote", "of": ["p.LL"], "m": 1, "off_delay_s": 3},
    "lock": {
        "kind": "interlock",
        "cause": "lost",
        "effects": [{"point": "v", "in": [1]}],
        "within_s": 2,
    },
    "gateway.offline": {"kind": "offline"},
}


def lost_water(until: int) -> Telling:
    telling = Telling(plant_of(LOCKED))
    for second in range(until + 1):
        telling.frame([("p", second, 1), ("v", second, 0)], second)
    return telling


@pytest.mark.parametrize("offline", [False, True])
def test_a_new_limit_under_which_the_value_is_as_bad_ends_nothing(offline: bool) -> None:
    """Line up or down, the changed condition, its vote and its interlock stay raised."""
    telling = lost_water(5)
    at = 60 if offline else 5
    telling.pass_time(at * 1000 + 1)
    reconfigure(telling, {**LOCKED, "p.LL": {**LOCKED["p.LL"], "limit": 6}}, at=at)
    telling.pass_time((at + 20) * 1000)
    standing = [(one[0], one[2]) for one in telling.out() if one[0] != "gateway.offline"]
    assert standing == [("lost", None), ("p.LL", None), ("lock", None)]


def test_a_new_limit_under_which_the_value_is_well_ends_it_after_the_off_delay() -> None:
    telling = lost_water(5)
    reconfigure(telling, {**LOCKED, "p.LL": {**LOCKED["p.LL"], "limit": 0}}, at=5)
    for second in range(6, 13):
        telling.frame([("p", second, 1), ("v", second, 0)], second)
    assert ("p.LL", 0, 8, ()) in telling.out()


def test_an_offline_that_is_removed_while_raised_returns() -> None:
    telling = lost_water(5)
    telling.pass_time(60_000)
    without = {name: one for name, one in LOCKED.items() if name != "gateway.offline"}
    reconfigure(telling, without, at=60)
    assert ("gateway.offline", 35, 60, ("not_applicable",)) in telling.out()


def test_a_condition_that_grace_has_told_and_the_new_plant_does_not_have_returns() -> None:
    """Its samples lag, so nothing is proven; the config record must not stop the journey."""
    telling = Telling(plant_of({"t.H": HIGH, "spare": {**HIGH, "limit": 90}}))
    run(telling, 0, 2, 61)
    telling.pass_time(12_000)
    assert telling.out() == [("t.H", 4, None, ("unconfirmed",))]
    reconfigure(telling, {"spare": {**HIGH, "limit": 90}}, at=12)
    run(telling, 13, 20, 61)
    assert telling.out() == [("t.H", 4, 12, ("not_applicable", "unconfirmed"))]


def test_a_point_that_another_gateway_brings_from_now_on_keeps_its_alarm() -> None:
    """The old gateway is gone from the plant; nothing of it may stop the journey."""
    telling = Telling(plant_of({"t.H": HIGH}, source_of={"t": "old"}))
    for second in range(7):
        telling.frame([("t", second, 61)], second, source="old")
    telling.take(
        ConfigRecord(
            received_at=6000,
            plant=plant_of({"t.H": HIGH}, source_of={"t": "new"}),
            risk_model=default_risk_model(),
        )
    )
    telling.frame([("t", 7, 50)], 7, source="old")  # logged behind the config record: said aloud
    notices = [one for one in telling.effects if isinstance(one, Notice)]
    assert [one.happening.key for one in notices] == ["source_gone"]
    telling.take(TickRecord(at=59_000, offline=(SourceId("old"),)))
    telling.pass_time(60_000)
    assert telling.out() == [("t.H", 4, None, ())]
    for second in range(60, 70):
        telling.frame([("t", second, 50)], second, since=second - 1, source="new")
    assert [one[:2] for one in telling.out()] == [("t.H", 4)]
    assert telling.out()[0][2] is not None, "known values of the new gateway end it"


def test_an_offline_that_is_new_while_its_gateway_is_gone_is_raised_and_returns() -> None:
    """Not the silent mistake: a plant that learns to watch its line sees that it is down."""
    without = {name: one for name, one in LOCKED.items() if name != "gateway.offline"}
    telling = Telling(plant_of(without))
    for second in range(6):
        telling.frame([("p", second, 1), ("v", second, 0)], second)
    telling.pass_time(60_000)
    reconfigure(telling, LOCKED, at=60)
    assert ("gateway.offline", 60, None, ()) in telling.out()
    telling.frame([("p", 70, 1), ("v", 70, 0)], 70, since=69, epoch="2")
    assert ("gateway.offline", 60, 70, ()) in telling.out()


def test_a_condition_that_becomes_an_offline_ends_and_the_offline_is_what_its_gateway_is() -> None:
    """Another kind by another clock under an old name: nothing is left raised, none ends twice."""
    telling = Telling(plant_of({"c": HIGH, "spare": {**HIGH, "limit": 90}}))
    run(telling, 0, 6, 61)
    offline = {"c": {"kind": "offline"}, "spare": {**HIGH, "limit": 90}}
    reconfigure(telling, offline, at=6)
    assert telling.out() == [("c", 4, 6, ("not_applicable",))]
    telling.pass_time(60_000)
    assert ("c", 36, None, ()) in telling.out()
    telling.frame([("t", 70, 61)], 70, since=69, epoch="2")
    assert ("c", 36, 70, ()) in telling.out()


def test_what_is_raised_and_becomes_stuck_is_raised_once_until_the_value_moves() -> None:
    stuck = {"kind": "stuck", "point": "t", "band": 1, "on_delay_s": 3}
    telling = Telling(plant_of({"t.H": HIGH}))
    run(telling, 0, 6, 61)
    reconfigure(telling, {"t.H": stuck}, at=6)
    run(telling, 7, 12, 61)
    assert telling.out() == [("t.H", 4, None, ())]
    run(telling, 13, 13, 65)
    assert telling.out() == [("t.H", 4, 13, ())]


def test_what_grace_and_an_outage_have_raised_ends_once_when_it_is_removed() -> None:
    """Told under grace, then raised where nothing is proven: one return, not two."""
    telling = Telling(plant_of({"t.H": HIGH, "spare": {**HIGH, "limit": 90}}))
    run(telling, 0, 2, 61)
    telling.pass_time(60_000)
    reconfigure(telling, {"spare": {**HIGH, "limit": 90}}, at=60)
    (found,) = telling.out()
    assert found[:2] == ("t.H", 4)
    assert found[2] is not None
