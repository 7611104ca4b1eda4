"""Each kind of condition, as the table of `SEMANTICS` words it. Times in seconds."""

from __future__ import annotations

from typing import Any

from tests.telling import Signals, every, tell

Table = dict[str, dict[str, Any]]


def test_high_is_true_at_the_limit_and_false_only_below_the_deadband() -> None:
    conditions: Table = {"t.H": {"kind": "high", "point": "t", "limit": 60, "deadband": 2}}
    path = [(0, 59.9), (1, 60.0), (2, 58.0), (3, 57.9), (4, 59.0), (5, 60.0)]
    assert tell(conditions, {"t": path}, 5) == [("t.H", 1, 3, ()), ("t.H", 5, None, ())]


def test_low_is_true_at_the_limit_and_false_only_above_the_deadband() -> None:
    conditions: Table = {"p.L": {"kind": "low", "point": "p", "limit": 5, "deadband": 1}}
    path = [(0, 6), (1, 5), (2, 6), (3, 6.5)]
    assert tell(conditions, {"p": path}, 4) == [("p.L", 1, 3, ())]


def test_the_deadband_is_computed_as_written() -> None:
    conditions: Table = {"p.H": {"kind": "high", "point": "p", "limit": 0.3, "deadband": 0.1}}
    edge = 0.3 - 0.1  # 0.19999999999999998 in float64
    assert tell(conditions, {"p": [(0, 0.3), (1, edge)]}, 2) == [("p.H", 0, None, ())]


def test_raised_at_exactly_the_end_of_the_on_delay_whenever_samples_come() -> None:
    conditions: Table = {
        "t.H": {"kind": "high", "point": "t", "limit": 60, "on_delay_s": 2.5, "off_delay_s": 1.5}
    }
    path = [(0, 0), (1.2, 61), (6, 61), (7.1, 0), (9, 0)]
    assert tell(conditions, {"t": path}, 9) == [("t.H", 3.7, 8.6, ())]


def test_false_at_exactly_the_end_of_the_on_delay_prevents_the_raise() -> None:
    conditions: Table = {"t.H": {"kind": "high", "point": "t", "limit": 60, "on_delay_s": 3}}
    assert tell(conditions, {"t": [(0, 61), (3, 0)]}, 5) == []


def test_true_again_at_exactly_the_end_of_the_off_delay_is_the_same_occurrence() -> None:
    conditions: Table = {"t.H": {"kind": "high", "point": "t", "limit": 60, "off_delay_s": 3}}
    path = [(0, 61), (1, 0), (4, 61), (5, 0)]
    assert tell(conditions, {"t": path}, 9) == [("t.H", 0, 8, ())]


def test_unknown_stops_the_off_delay_and_the_next_known_false_begins_it_anew() -> None:
    conditions: Table = {"t.H": {"kind": "high", "point": "t", "limit": 60, "off_delay_s": 10}}
    path = [(0, 61), (1, 0), (20, 0), (25, 0), (30, 0)]
    assert tell(conditions, {"t": path}, 31) == [("t.H", 0, 30, ())]


def test_unknown_clears_nothing() -> None:
    conditions: Table = {"t.H": {"kind": "high", "point": "t", "limit": 60}}
    assert tell(conditions, {"t": [(0, 61)]}, 50) == [("t.H", 0, None, ())]


def test_a_bad_sample_sets_no_value_and_does_not_keep_the_point_known() -> None:
    conditions: Table = {
        "t.H": {"kind": "high", "point": "t", "limit": 60},
        "t.silent": {"kind": "silent", "point": "t"},
    }
    path = [(0, 50), (4, None), (8, None), (12, 50)]
    assert tell(conditions, {"t": path}, 12) == [("t.silent", 10, 12, ())]


def test_a_raise_while_the_point_is_unknown_is_unconfirmed() -> None:
    conditions: Table = {"t.H": {"kind": "high", "point": "t", "limit": 60, "on_delay_s": 10}}
    out = tell(conditions, {"t": [(0, 61)]}, 20)
    assert out == [("t.H", 10, None, ("unconfirmed",))], "stale at 10, at the very raise"


