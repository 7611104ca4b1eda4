"""The colour: floors with their reasons, what would lower them, hold, and 未评估. Seconds."""

from __future__ import annotations

from typing import Any

from meltwatch.model.ids import CommandId
from meltwatch.model.log import (
    AnyCommand,
    Close,
    CommandRecord,
    ConfirmHazard,
    Handle,
    ResolveHazard,
    Verify,
)
from meltwatch.risk.colour import Assessment, RiskEvent
from tests.telling import Signals, Telling, every, plant_of, rows_of

WHO: dict[str, Any] = {"who": "li", "role": "safety", "node": "plant", "origin": "desk", "why": ""}
MINUTE = 60


class Watch:
    """A small plant, its assessments over time."""

    def __init__(self, conditions: dict[str, dict[str, Any]], offline_s: float = 30) -> None:
        self.telling = Telling(plant_of(conditions, offline_s=offline_s))
        self.now = -1

    def run(self, signals: Signals, to: int) -> None:
        while self.now < to:
            self.now += 1
            self.telling.frame(rows_of(signals, self.now - 1, self.now), self.now)

    def wait(self, to: int) -> None:
        """Let time pass with frames but no samples."""
        self.run({}, to)

    def say(self, command: AnyCommand) -> None:
        self.telling.take(CommandRecord(received_at=self.now * 1000, command=command))

    def colours(self) -> list[tuple[float, str]]:
        return [
            (event.told_at / 1000, name_of(event.assessment))
            for event in self.telling.effects
            if isinstance(event, RiskEvent)
        ]

    def latest(self) -> Assessment:
        events = [one for one in self.telling.effects if isinstance(one, RiskEvent)]
        return events[-1].assessment


def name_of(assessment: Assessment) -> str:
    shown = "unassessed" if assessment.colour is None else assessment.colour.name.lower()
    return f"{shown}?" if assessment.unassessed and assessment.colour is not None else shown


LOCK: dict[str, dict[str, Any]] = {
    "p.LL": {"kind": "low", "point": "p", "limit": 1, "off_delay_s": 5, "level": 2},
    "lock": {
        "kind": "interlock",
        "cause": "p.LL",
        "effects": [{"point": "v", "in": [1]}],
        "within_s": 3,
        "level": 1,
    },
}


def test_a_plant_without_data_is_unassessed_never_blue() -> None:
    watch = Watch(LOCK)
    assert watch.colours() == [(0, "unassessed")]
    assert watch.latest().lower[0].key == "restore_data"


def test_a_plant_with_data_and_no_floor_is_blue_and_unassessed_again_when_its_line_is_gone() -> (
    None
):
    watch = Watch(LOCK)
    watch.run({"p": every(1, [(0, 9)], 5), "v": [(0, 0)]}, 5)
    watch.telling.pass_time(60_000)
    assert watch.colours() == [(0, "unassessed"), (0, "blue"), (35, "unassessed")]


def test_an_interlock_that_failed_is_red_until_its_case_is_closed_and_the_hold_has_passed() -> None:
    watch = Watch(LOCK)
    signals: Signals = {"p": every(1, [(0, 9), (2, 0), (10, 9)], 100), "v": every(1, [(0, 0)], 100)}
    watch.run(signals, 20)
    assert watch.colours()[-1] == (5, "red")
    red = watch.latest()
    assert red.contributions[0].key == "interlock_failed"
    assert red.contributions[0].params["condition"] == "lock"
    assert [step.key for step in red.lower] == ["close_interlock_case"]
    assert (red.model, red.model_version) == ("project-default", 1)
    case = red.contributions[0].params["case"]
    told = {**WHO, "case": case}
    watch.say(Verify(id=CommandId("1"), found="drain stuck", **told))
    watch.say(Handle(id=CommandId("2"), measure="air supply restored", **told))
    watch.say(Close(id=CommandId("3"), cause="air lost", **told))
    held = watch.latest()
    assert name_of(held) == "red"
    assert [step.key for step in held.lower] == ["wait_for_hold"]
    watch.wait(20 + 30 * MINUTE)
    assert watch.colours()[-1] == (20 + 30 * MINUTE, "blue")


def test_a_floor_that_stands_is_still_shown_when_the_line_goes() -> None:
    watch = Watch(LOCK)
    watch.run({"p": every(1, [(0, 9), (2, 0)], 9), "v": every(1, [(0, 0)], 9)}, 9)
    watch.telling.pass_time(60_000)
    assert name_of(watch.latest()) == "red?"


def test_a_level_1_case_nobody_verifies_in_time_is_red() -> None:
    high = {"kind": "high", "point": "t", "limit": 60, "level": 1}
    watch = Watch({"t.H": high})
    watch.run({"t": every(1, [(0, 50), (10, 61)], 400)}, 400)
    assert watch.colours()[-1] == (10 + 5 * MINUTE, "red")
    assert watch.latest().contributions[0].params["step"] == "verify"


def test_a_critical_point_silent_for_half_an_hour_is_yellow() -> None:
    conditions = {"x.silent": {"kind": "silent", "point": "x", "level": 2}}
    watch = Watch(conditions)
    watch.run({"x": [(0, 1.0)]}, 10 + 30 * MINUTE)
    assert watch.colours()[-1] == (10 + 30 * MINUTE, "yellow")


def test_a_less_critical_point_holds_no_floor() -> None:
    watch = Watch({"x.silent": {"kind": "silent", "point": "x", "level": 3}})
    watch.run({"x": [(0, 1.0)]}, 10 + 31 * MINUTE)
    assert name_of(watch.latest()) == "blue"


def test_a_confirmed_hazard_is_orange_until_a_person_says_it_is_rectified() -> None:
    watch = Watch(LOCK)
    watch.run({"p": every(1, [(0, 9)], 9), "v": [(0, 0)]}, 9)
    watch.say(ConfirmHazard(id=CommandId("1"), hazard="h1", article="5(8)", **WHO))
    assert name_of(watch.latest()) == "orange"
    assert watch.latest().lower[0].key == "rectify_hazard"
    watch.say(ResolveHazard(id=CommandId("2"), hazard="h1", **WHO))
    assert [step.key for step in watch.latest().lower] == ["wait_for_hold"]
    watch.wait(9 + 30 * MINUTE)
    assert name_of(watch.latest()) == "blue"


def test_the_gravest_floor_gives_the_colour_and_all_are_listed() -> None:
    watch = Watch(LOCK)
    watch.run({"p": every(1, [(0, 9), (2, 0)], 9), "v": every(1, [(0, 0)], 9)}, 9)
    watch.say(ConfirmHazard(id=CommandId("1"), hazard="h1", article="5(8)", **WHO))
    assert [one.key for one in watch.latest().contributions] == [
        "interlock_failed",
        "confirmed_hazard",
    ]
