"""What can be made to happen to a simulated plant, as data: a name, a start, parameters.

Each is the kind of event that one of the project's stories is about. An accident changes causes
(a pump trips, a valve jams, a detector is clamped); what follows is the plant's physics and its
own interlocks. Nothing here knows a condition or a limit of Meltwatch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, NamedTuple, TypeVar

import msgspec

from meltwatch.collect.simulate.errors import AccidentRefused
from meltwatch.collect.simulate.point import KINDS, Kind, points
from meltwatch.errors import Problem

Seconds = Annotated[float, msgspec.Meta(ge=0.0)]
Lasting = Annotated[float, msgspec.Meta(gt=0.0)]
WholeSeconds = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0.0)]
Share = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]


class Silence(NamedTuple):
    """A point whose samples do not come, `from_s <= t < to_s` of the plant."""

    point: str
    from_s: float
    to_s: float


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="name", forbid_unknown_fields=True
):
    """What every accident has: `start_s`, seconds from the plant's start, and how long it lasts."""

    kinds: ClassVar[tuple[Kind, ...]] = KINDS
    start_s: Seconds
    lasts_s: Lasting = 300.0

    def after(self, now_s: float) -> float:
        """Return how many seconds ago it began."""
        return now_s - self.start_s

    def silence(self) -> Silence | None:
        """Return which point's samples it keeps from coming, and when."""
        return None

    def held(self) -> dict[str, float]:
        """Return the readings at which it holds points, in their units."""
        return {}


class _AtTheWell(Event, frozen=True, kw_only=True):
    kinds = ("dc-fixed",)


class _AtTheWorks(Event, frozen=True, kw_only=True):
    kinds = ("steel",)


class WaterLost(_AtTheWell, frozen=True, kw_only=True, tag="water_lost"):
    """The mould water pump trips and runs down; the drain valve acts or stays closed."""

    drain: Literal["acts", "stays_closed"] = "acts"


class LaunderLeakUnseen(_AtTheWell, frozen=True, kw_only=True, tag="launder_leak_unseen"):
    """Metal leaks at the table, `leak_mm_per_s` of its level; someone acts `unseen_s` on."""

    leak_mm_per_s: Amount = 6.0
    unseen_s: Seconds = 92.0


class StarterHeadStuck(_AtTheWell, frozen=True, kw_only=True, tag="starter_head_stuck"):
    """The starter head sticks, the platform goes on down, until someone stops it `unseen_s` on."""

    lasts_s: Lasting = 600.0
    unseen_s: Seconds = 400.0


class GasLost(_AtTheWell, frozen=True, kw_only=True, tag="gas_lost"):
    """The burner gas falls to `left_kpa`."""

    lasts_s: Lasting = 200.0
    left_kpa: Amount = 0.5


class TripBypassed(_AtTheWell, frozen=True, kw_only=True, tag="trip_bypassed"):
    """Someone bypasses the water trip: the plant's logic no longer acts on lost water."""

    lasts_s: Lasting = 120.0


class FlowMeterSilent(_AtTheWell, frozen=True, kw_only=True, tag="flow_meter_silent"):
    """A strainer blocks to `flow_share` of the flow; soon the flow meter's samples cease too."""

    lasts_s: Lasting = 200.0
    flow_share: Share = 0.78
    silent_after_s: Seconds = 31.0
    silent_for_s: Seconds = 69.0

    def silence(self) -> Silence:
        """Return when the flow meter is silent."""
        from_s = self.start_s + self.silent_after_s
        return Silence("mould_flow", from_s, from_s + self.silent_for_s)


class LanceLeak(_AtTheWorks, frozen=True, kw_only=True, tag="lance_leak"):
    """The lance leaks up to `leak_m3h` in 20 s; its hoist takes `lift_s` to begin to lift it."""

    lasts_s: Lasting = 200.0
    leak_m3h: Amount = 19.0
    lift_s: WholeSeconds = 7


class CoClamped(_AtTheWorks, frozen=True, kw_only=True, tag="co_clamped"):
    """Detector a is held at `held_ppm`; `plume_after_s` on, a plume drifts over all three."""

    lasts_s: Lasting = 1_200.0
    held_ppm: Amount = 23.9
    plume_after_s: Seconds = 600.0
    plume_lasts_s: Seconds = 540.0
    source_ppm: Amount = 90.0

    def held(self) -> dict[str, float]:
        """Return what detector a is held at, ppm."""
        return {"co_a": self.held_ppm}


class HolderOverfilled(_AtTheWorks, frozen=True, kw_only=True, tag="holder_overfilled"):
    """Consumers stop and a surge fills the holder; its inlet valve takes `close_s` to close."""

    lasts_s: Lasting = 1_200.0
    surge_percent_per_s: Amount = 0.06
    close_s: WholeSeconds = 60


class PhaseSilent(Event, frozen=True, kw_only=True, tag="phase_silent"):
    """The samples of one point cease: the phase of the well, or another that is named."""

    lasts_s: Lasting = 200.0
    point: str = "phase"

    def silence(self) -> Silence:
        """Return that the point is silent as long as it lasts."""
        return Silence(self.point, self.start_s, self.start_s + self.lasts_s)


Accident = (
    WaterLost
    | LaunderLeakUnseen
    | StarterHeadStuck
    | GasLost
    | TripBypassed
    | FlowMeterSilent
    | LanceLeak
    | CoClamped
    | HolderOverfilled
    | PhaseSilent
)
A = TypeVar("A", bound=Event)


class Live:
    """The accidents that are going on at one second of the plant."""

    def __init__(self, accidents: Iterable[Accident], now_s: int) -> None:
        """Keep those that have begun and are not over."""
        self.now_s = now_s
        self.accidents = tuple(one for one in accidents if 0 <= one.after(now_s) < one.lasts_s)

    def silent(self) -> set[str]:
        """Return the points whose samples do not come now."""
        spans = (one.silence() for one in self.accidents)
        return {one.point for one in spans if one and one.from_s <= self.now_s < one.to_s}

    def held(self) -> dict[str, float]:
        """Return the readings that are held now, by point."""
        return {name: value for one in self.accidents for name, value in one.held().items()}

    def of(self, what: type[A]) -> A | None:
        """Return the accident of a type that is going on, if any."""
        return next((one for one in self.accidents if isinstance(one, what)), None)


def check(accident: Accident, kind: Kind, reached_s: float) -> None:
    """Raise AccidentRefused, with every reason, unless it can be scheduled at the plant.

    `reached_s`: seconds of the plant that have been told already, and cannot be changed.
    """
    name = str(accident.__struct_config__.tag)
    problems = list[Problem]()
    if kind not in accident.kinds:
        problems.append(Problem(f"{name}/name", "not_at_this_plant", {"kind": kind}))
    if not math.isfinite(accident.start_s) or accident.start_s <= reached_s:
        problems.append(Problem(f"{name}/start_s", "in_the_past", {"reached_s": reached_s}))
    silence = accident.silence()
    if silence is not None and silence.point not in {one.name for one in points(kind)}:
        problems.append(Problem(f"{name}/point", "unknown_point", {"point": silence.point}))
    try:
        msgspec.convert(msgspec.to_builtins(accident), type(accident))
    except msgspec.ValidationError as error:
        problems.append(Problem(name, "out_of_bounds", {"why": str(error)}))
    if problems:
        raise AccidentRefused(problems)
