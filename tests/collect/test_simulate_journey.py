"""What the journey makes of a simulated plant: nothing of a calm one, of an accident its story."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from meltwatch.collect.simulate.accident import (
    Accident,
    CoClamped,
    FlowMeterSilent,
    GasLost,
    HolderOverfilled,
    LanceLeak,
    LaunderLeakUnseen,
    PhaseSilent,
    StarterHeadStuck,
    TripBypassed,
    WaterLost,
)
from meltwatch.collect.simulate.point import KINDS, Kind
from meltwatch.collect.simulate.simulator import Simulator
from meltwatch.collect.story import PlantFile
from meltwatch.model.ids import ConditionId, EnterpriseId, PointCode
from meltwatch.model.plant import Plant, Source
from meltwatch.model.quality import Quality
from tests.telling import GATEWAY, Out, Telling

TWO_HOURS_S = 7_200
CASTING_S = 420
"""By now every seed's first cast is in its phase `casting`, and the converter blows."""

WATER = ("mould_flow.L", "mould_flow.LL", "mould_pressure.LL", "water_lost", "mould_pressure.L")


def plant_of(shared: Path, kind: Kind) -> Plant:
    """Return the shared ground's example plant with bare names, as the simulator tells them."""
    raw = yaml.safe_load((shared / "stories" / "plants" / f"{kind}.yaml").read_text("utf-8"))
    told = msgspec.convert(raw, PlantFile)
    return Plant(
        enterprise=EnterpriseId("simulated"),
        module=told.module,
        points={
            PointCode(name): msgspec.structs.replace(point, source=GATEWAY)
            for name, point in told.points.items()
        },
        conditions={ConditionId(name): one for name, one in told.conditions.items()},
        sources={GATEWAY: Source(offline_s=told.offline_s)},
        grace_s=told.grace_s,
    )


def watch(
    plant: Plant, simulator: Simulator, since_s: int, until_s: int, frame_s: int = 1
) -> list[Out]:
    """Return what comes out of the plant's seconds [since_s, until_s], a frame every `frame_s`.

    The journey begins at `since_s`; the times that it gives are seconds from there.
    """
    telling = Telling(plant)
    simulator.advance((since_s - 1) * 1000)
    for second in range(since_s, until_s + 1, frame_s):
        rows = simulator.advance(second * 1000)
        told = [(name, at / 1000 - since_s, value, Quality(bits)) for name, at, value, bits in rows]
        telling.rows(told, second - since_s)
    return telling.out()


def watch_accidents(
    shared: Path, kind: Kind, *accidents: Accident, for_s: int, seed: int = 7
) -> list[Out]:
    """Return what comes out from ten seconds before `CASTING_S` on, for `for_s` from then."""
    simulator = Simulator(kind, seed, 0, accidents)
    return watch(plant_of(shared, kind), simulator, CASTING_S - 10, CASTING_S + for_s)


def names(out: list[Out]) -> list[str]:
    """Return the conditions in the order of their raises."""
    return [condition for condition, *_ in out]


