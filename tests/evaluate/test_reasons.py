"""A raise says why, as data: what was seen, against which figures, since when."""

from __future__ import annotations

from typing import Any

from meltwatch.model.reason import Reason
from tests.telling import Telling, every, plant_of, rows_of


def reasons(conditions: dict[str, dict[str, Any]], **signals: Any) -> dict[str, Reason | None]:
    telling = Telling(plant_of(conditions))
    for second in range(21):
        telling.frame(rows_of(signals, second - 1, second), second)
    return {one.condition: one.reason for one in telling.occurrences()}


def test_an_interlock_that_failed_names_the_effects_that_are_missing() -> None:
    conditions: dict[str, dict[str, Any]] = {
        "p.LL": {"kind": "low", "point": "p", "limit": 1, "on_delay_s": 2, "off_delay_s": 5},
        "lock": {
            "kind": "interlock",
            "cause": "p.LL",
            "effects": [{"point": "shut", "in": [1]}, {"point": "drain", "in": [1]}],
            "within_s": 3,
        },
    }
    told = reasons(
        conditions,
        p=every(1, [(0, 9), (4, 0.5)], 20),
        shut=every(1, [(0, 0), (7, 1)], 20),
        drain=every(1, [(0, 0)], 20),
    )
    assert told == {
        "p.LL": Reason("low", {"since": 4000, "point": "p", "limit": 1.0, "value": 0.5}),
        "lock": Reason(
            "interlock", {"since": 6000, "cause": "p.LL", "missing": "drain", "within_s": 3.0}
        ),
    }


def test_a_vote_names_its_true_members_and_a_rate_its_slope() -> None:
    conditions: dict[str, dict[str, Any]] = {
        "x.fast": {"kind": "rate", "point": "x", "as": "low", "limit": -1, "window_s": 2},
        "y.same": {"kind": "stuck", "point": "y", "band": 0, "on_delay_s": 9},
        "d": {"kind": "difference", "of": ["x", "y"], "as": "high", "limit": 50},
        "two": {"kind": "vote", "of": ["x.fast", "d", "y.same"], "m": 2},
    }
    told = reasons(conditions, x=[(s, 100.0 - 2 * s) for s in range(21)], y=every(1, [(0, 7)], 20))
    assert told == {
        "d": Reason(
            "difference_high",
            {
                "since": 0,
                "first": "x",
                "second": "y",
                "limit": 50.0,
                "first_value": 100.0,
                "second_value": 7.0,
            },
        ),
        "x.fast": Reason(
            "rate_low", {"since": 2000, "point": "x", "limit": -1.0, "per_second": -2.0}
        ),
        "two": Reason("vote", {"since": 2000, "true": "x.fast d", "m": 2}),
        "y.same": Reason("stuck", {"since": 0, "point": "y", "band": 0.0, "value": 7.0}),
    }
