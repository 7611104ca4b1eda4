"""The well's own interlocks: readings in, commands to the actuators out.

The settings are the plant's, not Meltwatch's: what watches an interlock must not be what acts.
"""

from __future__ import annotations

from meltwatch.collect.simulate.actuator import Actuator
from meltwatch.collect.simulate.well.cast import Cast, Phase

TRIP_MPA, TRIP_M3H, TRIP_SCANS = 0.05, 90.0, 2
TRIP_TABLE_MM = 180.0
TRIP_GAS_KPA, RESET_GAS_KPA, RESET_GAS_S = 1.5, 4.0, 30
SHUT_S, CUT_S, DRAIN_S, GAS_S = 1, 2, 2, 1
BY_HAND_S = 12
"""After so long someone aborts a cast whose interlock has not done all that it should."""

POURING = frozenset({Phase.START_UP, Phase.CASTING})
WATCHED = POURING | {Phase.ENDING}


class WellPlc:
    """The logic of one well, and the actuators that it commands."""

    def __init__(self) -> None:
        """Begin in the safe rest: shut, cut, drained; gas open."""
        self.shutoff = Actuator(on=True)
        self.launder = Actuator(on=True)
        self.drain = Actuator(on=True)
        self.gas = Actuator(on=False)
        self.tripped_at_s: int | None = None
        self._low_scans = 0
        self._gas_good_s = 0

    def move(self, now_s: int, *, drain_jammed: bool) -> None:
        """Let the actuators follow their commands."""
        self.drain.step(now_s, jammed=drain_jammed)
        for actuator in (self.shutoff, self.launder, self.gas):
            actuator.step(now_s)

    def scan(self, now_s: int, read: dict[str, float], cast: Cast, *, stop: bool) -> None:
        """Read, decide, command; `stop`: the emergency stop is pressed."""
        self._guard_gas(now_s, read)
        if cast.phase is Phase.IDLE:
            self.tripped_at_s = None
        if cast.phase in WATCHED and (self._has_tripped(read) or stop):
            self.tripped_at_s = now_s if self.tripped_at_s is None else self.tripped_at_s
        if self.tripped_at_s is None:
            self._follow(cast.phase, cast.has_stood_s(now_s), now_s)
        else:
            self._shut_all(now_s)
            self._end(now_s, self.tripped_at_s, cast)

    def _has_tripped(self, read: dict[str, float]) -> bool:
        low = read["mould_pressure"] <= TRIP_MPA or read["mould_flow"] <= TRIP_M3H
        self._low_scans = self._low_scans + 1 if low and read["water_trip_armed"] else 0
        return self._low_scans >= TRIP_SCANS or read["table_level"] >= TRIP_TABLE_MM

    def _shut_all(self, now_s: int) -> None:
        self.shutoff.want(True, now_s, SHUT_S)
        self.launder.want(True, now_s, CUT_S)
        self.drain.want(True, now_s, DRAIN_S)

    def _end(self, now_s: int, tripped_at_s: int, cast: Cast) -> None:
        """Abort the cast when everything has acted, or by hand when something has not."""
        acted = self.shutoff.on and self.launder.on and self.drain.on
        if cast.phase is not Phase.ABORTED and (acted or now_s - tripped_at_s >= BY_HAND_S):
            cast.abort(now_s)

    def _follow(self, phase: Phase, stood_s: int, now_s: int) -> None:
        """Command what the phase asks for when nothing is wrong."""
        ended = phase is Phase.ENDING and stood_s >= 60
        rest = ended or phase in {Phase.IDLE, Phase.ABORTED}
        self.shutoff.want(phase not in POURING, now_s, SHUT_S)
        self.launder.want(rest, now_s, CUT_S)
        self.drain.want(rest, now_s, DRAIN_S)

    def _guard_gas(self, now_s: int, read: dict[str, float]) -> None:
        good = read["gas_pressure"] >= RESET_GAS_KPA
        self._gas_good_s = self._gas_good_s + 1 if good else 0
        if read["gas_pressure"] <= TRIP_GAS_KPA:
            self.gas.want(True, now_s, GAS_S)
        elif self._gas_good_s >= RESET_GAS_S:
            self.gas.want(False, now_s, GAS_S)
