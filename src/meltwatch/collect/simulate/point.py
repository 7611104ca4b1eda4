"""The points of a simulated plant, with what a server needs to serve them.

Names, units and states are those of the project's example plants `dc-fixed` and `steel`. Periods
are how often the point is sampled; noise and resolution are of common instruments' size.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["dc-fixed", "steel"]
KINDS: tuple[Kind, ...] = ("dc-fixed", "steel")


class SimPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point: `period_s` seconds; `span`, `resolution`, `noise` (one sigma) in its unit.

    `type` `int`: a state, one of `states`, without noise.
    """

    name: str
    unit: str
    period_s: int
    type: Literal["float", "int"]
    span: tuple[float, float]
    resolution: float = 1.0
    noise: float = 0.0
    states: dict[int, str] = {}


def points(kind: Kind) -> tuple[SimPoint, ...]:
    """Return every point of a kind, in the order in which an instant's samples come."""
    return _POINTS[kind]


def _analogue(
    name: str, unit: str, period_s: int, high: float, resolution: float, noise: float
) -> SimPoint:
    return SimPoint(
        name=name,
        unit=unit,
        period_s=period_s,
        type="float",
        span=(0.0, high),
        resolution=resolution,
        noise=noise,
    )


def _state(name: str, period_s: int, *states: str) -> SimPoint:
    return SimPoint(
        name=name,
        unit="state",
        period_s=period_s,
        type="int",
        span=(0.0, float(len(states) - 1)),
        states=dict(enumerate(states)),
    )


_WELL = (
    _state("phase", 5, "idle", "preparing", "start-up", "casting", "ending", "aborted"),
    _analogue("mould_pressure", "MPa", 1, 1.0, 0.001, 0.0008),
    _analogue("mould_flow", "m3/h", 1, 400.0, 0.1, 0.4),
    _analogue("water_in", "degC", 5, 100.0, 0.1, 0.1),
    _analogue("water_out", "degC", 5, 100.0, 0.1, 0.1),
    _analogue("launder_level", "mm", 1, 300.0, 0.1, 0.5),
    _analogue("table_level", "mm", 1, 300.0, 0.1, 0.5),
    _state("shutoff_closed", 1, "open", "closed"),
    _state("launder_cut", 1, "joined", "cut"),
    _state("drain_open", 1, "closed", "open"),
    _analogue("rope_left", "kN", 1, 200.0, 0.1, 0.3),
    _analogue("rope_right", "kN", 1, 200.0, 0.1, 0.3),
    _analogue("platform", "mm", 1, 8000.0, 1.0, 0.3),
    _state("gas_cut", 1, "open", "cut"),
    _state("water_trip_armed", 1, "bypassed", "armed"),
    _analogue("gas_pressure", "kPa", 2, 50.0, 0.01, 0.03),
)
_WORKS = (
    _state("blowing", 5, "idle", "blowing"),
    _analogue("lance_in", "m3/h", 1, 400.0, 0.1, 0.3),
    _analogue("lance_out", "m3/h", 1, 400.0, 0.1, 0.3),
    _analogue("lance_temp", "degC", 1, 150.0, 0.1, 0.2),
    _state("lance_up", 1, "not raised", "lifting or raised"),
    _state("oxygen_cut", 1, "open", "cut"),
    _state("tilt_locked", 1, "free", "locked"),
    _state("outlet_closed", 2, "open", "closed"),
    _analogue("ldg_o2", "%", 1, 25.0, 0.01, 0.02),
    _state("to_flare", 1, "to holder", "to flare"),
    _analogue("holder_level", "%", 2, 100.0, 0.01, 0.05),
    _state("holder_inlet_closed", 2, "open", "closed"),
    _analogue("top_pressure", "kPa", 1, 400.0, 0.1, 0.8),
    _state("relief_open", 1, "closed", "open"),
    _analogue("co_a", "ppm", 2, 1000.0, 0.1, 0.4),
    _analogue("co_b", "ppm", 2, 1000.0, 0.1, 0.4),
    _analogue("co_c", "ppm", 2, 1000.0, 0.1, 0.4),
)
_POINTS: dict[Kind, tuple[SimPoint, ...]] = {"dc-fixed": _WELL, "steel": _WORKS}
