"""Ticks come by the right clock: `offline` by the monotonic one, all else by the wall clock."""

from __future__ import annotations

from typing import Any

from meltwatch.apps.watch import Watch
from meltwatch.journey import Journey
from tests.telling import Telling, plant_of

CONDITIONS: dict[str, dict[str, Any]] = {
    "t.H": {"kind": "high", "point": "t", "limit": 60, "on_delay_s": 4},
    "gateway.offline": {"kind": "offline"},
}


class ScriptedClock:
    """A clock that a test sets, ms."""

    def __init__(self) -> None:
        self.wall = 0
        self.monotonic = 500_000

    def wall_ms(self) -> int:
        return self.wall

    def monotonic_ms(self) -> int:
        return self.monotonic

    def run(self, ms: int) -> None:
        self.wall += ms
        self.monotonic += ms


def journey() -> tuple[Telling, Journey, ScriptedClock, Watch]:
    telling = Telling(plant_of(CONDITIONS))
    telling.frame([("t", 0, 0)], 0)
    clock = ScriptedClock()
    watch = Watch(clock)
    assert watch.sleep_ms(telling.journey) == 30_000
    return telling, telling.journey, clock, watch


def test_offline_is_due_at_its_exact_instant() -> None:
    _, told, clock, watch = journey()
    clock.run(29_999)
    assert watch.due_ticks(told) == []
    clock.run(51)
    assert [(tick.at, tick.offline) for tick in watch.due_ticks(told)] == [(30_000, ("gateway",))]


def test_a_jump_of_the_wall_clock_makes_no_gateway_look_gone() -> None:
    _, told, clock, watch = journey()
    clock.wall += 3_600_000
    assert all(not tick.offline for tick in watch.due_ticks(told))
    clock.wall -= 7_200_000
    clock.monotonic += 30_000
    assert any(tick.offline for tick in watch.due_ticks(told)), "and hides none"


def test_a_frame_begins_the_wait_anew() -> None:
    telling, told, clock, watch = journey()
    clock.run(20_000)
    telling.frame([("t", 20, 0)], 20)
    assert watch.sleep_ms(told) == 30_000


def test_grace_is_due_by_the_wall_clock() -> None:
    telling, told, clock, watch = journey()
    telling.frame([("t", 1, 61)], 1)
    clock.run(9_999)
    assert watch.due_ticks(told) == []
    clock.run(1)
    assert [(tick.at, tick.offline) for tick in watch.due_ticks(told)] == [(10_000, ())]
