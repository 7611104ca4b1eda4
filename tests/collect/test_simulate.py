"""The simulated plants for themselves: determinism, points, accidents as data, their own logic."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from meltwatch.collect.simulate.accident import (
    Accident,
    CoClamped,
    HolderOverfilled,
    PhaseSilent,
    WaterLost,
)
from meltwatch.collect.simulate.errors import AccidentRefused
from meltwatch.collect.simulate.instrument import Instrument
from meltwatch.collect.simulate.point import KINDS, Kind, points
from meltwatch.collect.simulate.simulator import Simulator
from meltwatch.collect.simulate.well.cast import Cast, Phase
from meltwatch.collect.simulate.well.plc import WellPlc
from meltwatch.collect.simulate.works.heat import Heat, Stage
from meltwatch.collect.simulate.works.plc import WorksPlc
from meltwatch.collect.simulate.works.top import Top

START_MS = 1_772_323_200_500
HAPPENINGS: dict[Kind, Accident] = {
    "dc-fixed": WaterLost(start_s=430),
    "steel": HolderOverfilled(start_s=430),
}

# Determinism


@settings(max_examples=15)
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(-2_000, 600_000), max_size=12),
)
def test_however_time_is_cut_the_rows_are_the_same(kind: Kind, seed: int, cuts: list[int]) -> None:
    whole = Simulator(kind, seed, START_MS, [HAPPENINGS[kind]]).advance(START_MS + 600_000)
    parts = Simulator(kind, seed, START_MS, [HAPPENINGS[kind]])
    told = [row for cut in [*cuts, 600_000] for row in parts.advance(START_MS + cut)]
    assert told == whole
    assert [row[1] for row in told] == sorted(row[1] for row in told)


@pytest.mark.parametrize("kind", KINDS)
def test_an_accident_changes_nothing_before_it(kind: Kind) -> None:
    calm = Simulator(kind, 3, 0).advance(600_000)
    told = Simulator(kind, 3, 0, [HAPPENINGS[kind]]).advance(600_000)
    assert [row for row in calm if row[1] < 430_000] == [row for row in told if row[1] < 430_000]
    assert calm != told


def test_another_seed_is_another_plant() -> None:
    assert Simulator("steel", 1, 0).advance(60_000) != Simulator("steel", 2, 0).advance(60_000)


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_comes_at_its_period_from_the_start_on(kind: Kind) -> None:
    rows = Simulator(kind, 1, START_MS).advance(START_MS + 20_000)
    for point in points(kind):
        told = [at for name, at, _, _ in rows if name == point.name]
        assert told == list(range(START_MS, START_MS + 20_001, point.period_s * 1000))


@pytest.mark.parametrize("kind", KINDS)
def test_readings_stay_in_the_span_and_on_the_resolution(kind: Kind) -> None:
    known = {point.name: point for point in points(kind)}
    for name, _, value, quality in Simulator(kind, 5, 0).advance(900_000):
        point = known[name]
        steps = value / point.resolution
        assert point.span[0] <= value <= point.span[1]
        assert quality == 0
        assert steps == pytest.approx(round(steps), abs=1e-6)
        assert point.type == "float" or int(value) in point.states


def test_an_instrument_ends_at_its_span() -> None:
    flow = next(point for point in points("dc-fixed") if point.name == "mould_flow")
    instrument = Instrument(flow, 1)
    assert (instrument.read(-50.0), instrument.read(900.0)) == (0.0, 400.0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_points_are_those_of_the_example_plant(shared: Path, kind: Kind) -> None:
    path = shared / "stories" / "plants" / f"{kind}.yaml"
    told: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["points"]
    assert {point.name: point.unit for point in points(kind)} == {
        name: one["unit"] for name, one in told.items()
    }
    for point in points(kind):
        one = told[point.name]
        assert point.period_s < one["stale_s"]
        assert point.states == one.get("states", {})
        assert list(point.span) == one.get("range", list(point.span))


# Accidents as data


def test_an_accident_is_read_from_data_and_back() -> None:
    told: dict[str, Any] = {"name": "water_lost", "start_s": 600, "drain": "stays_closed"}
    read: Accident = msgspec.convert(told, Accident)
    assert read == WaterLost(start_s=600, drain="stays_closed")
    assert msgspec.to_builtins(read) == told | {"lasts_s": 300.0}


def test_every_accident_has_its_name() -> None:
    assert {one.__struct_config__.tag for one in get_args(Accident)} == {
        "water_lost",
        "launder_leak_unseen",
        "starter_head_stuck",
        "gas_lost",
        "trip_bypassed",
        "flow_meter_silent",
        "lance_leak",
        "co_clamped",
        "holder_overfilled",
        "phase_silent",
    }


@pytest.mark.parametrize(
    ("accident", "keys"),
    [
        (CoClamped(start_s=20), ["not_at_this_plant"]),
        (WaterLost(start_s=10), ["in_the_past"]),
        (WaterLost(start_s=float("inf")), ["in_the_past"]),
        (WaterLost(start_s=20, lasts_s=0), ["out_of_bounds"]),
        (PhaseSilent(start_s=5, point="blowing"), ["in_the_past", "unknown_point"]),
    ],
)
def test_an_accident_that_cannot_be_is_refused_with_every_reason(
    accident: Accident, keys: list[str]
) -> None:
    simulator = Simulator("dc-fixed", 1, 0)
    simulator.advance(10_000)
    with pytest.raises(AccidentRefused) as refused:
        simulator.schedule(accident)
    assert [one.key for one in refused.value.problems] == keys
    calm = Simulator("dc-fixed", 1, 0).advance(60_000)
    assert simulator.advance(60_000) == [row for row in calm if row[1] > 10_000]


def test_an_accident_can_be_scheduled_while_the_plant_runs() -> None:
    simulator = Simulator("steel", 1, 0)
    simulator.advance(10_000)
    simulator.schedule(PhaseSilent(start_s=11, lasts_s=9, point="co_b"))
    told = [at for name, at, _, _ in simulator.advance(24_000) if name == "co_b"]
    assert told == [20_000, 22_000, 24_000]


# The plants' own logic

CALM_WELL = {
    "mould_pressure": 0.2,
    "mould_flow": 180.0,
    "water_trip_armed": 1.0,
    "table_level": 120.0,
    "gas_pressure": 8.0,
}
CALM_WORKS = {
    "lance_in": 220.0,
    "lance_out": 219.0,
    "ldg_o2": 0.3,
    "holder_inlet_closed": 0.0,
    "holder_level": 50.0,
    "top_pressure": 180.0,
}


@pytest.mark.parametrize(
    ("read", "acted"),
    [
        ({}, (False, False, False, False)),
        ({"mould_pressure": 0.05}, (True, True, True, False)),
        ({"mould_flow": 90.0}, (True, True, True, False)),
        ({"mould_flow": 90.0, "water_trip_armed": 0.0}, (False, False, False, False)),
        ({"table_level": 180.0}, (True, True, True, False)),
        ({"gas_pressure": 1.5}, (False, False, False, True)),
    ],
)
def test_what_the_well_does_by_itself(
    read: dict[str, float], acted: tuple[bool, bool, bool, bool]
) -> None:
    plc, cast = WellPlc(), Cast(1)
    cast.phase = Phase.CASTING
    for now_s in range(10):
        plc.move(now_s, drain_jammed=False)
        plc.scan(now_s, CALM_WELL if now_s < 4 else CALM_WELL | read, cast, stop=False)
    assert (plc.shutoff.on, plc.launder.on, plc.drain.on, plc.gas.on) == acted
    assert (cast.phase is Phase.ABORTED) == acted[0]


@pytest.mark.parametrize(
    ("read", "changed"),
    [
        ({}, set()),
        ({"lance_out": 205.0}, {"lance", "oxygen", "tilt", "flare"}),
        ({"ldg_o2": 2.0}, {"flare"}),
        ({"holder_level": 95.0}, {"inlet"}),
        ({"holder_inlet_closed": 1.0}, {"flare"}),
        ({"holder_level": 5.0}, {"outlet"}),
        ({"top_pressure": 250.0}, {"relief"}),
    ],
)
def test_what_the_works_do_by_themselves(read: dict[str, float], changed: set[str]) -> None:
    plc, heat = WorksPlc(), Heat(1)
    heat.stage, heat.since_s, heat.until_s = Stage.BLOWING, -200, 600
    for now_s in range(40):
        plc.move(now_s)
        plc.scan(now_s, CALM_WORKS if now_s < 20 else CALM_WORKS | read, heat)
    named = ("lance", "oxygen", "tilt", "flare", "inlet", "outlet", "relief")
    assert {name for name in named if getattr(plc, name).on} == changed
    assert (heat.stage is Stage.STOPPED) == ("lance" in changed)


def test_a_relief_valve_lets_the_top_pressure_fall() -> None:
    top = Top(1)
    top.pressure_kpa = 255.0
    for _ in range(10):
        top.step(relief=True)
    assert top.pressure_kpa < 150.0
