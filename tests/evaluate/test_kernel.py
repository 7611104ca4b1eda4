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