def test_state_is_true_while_the_value_is_in_the_set() -> None:
    conditions: Table = {"mode": {"kind": "state", "point": "s", "in": [0, 2]}}
    assert tell(conditions, {"s": [(0, 1), (1, 2), (2, 0), (3, 1)]}, 4) == [("mode", 1, 3, ())]


def test_difference_waits_for_both_and_takes_values_of_one_instant_together() -> None:
    conditions: Table = {
        "d": {"kind": "difference", "of": ["a", "b"], "as": "high", "limit": 8, "deadband": 2}
    }
    signals: Signals = {
        "a": [(0, 20), (2, 30), (3, 30), (4, 17)],
        "b": [(1, 20), (2, 30), (3, 22), (4, 12)],
    }
    assert tell(conditions, signals, 5) == [("d", 3, 4, ())]


def test_difference_is_marked_while_either_side_is_unknown() -> None:
    conditions: Table = {
        "d": {
            "kind": "difference",
            "of": ["a", "b"],
            "as": "low",
            "limit": -8,
            "on_delay_s": 12,
        }
    }
    signals: Signals = {"a": every(1, [(0, 0)], 30), "b": [(0, 9)]}
    assert tell(conditions, signals, 30) == [("d", 12, None, ("unconfirmed",))]


def test_rate_compares_with_the_latest_value_a_window_ago_at_most_two_windows_old() -> None:
    conditions: Table = {
        "r": {"kind": "rate", "point": "x", "as": "low", "limit": -1, "window_s": 5}
    }
    falling = [(0, 100.0), (5, 95.0), (6, 95.0)]
    assert tell(conditions, {"x": falling}, 6) == [("r", 5, 6, ())]
    exactly_two_windows = [(0, 100.0), (10, 90.0)]
    assert tell(conditions, {"x": exactly_two_windows}, 10) == [("r", 10, None, ())]
    older = [(0, 100.0), (10.001, 80.0)]
    assert tell(conditions, {"x": older}, 11) == []


def test_a_rate_without_an_earlier_value_leaves_the_raw_state_and_starts_no_off_delay() -> None:
    conditions: Table = {
        "r": {
            "kind": "rate",
            "point": "x",
            "as": "high",
            "limit": 1,
            "window_s": 2,
            "off_delay_s": 3,
        }
    }
    path = [(0, 0.0), (2, 4.0), (20, 4.0), (22, 4.0)]
    assert tell(conditions, {"x": path}, 30, stale_s={"x": None}) == [("r", 2, 25, ())]


def test_stuck_counts_from_the_reference_and_a_value_within_the_band_does_not_move_it() -> None:
    conditions: Table = {"x.stuck": {"kind": "stuck", "point": "x", "band": 0.5, "on_delay_s": 10}}
    path = [*every(1, [(0, 5.0), (3, 5.5), (6, 4.5)], 14), (15, 5.6), (16, 5.6)]
    assert tell(conditions, {"x": path}, 16) == [("x.stuck", 10, 15, ())]


def test_stuck_drops_its_reference_when_unknown_but_not_while_raised() -> None:
    conditions: Table = {"x.stuck": {"kind": "stuck", "point": "x", "band": 0, "on_delay_s": 12}}
    pending = [(0, 5.0), (11, 5.0), (20, 5.0), (23, 5.0)]
    assert tell(conditions, {"x": pending}, 23) == [("x.stuck", 23, None, ())]
    raised = [*every(2, [(0, 5.0)], 12), (30, 5.0), (31, 6.0)]
    assert tell(conditions, {"x": raised}, 31) == [("x.stuck", 12, 31, ())]


VOTE: Table = {
    "a.H": {"kind": "high", "point": "a", "limit": 10},
    "b.H": {"kind": "high", "point": "b", "limit": 10},
    "c.H": {"kind": "high", "point": "c", "limit": 10},
    "two": {"kind": "vote", "of": ["a.H", "b.H", "c.H"], "m": 2, "off_delay_s": 2},
}


def test_a_vote_counts_raw_states_and_returns_after_its_own_delay() -> None:
    signals: Signals = {
        "a": every(1, [(0, 0), (1, 11), (4, 0)], 9),
        "b": every(1, [(0, 0), (2, 11), (5, 0)], 9),
        "c": every(1, [(0, 0)], 9),
    }
    assert [one for one in tell(VOTE, signals, 9) if one[0] == "two"] == [("two", 2, 6, ())]


