"""The steel works put together: each second the causes, the physics, the truth of every point."""

from __future__ import annotations

from meltwatch.collect.simulate.accident import CoClamped, HolderOverfilled, LanceLeak, Live
from meltwatch.collect.simulate.works.heat import Heat, Stage
from meltwatch.collect.simulate.works.lance import Lance
from meltwatch.collect.simulate.works.monoxide import TAPPING_PPM, Monoxide
from meltwatch.collect.simulate.works.plc import LIFT_S, VALVE_S, WorksPlc
from meltwatch.collect.simulate.works.recovery import Recovery
from meltwatch.collect.simulate.works.top import Top


class Works:
    """A converter, its gas holder, a blast-furnace top and three CO detectors."""

    def __init__(self, seed: int) -> None:
        """Begin between two heats."""
        self.heat = Heat(seed)
        self.lance = Lance(seed)
        self.recovery = Recovery(seed)
        self.top = Top(seed)
        self.monoxide = Monoxide(seed)
        self.plc = WorksPlc()

    def step(self, now_s: int, live: Live) -> None:
        """Go on by a second, to `now_s`."""
        leak, overfilled = live.of(LanceLeak), live.of(HolderOverfilled)
        plc = self.plc
        plc.move(now_s)
        self.heat.step(now_s, ready=leak is None)
        oxygen = not plc.oxygen.on
        leak_m3h = 0.0 if leak is None else leak.leak_m3h
        self.lance.step(down=not plc.lance.on, oxygen=oxygen, leak_m3h=leak_m3h)
        self.recovery.blow(oxygen=oxygen)
        self.recovery.hold(
            fed=not plc.flare.on,
            inlet=not plc.inlet.on,
            outlet=not plc.outlet.on,
            surge=0.0 if overfilled is None else overfilled.surge_percent_per_s,
            consumers=overfilled is None,
        )
        self.top.step(relief=plc.relief.on)
        self.monoxide.step(self._source_ppm(live))

    def _source_ppm(self, live: Live) -> float:
        """Return the CO given off: a little while tapping, a plume in an accident."""
        usual = TAPPING_PPM if self.heat.stage is Stage.TAPPING else 0.0
        clamped = live.of(CoClamped)
        if clamped is None:
            return usual
        ago_s = clamped.after(live.now_s) - clamped.plume_after_s
        return usual + (clamped.source_ppm if 0 <= ago_s < clamped.plume_lasts_s else 0.0)

    def truth(self) -> dict[str, float]:
        """Return the true value of every point, in its unit."""
        plc = self.plc
        return {
            "blowing": self.heat.stage is Stage.BLOWING,
            "lance_in": self.lance.in_m3h,
            "lance_out": self.lance.out_m3h,
            "lance_temp": self.lance.out_c,
            "lance_up": plc.lance.on,
            "oxygen_cut": plc.oxygen.on,
            "tilt_locked": plc.tilt.on,
            "outlet_closed": plc.outlet.on,
            "ldg_o2": self.recovery.o2_percent,
            "to_flare": plc.flare.on,
            "holder_level": self.recovery.level_percent,
            "holder_inlet_closed": plc.inlet.on,
            "top_pressure": self.top.pressure_kpa,
            "relief_open": plc.relief.on,
            **self.monoxide.ppm,
        }

    def control(self, now_s: int, read: dict[str, float], live: Live) -> None:
        """Let the works' own logic act."""
        leak, overfilled = live.of(LanceLeak), live.of(HolderOverfilled)
        self.plc.scan(
            now_s,
            read,
            self.heat,
            lift_s=LIFT_S if leak is None else leak.lift_s,
            close_s=VALVE_S if overfilled is None else overfilled.close_s,
        )