@pytest.mark.parametrize(("seed", "frame_s"), [(1, 1), (2, 20), (3, 20)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_calm_plant_raises_nothing_in_two_hours(
    shared: Path, kind: Kind, seed: int, frame_s: int
) -> None:
    simulator = Simulator(kind, seed, 0)
    assert watch(plant_of(shared, kind), simulator, 0, TWO_HOURS_S, frame_s) == []


# Stories 02, 03: the mould water is lost


def test_lost_water_raises_the_water_conditions_and_all_that_should_act_does(shared: Path) -> None:
    out = watch_accidents(shared, "dc-fixed", WaterLost(start_s=CASTING_S), for_s=360)
    assert names(out) == [*WATER]
    assert all(returned is not None for _, _, returned, _ in out)


def test_a_drain_that_stays_closed_is_an_interlock_that_did_not_act(shared: Path) -> None:
    lost = WaterLost(start_s=CASTING_S, drain="stays_closed")
    assert names(watch_accidents(shared, "dc-fixed", lost, for_s=60)) == [*WATER, "interlock.water"]


# Stories 04, 05: nobody sees it


def test_a_leak_at_the_table_is_a_level_that_falls_fast(shared: Path) -> None:
    out = watch_accidents(shared, "dc-fixed", LaunderLeakUnseen(start_s=CASTING_S), for_s=150)
    assert names(out) == ["table_level.fast", "table_level.L"]
    _, _, returned, flags = out[1]
    assert returned == pytest.approx(10 + 92 + 5, abs=5)
    assert flags == ("not_applicable",)


def test_a_stuck_starter_head_slackens_the_ropes(shared: Path) -> None:
    stuck = StarterHeadStuck(start_s=CASTING_S)
    out = watch_accidents(shared, "dc-fixed", stuck, for_s=120)
    assert names(out) == ["rope_right.LL", "rope_left.LL"]
    assert all(returned is None for _, _, returned, _ in out)


# Story 06: the lance


def test_a_lance_that_lifts_late_is_an_interlock_that_did_not_act(shared: Path) -> None:
    out = watch_accidents(shared, "steel", LanceLeak(start_s=CASTING_S), for_s=300)
    wanted = ["lance_leak.H", "lance_leak.HH", "interlock.lance", "lance_temp.H"]
    assert names(out) == wanted
    assert all(returned is not None for _, _, returned, _ in out)


def test_a_lance_that_lifts_in_time_is_none(shared: Path) -> None:
    out = watch_accidents(shared, "steel", LanceLeak(start_s=CASTING_S, lift_s=2), for_s=60)
    assert "interlock.lance" not in names(out)
    assert names(out)[:2] == ["lance_leak.H", "lance_leak.HH"]


# Story 07: CO


def test_a_clamped_detector_is_stuck_and_disagrees(shared: Path) -> None:
    clamped = CoClamped(start_s=CASTING_S, plume_lasts_s=150)
    assert names(watch_accidents(shared, "steel", clamped, for_s=720)) == [
        "co_a.stuck",
        "co_b.H",
        "co_b.HH",
        "co.area",
        "co_c.H",
        "co_c.HH",
        "co_a.disagrees",
    ]


# Story 12: the holder


@pytest.mark.parametrize(("close_s", "more"), [(60, ["interlock.holder"]), (8, [])])
def test_an_overfilled_holder(shared: Path, close_s: int, more: list[str]) -> None:
    filling = HolderOverfilled(start_s=CASTING_S, surge_percent_per_s=0.1, close_s=close_s)
    out = watch_accidents(shared, "steel", filling, for_s=420)
    assert names(out) == ["holder_level.H", "holder_level.HH", *more]


# Stories 16, 15, 13, 10: gas, a bypass, what falls silent


def test_lost_gas_is_cut_off_in_time(shared: Path) -> None:
    out = watch_accidents(shared, "dc-fixed", GasLost(start_s=CASTING_S, lasts_s=60), for_s=120)
    assert names(out) == ["gas_pressure.L", "gas_pressure.LL"]
    assert all(returned is not None for _, _, returned, _ in out)


def test_a_bypassed_trip_is_seen_while_it_lasts(shared: Path) -> None:
    out = watch_accidents(shared, "dc-fixed", TripBypassed(start_s=CASTING_S), for_s=150)
    assert out == [("water_trip.bypassed", 10.0, 130.0, ())]


def test_lost_water_behind_a_bypassed_trip_is_an_interlock_that_did_not_act(shared: Path) -> None:
    bypassed, lost = TripBypassed(start_s=CASTING_S), WaterLost(start_s=CASTING_S + 10)
    out = watch_accidents(shared, "dc-fixed", bypassed, lost, for_s=60)
    assert names(out)[:7] == ["water_trip.bypassed", *WATER, "interlock.water"]


def test_lost_water_is_not_hidden_by_a_silent_phase(shared: Path) -> None:
    silent, lost = PhaseSilent(start_s=CASTING_S), WaterLost(start_s=CASTING_S + 90)
    out = watch_accidents(shared, "dc-fixed", silent, lost, for_s=110)
    assert names(out)[:6] == ["phase.silent", *WATER]
    gated = [flags for condition, _, _, flags in out[1:] if condition != "water_lost"]
    assert set(gated) == {("gate_unknown",)}


def test_a_flow_meter_that_falls_silent_in_a_delay_leaves_it_running(shared: Path) -> None:
    out = watch_accidents(shared, "dc-fixed", FlowMeterSilent(start_s=CASTING_S), for_s=280)
    assert names(out) == ["mould_flow.silent", "mould_flow.pre"]
    assert out[1][3] == ("unconfirmed",)
    assert all(returned is not None for _, _, returned, _ in out)