def test_an_undecided_vote_stays_as_it_was() -> None:
    """With one member gone silent, one false leaves the vote open: it neither clears nor counts."""
    signals: Signals = {
        "a": every(1, [(0, 11), (20, 0)], 40),
        "b": every(1, [(0, 11)], 40),
        "c": [(0, 0), (35, 0)],
    }
    out = [one for one in tell(VOTE, signals, 40) if one[0] == "two"]
    assert out == [("two", 0, 37, ())], "undecided from 20 to 35, false known at 35"


def test_with_unknown_counts_an_unknown_member_counts_as_true() -> None:
    conditions: Table = {**VOTE, "two": {**VOTE["two"], "unknown_counts": True}}
    signals: Signals = {"a": every(1, [(0, 11)], 20), "b": every(1, [(0, 0)], 20), "c": [(0, 0)]}
    out = [one for one in tell(conditions, signals, 20) if one[0] == "two"]
    assert out == [("two", 10, None, ("unconfirmed",))]


def test_a_stuck_member_is_true_while_raised() -> None:
    conditions: Table = {
        "x.stuck": {"kind": "stuck", "point": "x", "band": 0, "on_delay_s": 5},
        "any": {"kind": "vote", "of": ["x.stuck"], "m": 1, "on_delay_s": 1},
    }
    path = every(1, [(0, 1.0), (8, 2.0)], 9)
    assert tell(conditions, {"x": path}, 9) == [("x.stuck", 5, 8, ()), ("any", 6, 8, ())]


def test_silent_begins_when_the_point_becomes_unknown_and_ends_with_its_next_value() -> None:
    conditions: Table = {"x.silent": {"kind": "silent", "point": "x"}}
    path = [(0, 1.0), (10, 1.0), (25, 1.0)]
    assert tell(conditions, {"x": path}, 30) == [("x.silent", 20, 25, ())]


def test_a_point_never_seen_counts_as_last_seen_at_the_first_instant_of_its_source() -> None:
    conditions: Table = {"x.silent": {"kind": "silent", "point": "x"}}
    assert tell(conditions, {"x": []}, 12) == [("x.silent", 10, None, ())]


LOCK: Table = {
    "p.LL": {"kind": "low", "point": "p", "limit": 1, "off_delay_s": 5},
    "lock": {
        "kind": "interlock",
        "cause": "p.LL",
        "effects": [{"point": "v", "in": [1]}, {"point": "w", "in": [1]}],
        "within_s": 3,
    },
}


def test_an_interlock_fails_when_its_effects_are_not_true_together_in_time() -> None:
    signals: Signals = {
        "p": every(1, [(0, 9), (2, 0), (20, 9)], 30),
        "v": every(1, [(0, 0), (3, 1), (4, 0), (8, 1)], 30),
        "w": every(1, [(0, 0), (4, 1)], 30),
    }
    assert tell(LOCK, signals, 30) == [("p.LL", 2, 25, ()), ("lock", 5, 8, ())]


def test_effects_true_at_exactly_the_last_moment_are_in_time() -> None:
    signals: Signals = {
        "p": every(1, [(0, 9), (2, 0)], 9),
        "v": every(1, [(0, 0), (5, 1)], 9),
        "w": every(1, [(0, 0), (5, 1)], 9),
    }
    assert tell(LOCK, signals, 9) == [("p.LL", 2, None, ())]


def test_an_unknown_effect_is_not_true_and_the_raise_says_so() -> None:
    signals: Signals = {
        "p": every(1, [(0, 9), (20, 0)], 30),
        "v": every(1, [(0, 1)], 30),
        "w": [(0, 1)],
    }
    out = tell(LOCK, signals, 30)
    assert out == [("p.LL", 20, None, ()), ("lock", 23, None, ("unconfirmed",))]


def test_an_interlock_ends_when_its_cause_has_returned() -> None:
    signals: Signals = {"p": every(1, [(0, 0), (6, 9)], 15), "v": [(0, 0)], "w": [(0, 0)]}
    quiet = {"v": None, "w": None}
    out = tell(LOCK, signals, 15, stale_s=quiet)
    assert out == [("p.LL", 0, 11, ()), ("lock", 3, 11, ())]
