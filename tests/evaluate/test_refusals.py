"""A plant that breaks a rule is refused whole, every reason named at once."""

from __future__ import annotations

from typing import Any

import pytest

from meltwatch.errors import PlantRefused
from meltwatch.evaluate.plan import plan_of
from tests.telling import plant_of

HIGH: dict[str, Any] = {"kind": "high", "point": "t", "limit": 60, "off_delay_s": 5}


def reasons(conditions: dict[str, dict[str, Any]], **stale_s: float | None) -> set[str]:
    with pytest.raises(PlantRefused) as refused:
        plan_of(plant_of(conditions, stale_s))
    return {f"{one.place} {one.key}" for one in refused.value.problems}


def lock(**told: Any) -> dict[str, Any]:
    effects = [{"point": "v", "in": [1]}, {"point": "w", "in": [1]}]
    return {"kind": "interlock", "cause": "t.H", "effects": effects, "within_s": 3, **told}


def test_every_reason_is_named_at_once() -> None:
    conditions = {
        "t.H": {**HIGH, "deadband": -1, "limit": float("nan")},
        "v": {"kind": "vote", "of": ["t.H", "gone"], "m": 3},
    }
    assert reasons(conditions) == {
        "conditions/t.H/deadband negative",
        "conditions/t.H/limit not_finite",
        "conditions/v unknown_condition",
        "conditions/v/m vote_out_of_reach",
    }


def test_an_interlock_must_be_faster_than_the_off_delay_of_its_cause() -> None:
    assert reasons({"t.H": HIGH, "lock": lock(within_s=5)}) == {
        "conditions/lock/within_s within_not_below_off_delay"
    }


def test_a_cause_without_an_off_delay_is_refused() -> None:
    stuck = {"kind": "stuck", "point": "t", "band": 0, "on_delay_s": 5}
    for cause in ({**HIGH, "off_delay_s": 0}, {"kind": "silent", "point": "t"}, stuck):
        assert reasons({"t.H": cause, "lock": lock()}) == {
            "conditions/lock/cause cause_without_off_delay"
        }


def test_an_interlock_is_neither_a_cause_nor_a_member() -> None:
    conditions = {
        "t.H": HIGH,
        "lock": lock(),
        "second": lock(cause="lock"),
        "any": {"kind": "vote", "of": ["lock"], "m": 1},
    }
    assert reasons(conditions) == {
        "conditions/second interlock_as_member",
        "conditions/any interlock_as_member",
    }


def test_votes_in_a_circle_are_refused() -> None:
    conditions = {
        "a": {"kind": "vote", "of": ["b"], "m": 1},
        "b": {"kind": "vote", "of": ["a"], "m": 1},
    }
    assert "conditions/a cycle" in reasons(conditions)


def test_an_effect_may_not_close_the_gate_of_its_cause_or_of_a_member() -> None:
    gated = {**HIGH, "when": {"point": "v", "in": [0]}}
    expected = {"conditions/lock/effects effect_closes_the_gate_of_its_cause"}
    assert reasons({"t.H": gated, "lock": lock()}) == expected
    vote = {"kind": "vote", "of": ["t.H"], "m": 1, "off_delay_s": 5}
    assert reasons({"t.H": gated, "any": vote, "lock": lock(cause="any")}) == expected


def test_the_only_effect_or_one_that_leaves_the_gate_open_may() -> None:
    gated = {**HIGH, "when": {"point": "v", "in": [0]}}
    only = lock(effects=[{"point": "v", "in": [1]}])
    plan_of(plant_of({"t.H": gated, "lock": only}))
    wide = {**HIGH, "when": {"point": "v", "in": [0, 1]}}
    plan_of(plant_of({"t.H": wide, "lock": lock()}))


def test_a_silent_that_could_never_be_raised_is_refused() -> None:
    """Without `stale_s` the point is never unknown: the alarm would be silently dead."""
    silent = {"kind": "silent", "point": "t"}
    assert reasons({"s": silent}, t=None) == {"conditions/s silent_never"}


def test_figures_that_mean_nothing_are_refused() -> None:
    rate = {"kind": "rate", "point": "t", "as": "high", "limit": 1, "window_s": 0}
    stuck = {"kind": "stuck", "point": "t", "band": 0, "on_delay_s": 0}
    assert reasons({"r": rate, "k": stuck}, t=0) == {
        "conditions/k/on_delay_s not_positive",
        "conditions/r/window_s not_positive",
        "points/t/stale_s not_positive",
    }


def test_a_point_that_would_be_unknown_at_once_is_refused() -> None:
    """Less than half a millisecond is none: the point would be unknown at each of its values."""
    assert reasons({"t.H": HIGH}, t=0.0004) == {"points/t/stale_s not_positive"}
