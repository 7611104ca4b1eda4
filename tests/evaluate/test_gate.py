"""The gate (`when`): outside it a condition does not apply; unknown keeps it open. Seconds."""

from __future__ import annotations

from typing import Any

from tests.telling import Signals, every, tell

Table = dict[str, dict[str, Any]]
GATED: Table = {
    "p.L": {
        "kind": "low",
        "point": "p",
        "limit": 5,
        "deadband": 1,
        "on_delay_s": 2,
        "off_delay_s": 4,
        "when": {"point": "phase", "in": [3]},
    }
}


def test_a_closing_gate_drops_a_pending_delay_even_at_its_very_end() -> None:
    signals: Signals = {"p": every(1, [(0, 9), (2, 1)], 9), "phase": every(1, [(0, 3), (4, 0)], 9)}
    assert tell(GATED, signals, 9) == []


def test_a_closing_gate_returns_a_raised_occurrence_also_during_its_off_delay() -> None:
    signals: Signals = {
        "p": every(1, [(0, 1), (6, 9)], 12),
        "phase": every(1, [(0, 3), (8, 0)], 12),
    }
    assert tell(GATED, signals, 12) == [("p.L", 2, 8, ("not_applicable",))]


def test_an_opening_gate_takes_the_held_value_afresh_with_the_opening_as_since() -> None:
    signals: Signals = {"p": every(1, [(0, 1)], 12), "phase": every(1, [(0, 0), (5, 3)], 12)}
    assert tell(GATED, signals, 12) == [("p.L", 7, None, ())]


def test_inside_the_deadband_an_opening_gate_starts_false() -> None:
    signals: Signals = {
        "p": every(1, [(0, 1), (3, 5.5)], 12),
        "phase": every(1, [(0, 0), (5, 3)], 12),
    }
    assert tell(GATED, signals, 12) == []


def test_an_unknown_gate_is_open_and_what_is_raised_then_says_so() -> None:
    signals: Signals = {"p": every(1, [(0, 1)], 20), "phase": [(0, 0)]}
    assert tell(GATED, signals, 20) == [("p.L", 12, None, ("gate_unknown",))]


def test_a_gate_never_seen_is_open() -> None:
    signals: Signals = {"p": every(1, [(0, 1)], 5)}
    assert tell(GATED, signals, 5) == [("p.L", 2, None, ("gate_unknown",))]


def test_a_gate_known_again_in_its_set_is_no_new_opening() -> None:
    signals: Signals = {"p": every(1, [(0, 1)], 20), "phase": [(0, 3), (15, 3)]}
    assert tell(GATED, signals, 20) == [("p.L", 2, None, ())]


def test_silent_is_raised_at_the_opening_when_its_point_is_unknown() -> None:
    conditions: Table = {
        "x.silent": {"kind": "silent", "point": "x", "when": {"point": "phase", "in": [3]}}
    }
    signals: Signals = {"x": [(0, 1.0)], "phase": every(1, [(0, 0), (20, 3), (25, 0)], 30)}
    assert tell(conditions, signals, 30) == [("x.silent", 20, 25, ("not_applicable",))]


def test_a_rate_looks_back_no_further_than_the_opening() -> None:
    conditions: Table = {
        "r": {
            "kind": "rate",
            "point": "x",
            "as": "low",
            "limit": -1,
            "window_s": 3,
            "when": {"point": "phase", "in": [3]},
        }
    }
    falling = [(second, 100.0 - 2 * second) for second in range(13)]
    signals: Signals = {"x": falling, "phase": every(1, [(0, 0), (5, 3)], 12)}
    assert tell(conditions, signals, 12) == [("r", 8, None, ())]


def test_stuck_begins_at_the_opening_with_the_held_value() -> None:
    conditions: Table = {
        "x.stuck": {
            "kind": "stuck",
            "point": "x",
            "band": 0,
            "on_delay_s": 4,
            "when": {"point": "phase", "in": [3]},
        }
    }
    signals: Signals = {"x": every(3, [(0, 1.0)], 20), "phase": every(1, [(0, 0), (5, 3)], 20)}
    assert tell(conditions, signals, 20) == [("x.stuck", 9, None, ())]


def test_outside_its_gate_a_member_of_a_vote_is_false_and_known() -> None:
    conditions: Table = {
        **GATED,
        "any": {"kind": "vote", "of": ["p.L"], "m": 1, "off_delay_s": 1},
    }
    signals: Signals = {"p": every(1, [(0, 1)], 12), "phase": every(1, [(0, 3), (6, 0)], 12)}
    assert tell(conditions, signals, 12) == [
        ("any", 0, 7, ()),
        ("p.L", 2, 6, ("not_applicable",)),
    ]


def test_a_vote_does_not_take_gate_unknown_from_its_members() -> None:
    conditions: Table = {**GATED, "any": {"kind": "vote", "of": ["p.L"], "m": 1}}
    signals: Signals = {"p": every(1, [(0, 1)], 4)}
    assert tell(conditions, signals, 4) == [
        ("any", 0, None, ()),
        ("p.L", 2, None, ("gate_unknown",)),
    ]
