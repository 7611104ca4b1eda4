"""The casting well put together: each second the causes, the physics, the truth of every point."""

from __future__ import annotations

from meltwatch.collect.simulate.accident import (
    FlowMeterSilent,
    GasLost,
    LaunderLeakUnseen,
    Live,
    StarterHeadStuck,
    TripBypassed,
    WaterLost,
)
from meltwatch.collect.simulate.well.cast import Cast, Phase
from meltwatch.collect.simulate.well.gas import Gas
from meltwatch.collect.simulate.well.hoist import CASTING_MM_S, Hoist
from meltwatch.collect.simulate.well.metal import MM_OF_TABLE_PER_MM_OF_INGOT, Metal
from meltwatch.collect.simulate.well.plc import POURING, WellPlc
from meltwatch.collect.simulate.well.water import Water


class Well:
    """One casting well with a fixed holding furnace."""

    def __init__(self, seed: int) -> None:
        """Begin idle and empty."""
        self.cast = Cast(seed)
        self.water = Water(seed)
        self.metal = Metal()
        self.hoist = Hoist(seed)
        self.gas = Gas(seed)
        self.plc = WellPlc()
        self._is_armed = True

    def step(self, now_s: int, live: Live) -> None:
        """Go on by a second, to `now_s`."""
        lost, gas_lost = live.of(WaterLost), live.of(GasLost)
        self._is_armed = live.of(TripBypassed) is None
        drain_jammed = lost is not None and lost.drain == "stays_closed"
        self.plc.move(now_s, drain_jammed=drain_jammed)
        ready = lost is None and gas_lost is None and self._is_armed
        self.cast.step(now_s, self.hoist.platform_mm, ready=ready)
        stuck = live.of(StarterHeadStuck) is not None
        self.hoist.step(self.cast.phase, self.cast.has_stood_s(now_s), stuck=stuck)
        self._pour(live, stuck=stuck)
        self.gas.step(None if gas_lost is None else gas_lost.left_kpa)

    def _pour(self, live: Live, *, stuck: bool) -> None:
        """Let metal and water flow; an ingot that hangs takes no metal."""
        growing_mm_s = 0.0 if stuck else self.hoist.speed_mm_s
        leak, blocked = live.of(LaunderLeakUnseen), live.of(FlowMeterSilent)
        phase = self.cast.phase
        is_fed = phase in POURING and not self.plc.shutoff.on
        self.metal.step(
            pouring=phase in POURING | {Phase.PREPARING},
            shut=self.plc.shutoff.on,
            cut=self.plc.launder.on,
            drain=self.plc.drain.on,
            taken_mm_s=min(growing_mm_s * MM_OF_TABLE_PER_MM_OF_INGOT, self.metal.table_mm),
            leak_mm_s=0.0 if leak is None else leak.leak_mm_per_s,
        )
        self.water.step(
            wanted=phase is not Phase.IDLE,
            tripped=live.of(WaterLost) is not None,
            flow_share=1.0 if blocked is None else blocked.flow_share,
            solidifying=growing_mm_s / CASTING_MM_S if is_fed else 0.0,
        )

    def truth(self) -> dict[str, float]:
        """Return the true value of every point, in its unit."""
        left_kn, right_kn = self.hoist.ropes_kn()
        return {
            "phase": self.cast.phase,
            "mould_pressure": self.water.pressure_mpa,
            "mould_flow": self.water.flow_m3h,
            "water_in": self.water.in_c,
            "water_out": self.water.in_c + self.water.rise_c,
            "launder_level": self.metal.launder_mm,
            "table_level": self.metal.table_mm,
            "shutoff_closed": self.plc.shutoff.on,
            "launder_cut": self.plc.launder.on,
            "drain_open": self.plc.drain.on,
            "rope_left": left_kn,
            "rope_right": right_kn,
            "platform": self.hoist.platform_mm,
            "gas_cut": self.plc.gas.on,
            "water_trip_armed": self._is_armed,
            "gas_pressure": self.gas.pressure_kpa,
        }

    def control(self, now_s: int, read: dict[str, float], live: Live) -> None:
        """Let the well's own logic act, and whoever sees an accident at last press the stop."""
        unseen = (live.of(LaunderLeakUnseen), live.of(StarterHeadStuck))
        stop = any(one is not None and one.after(now_s) >= one.unseen_s for one in unseen)
        self.plc.scan(now_s, read, self.cast, stop=stop)
