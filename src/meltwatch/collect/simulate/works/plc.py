"""The works' own interlocks: readings in, commands to the actuators out.

The settings are the plant's, not Meltwatch's: what watches an interlock must not be what acts.
"""

from __future__ import annotations

from meltwatch.collect.simulate.actuator import Actuator
from meltwatch.collect.simulate.works.heat import Heat, Stage

LEAK_M3H, LEAK_SCANS = 15.0, 2
LIFT_S, OXYGEN_S, TILT_S, FLARE_S = 3, 1, 1, 1
RECOVERS_AFTER_S, ENDS_BEFORE_S, RECOVERS_PERCENT, FLARES_PERCENT = 120, 60, 0.8, 2.0
HH_PERCENT, REOPENS_PERCENT, LL_PERCENT, REFILLED_PERCENT = 95.0, 85.0, 5.0, 15.0
VALVE_S = 8
RELIEF_KPA, RESEATS_KPA, RELIEF_S = 250.0, 200.0, 1

Readings = dict[str, float]


class WorksPlc:
    """The logic of the works, and the actuators that it commands."""

    def __init__(self) -> None:
        """Begin at rest: lance up, oxygen cut, gas to the flare, holder open both ways."""
        self.lance = Actuator(on=True)
        self.oxygen = Actuator(on=True)
        self.tilt = Actuator(on=False)
        self.flare = Actuator(on=True)
        self.inlet = Actuator(on=False)
        self.outlet = Actuator(on=False)
        self.relief = Actuator(on=False)
        self.has_tripped = False
        self._leak_scans = 0

    def move(self, now_s: int) -> None:
        """Let the actuators follow their commands."""
        for one in (self.lance, self.oxygen, self.tilt, self.flare):
            one.step(now_s)
        for one in (self.inlet, self.outlet, self.relief):
            one.step(now_s)

    def scan(
        self,
        now_s: int,
        read: Readings,
        heat: Heat,
        *,
        lift_s: int = LIFT_S,
        close_s: int = VALVE_S,
    ) -> None:
        """Read, decide, command; `lift_s`, `close_s`: how long hoist and inlet valve take."""
        self._guard_lance(now_s, read, heat, lift_s)
        self._recover(now_s, read, heat)
        self._guard_holder(now_s, read, close_s)
        self._guard_top(now_s, read)

    def _guard_lance(self, now_s: int, read: Readings, heat: Heat, lift_s: int) -> None:
        leaking = read["lance_in"] - read["lance_out"] >= LEAK_M3H
        self._leak_scans = self._leak_scans + 1 if leaking else 0
        if self._leak_scans >= LEAK_SCANS:
            self.has_tripped = True
        elif heat.stage in {Stage.TAPPING, Stage.CHARGING}:
            self.has_tripped = False
        raised = self.has_tripped or heat.stage is not Stage.BLOWING
        self.lance.want(raised, now_s, lift_s if self.has_tripped else 0)
        self.oxygen.want(raised, now_s, OXYGEN_S if self.has_tripped else 0)
        self.tilt.want(self.has_tripped, now_s, TILT_S)
        if self.has_tripped and self.lance.on:
            heat.stop(now_s)

    def _recover(self, now_s: int, read: Readings, heat: Heat) -> None:
        """Send gas to the holder in the middle of a blow while it is poor in oxygen."""
        middle = now_s - heat.since_s >= RECOVERS_AFTER_S and heat.until_s - now_s > ENDS_BEFORE_S
        allowed = heat.stage is Stage.BLOWING and middle and not self.has_tripped
        closed = bool(read["holder_inlet_closed"])
        if not allowed or closed or read["ldg_o2"] >= FLARES_PERCENT:
            self.flare.want(True, now_s, FLARE_S)
        elif read["ldg_o2"] < RECOVERS_PERCENT:
            self.flare.want(False, now_s, FLARE_S)

    def _guard_holder(self, now_s: int, read: Readings, close_s: int) -> None:
        level = read["holder_level"]
        if level >= HH_PERCENT:
            self.inlet.want(True, now_s, close_s)
        elif level < REOPENS_PERCENT:
            self.inlet.want(False, now_s, VALVE_S)
        if level <= LL_PERCENT:
            self.outlet.want(True, now_s, VALVE_S)
        elif level > REFILLED_PERCENT:
            self.outlet.want(False, now_s, VALVE_S)

    def _guard_top(self, now_s: int, read: Readings) -> None:
        if read["top_pressure"] >= RELIEF_KPA:
            self.relief.want(True, now_s, RELIEF_S)
        elif read["top_pressure"] < RESEATS_KPA:
            self.relief.want(False, now_s, RELIEF_S)
