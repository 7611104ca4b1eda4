"""The fast kernel by examples; `tests/properties` holds it equal to the twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from meltwatch.evaluate.kernel import Kernel
from meltwatch.evaluate.plan import Plan, plan_of
from meltwatch.model.condition import Condition
from meltwatch.model.ids import ConditionId, EnterpriseId, EpochId, PointCode, SourceId
from meltwatch.model.plant import Plant, Point, Source
from meltwatch.model.sample import Row, batch_of

EAST = SourceId("east")
POINTS = {"level": Point(unit="mm", stale_s=10, source=EAST), "phase": Point(unit="", source=EAST)}
LEVEL_HIGH = {
    "kind": "high",
    "level": 2,
    "point": "level",
    "limit": 80,
    "deadband": 5,
    "on_delay_s": 2,
    "off_delay_s": 3,
}


def kernel_of(condition: Mapping[str, Any]) -> Kernel:
    """Return a kernel of one condition, `alarm`, over a level and a phase."""
    return Kernel(small_plan({"alarm": condition}))


def small_plan(conditions: Mapping[str, Mapping[str, Any]]) -> Plan:
    plant = Plant(
        enterprise=EnterpriseId("works"),
        module="aluminium-dc",
        points={PointCode(code): point for code, point in POINTS.items()},
        conditions={
            ConditionId(name): msgspec.convert(one, Condition) for name, one in conditions.items()
        },
        sources={EAST: Source(first_at=0)},
    )
    return plan_of(plant)


def out(
    condition: Mapping[str, Any], rows: Sequence[tuple[str, float, float]], until_s: float
) -> list[tuple[float, str, tuple[str, ...]]]:
    """Return (second, up or down, flags) of one condition over (point, second, value) rows."""
    kernel = kernel_of(condition)
    told: list[Row] = [
        (PointCode(point), int(second * 1000), value, 0) for point, second, value in rows
    ]
    kernel.feed(batch_of(told), EpochId("1"), 1)
    found = kernel.advance({EAST: int(until_s * 1000)})
    return [(one.at / 1000, "up" if one.rises else "down", one.flags) for one in found]


def test_a_raise_comes_exactly_after_its_delay_and_a_return_after_its_own() -> None:
    rows = [("level", 1, 80.0), ("level", 6, 76.0), ("level", 7, 74.9)]
    assert out(LEVEL_HIGH, rows, 20) == [(3, "up", ()), (10, "down", ())]


def test_a_value_below_at_exactly_the_end_of_the_delay_prevents_the_raise() -> None:
    assert out(LEVEL_HIGH, [("level", 1, 90.0), ("level", 3, 50.0)], 12) == []


def test_silence_clears_nothing_and_stops_the_off_delay() -> None:
    rows = [("level", 0, 90.0), ("level", 9, 50.0), ("level", 32, 50.0), ("level", 40, 50.0)]
    slow = {**LEVEL_HIGH, "off_delay_s": 15}  # unknown from 19 to 32, before 9 + 15
    assert out(slow, rows, 60) == [(2, "up", ()), (47, "down", ())]


def test_a_calm_point_that_grows_stale_exactly_at_the_frontier_is_silent_there() -> None:
    kernel = kernel_of({"kind": "silent", "level": 3, "point": "level"})
    kernel.feed(batch_of([(PointCode("level"), 1000, 50.0, 0)]), EpochId("1"), 1)
    assert kernel.advance({EAST: 2000}) == []
    kernel.feed(batch_of([(PointCode("level"), 3000, 50.0, 0)]), EpochId("1"), 2)
    assert kernel.advance({EAST: 12_999}) == []
    assert [(one.at, one.rises) for one in kernel.advance({EAST: 13_000})] == [(13_000, True)]
    kernel.feed(batch_of([(PointCode("level"), 14_000, 50.0, 0)]), EpochId("1"), 3)
    assert [(one.at, one.rises) for one in kernel.advance({EAST: 14_000})] == [(14_000, False)]


def test_a_closing_gate_returns_the_alarm_and_an_opening_one_takes_the_level_afresh() -> None:
    gated = {**LEVEL_HIGH, "when": {"point": "phase", "in": [1]}}
    rows = [("phase", 0, 1.0), ("level", 1, 90.0), ("phase", 4, 0.0), ("phase", 7, 1.0)]
    assert out(gated, rows, 10) == [(3, "up", ()), (4, "down", ("not_applicable",)), (9, "up", ())]


def test_a_phase_never_seen_leaves_the_gate_open_and_the_raise_says_so() -> None:
    gated = {**LEVEL_HIGH, "when": {"point": "phase", "in": [1]}}
    assert out(gated, [("level", 1, 90.0)], 10) == [(3, "up", ("gate_unknown",))]


def test_of_two_values_at_one_instant_the_later_sent_rules() -> None:
    kernel = kernel_of({**LEVEL_HIGH, "on_delay_s": 0})
    kernel.feed(batch_of([(PointCode("level"), 1000, 50.0, 0)]), EpochId("2"), 1)
    kernel.feed(batch_of([(PointCode("level"), 1000, 90.0, 0)]), EpochId("1"), 7)
    assert kernel.advance({EAST: 5000}) == []


# traps


def plan_at(first: Mapping[str, Any], **others: Mapping[str, Any]) -> Plan:
    return small_plan({"alarm": first, **others})


def told(kernel: Kernel, seq: int, until: int, *rows: tuple[str, int, float]) -> list[str]:
    """Tell rows of one frame; return what is decided up to its end, as `condition+instant`."""
    batch = batch_of((PointCode(point), at, value, 0) for point, at, value in rows)
    kernel.feed(batch, EpochId("1"), seq)
    found = kernel.advance({EAST: until})
    return [f"{one.condition}{'+' if one.rises else '-'}{one.at}" for one in found]


def test_a_rate_sure_of_a_calm_point_sees_a_ramp_that_begins_inside_its_band() -> None:
    rate = {"kind": "rate", "level": 3, "point": "level", "as": "high", "limit": 1, "window_s": 4}
    kernel = Kernel(plan_at(rate))
    calm = [told(kernel, at, at, ("level", at, 10.0 + at % 2)) for at in range(0, 60_001, 1000)]
    assert calm == [[]] * 61
    ramp = [told(kernel, at, at, ("level", at, 10.0 + (at - 60_000) / 500)) for at in RAMP]
    assert [one for one in ramp if one] == [["alarm+62000"]]  # (14 - 10) / 4 s


RAMP = range(61_000, 65_001, 1000)


def test_a_stuck_raises_after_many_batches_that_only_moved_its_reference() -> None:
    stuck = {"kind": "stuck", "level": 3, "point": "level", "band": 0.5, "on_delay_s": 5}
    kernel = Kernel(plan_at(stuck))
    for at in range(0, 20_000, 1000):
        assert told(kernel, at, at, ("level", at, float(at))) == []
    assert kernel.first_due() == 24_000
    held = [told(kernel, at, at, ("level", at, 19_000.5)) for at in range(20_000, 26_000, 1000)]
    assert [one for one in held if one] == [["alarm+24000"]]
    assert told(kernel, 26_000, 26_000, ("level", 26_000, 0.0)) == ["alarm-26000"]


def test_two_sides_of_a_difference_that_both_drift_a_little_add_up() -> None:
    apart = {"kind": "difference", "level": 3, "of": ["level", "phase"], "as": "high", "limit": 10}
    kernel = Kernel(plan_at(apart))
    assert told(kernel, 0, 0, ("level", 0, 50.0), ("phase", 0, 50.0)) == []
    for step in range(1, 6):  # each less than the rest of the way
        rows = [("level", step * 1000, 50.0 + step), ("phase", step * 1000, 50.0 - step)]
        expected = ["alarm+5000"] if step == 5 else []
        assert told(kernel, step, step * 1000, *rows) == expected


def test_the_effect_of_an_interlock_that_wanders_outside_its_set_wakes_nobody() -> None:
    lock = {"kind": "interlock", "level": 1, "cause": "alarm", "within_s": 1}
    effect = {"point": "phase", "in": [100]}
    kernel = Kernel(plan_at(LEVEL_HIGH, lock={**lock, "effects": [effect]}))
    assert told(kernel, 0, 0, ("phase", 0, 3.0), ("level", 0, 50.0)) == []
    for at in (1000, 2000, 3000):
        told(kernel, at, at, ("phase", at, at / 100), ("level", at, 50.0))
        assert not kernel.lanes[0].plain.awake
    rise = ("level", 4000, 90.0)
    assert told(kernel, 4000, 7000, rise, ("phase", 4000, 99.0)) == ["alarm+6000", "lock+7000"]


def test_a_new_rate_on_a_point_with_another_does_not_change_what_that_one_remembers() -> None:
    """A new condition counts the held value as one of the instant at which it is handed over."""
    old = {"kind": "rate", "level": 3, "point": "level", "as": "high", "limit": 1, "window_s": 2}
    kernel = Kernel(plan_at(old))
    told(kernel, 0, 0, ("level", 0, 10.0))
    told(kernel, 1, 1500, ("level", 1000, 13.0))
    assert kernel.adopt(plan_at(old, new={**old, "window_s": 1.5})) == {}
    # At 3000: old compares with 1000 (2 / 2 s), new with 1500 (2 / 1.5 s).
    assert told(kernel, 2, 3000, ("level", 3000, 15.0)) == ["alarm+3000", "new+3000"]
    assert told(kernel, 3, 3500, ("level", 3500, 15.0)) == ["alarm-3500"]
